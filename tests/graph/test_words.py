"""Words in files: found alike with and without an index, and each file read a few times only."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iam_preflight.graph import words as module
from iam_preflight.graph.words import PATIENCE, Words, key_of
from iam_preflight.registry import load_rules
from iam_preflight.source import SourceFile
from iam_preflight.testing import scan_files

TEXTS = st.text("ab1_-. /*", min_size=1, max_size=8).map(str.encode)
FILES = st.lists(TEXTS, max_size=40).map(b"".join)


def plain(text: bytes, data: bytes) -> list[int]:
    """The rule, written as one pattern that may also overlap itself."""
    pattern = rb"(?=(?<![A-Za-z0-9.])" + re.escape(text) + rb"(?![\w-]))"
    return [match.start() for match in re.finditer(pattern, data)]


@given(TEXTS, st.lists(FILES, min_size=1, max_size=3))
@example(b"1/1", [b"1/1"])
def test_an_index_finds_what_reading_finds(text: bytes, files: list[bytes]) -> None:
    sources = [SourceFile(str(number), data) for number, data in enumerate(files)]
    words = Words(sources, lambda: frozenset({key_of(text)} - {b""}))
    expected = [(source, at) for source in sources for at in plain(text, source.data)]
    for _ in range(PATIENCE):
        assert list(words.places(text)) == expected
    assert sorted(words.places(text), key=lambda place: (place[0].path, place[1])) == expected


def test_a_word_that_is_not_among_the_keys_is_looked_for_all_the_same() -> None:
    words = Words([SourceFile("a", b"one two-three")], frozenset)
    found = [[at for _, at in words.places(b"three")] for _ in range(PATIENCE + 1)]
    assert found == [[8]] * (PATIENCE + 1)


USER = """\
resource "aws_iam_user" "person_{0}" {{
  name = "number-{0}-of-many"
}}
"""


@pytest.mark.parametrize("count", [100, 200])
def test_a_file_of_many_users_is_not_read_for_each_of_them(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: Counter[str] = Counter()

    def counted(name: str) -> None:
        before = getattr(module, name)

        def wrapped(*given: object) -> object:
            steps[name] += 1
            return before(*given)

        monkeypatch.setattr(module, name, wrapped)

    counted("_found")
    counted("_index")
    counted("_is_whole")
    files = {"main.tf": "".join(map(USER.format, range(count)))}
    report = scan_files(files, load_rules().select(["CRED-006"], []))
    assert len(report.findings) == count
    # for each scope, the module's folder and all files: some are read for, then one index
    assert steps["_found"] <= 2 * PATIENCE
    assert steps["_index"] == 2
    assert steps["_is_whole"] <= 4 * count + 2 * PATIENCE
