"""Places on very long lines: a plan is one line of many megabytes."""

from __future__ import annotations

import random

import pytest

from iam_preflight.reporters.excerpts import MAX_TEXT, excerpts_of
from iam_preflight.source import BLOCK, Position, SourceFile, Span


@pytest.mark.parametrize("letters", ["abc{}", "aé€😀b"])
def test_columns_count_characters_however_long_the_line(letters: str) -> None:
    chance = random.Random(1)
    text = "first\n" + "".join(chance.choice(letters) for _ in range(8 * BLOCK)) + "\nlast"
    source = SourceFile("tfplan.json", text.encode())
    for _ in range(200):
        at = chance.randrange(len(text) + 1)
        before = text[:at]
        line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
        offset = len(before.encode())
        assert source.position(offset) == Position(line, column)
        assert source.offset(Position(line, column)) == offset
        whole = text.split("\n")[line - 1]
        assert source.line_part(line, column - 1, column + 50) == whole[column - 1 : column + 50]


@pytest.mark.parametrize("filler", ["a", "é"])
def test_an_excerpt_far_into_a_long_line_shows_its_place_and_no_secret(filler: str) -> None:
    before = f'"{filler * (1 << 21)}",'
    text = f'{before}"password":"hunter2hunter2","here":1,"{filler * (1 << 16)}"'
    start = len(before.encode()) + len('"password":"hunter2hunter2",')
    source = SourceFile("tfplan.json", text.encode())
    (excerpt,) = excerpts_of([(Span(source, start, start + 6), "this", "primary")])
    (line,) = excerpt.lines
    (mark,) = excerpt.marks
    assert len(line.text) == MAX_TEXT
    shown = line.text[mark.column - line.start : mark.end_column - line.start]
    assert shown == '"here"'
    assert "hunter2" not in line.text
