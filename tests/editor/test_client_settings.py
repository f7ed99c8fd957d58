"""What editors send as settings may be anything."""

from __future__ import annotations

import pytest

pytest.importorskip("pygls", reason="needs the extra `lsp`")

from iam_preflight.editor.options import Options, options_from


@pytest.mark.parametrize("odd", ["\ud800", 10**30, [{}], {"a": [1]}, None, True])
def test_settings_that_make_no_sense_are_left_out(odd: object) -> None:
    names = ("variables", "moduleMap", "rootsPerModule", "workspace")
    given = options_from({"select": ["LEAST"], **dict.fromkeys(names, odd)})
    assert given.select == ("LEAST",)
    assert given.preferences() is not None
    assert options_from(odd) == Options()
