"""What editors send as settings may be anything."""

from __future__ import annotations

import pytest

pytest.importorskip("pygls", reason="needs the extra `lsp`")

from iam_preflight.editor.options import Options, options_from
from iam_preflight.editor.server import make_server


@pytest.mark.parametrize("odd", ["\ud800", 10**30, [{}], {"a": [1]}, None, True])
def test_settings_that_make_no_sense_are_left_out(odd: object) -> None:
    names = ("variables", "moduleMap", "rootsPerModule", "workspace")
    given = options_from({"select": ["LEAST"], **dict.fromkeys(names, odd)})
    assert given.select == ("LEAST",)
    assert given.preferences() is not None
    assert options_from(odd) == Options()


@pytest.mark.parametrize("uri", ["file://host/x.tf", "file:///\ud800.tf", "file:///x.tf", "file:"])
def test_files_that_no_project_can_be_around_have_none(uri: str) -> None:
    """A path that is no text, and what would take the whole disk for a project."""
    assert make_server().session_of(uri) is None
