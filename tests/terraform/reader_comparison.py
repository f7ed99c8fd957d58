"""Holds the two HCL readers against each other, over every file below some folders.

    python tests/terraform/reader_comparison.py FOLDER…

Needs python-hcl2, which cannot be beside checkov: it has an environment of its own (see
test_second_reader.py). Prints the files that only one reads, and the first difference of the
others; exits with 1 if there is a difference.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from iam_preflight.source import SourceFile, Span
from iam_preflight.terraform import python_hcl2_reader, syntax
from iam_preflight.terraform.tree import Attribute, Block, Body, File

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.errors import Problem


@dataclass
class Score:
    same: int = 0
    rejected: int = 0
    """Files that python-hcl2 does not parse and tree-sitter does."""
    different: int = 0


def compare(source: SourceFile, score: Score) -> str:
    """What differs; empty where nothing does, or where python-hcl2 rejects the file."""
    problems: list[Problem] = []
    first = syntax.parse_file(source, problems)
    if problems:
        return ""
    if python_hcl2_reader.is_rejected(source):
        score.rejected += 1
        return ""
    second = python_hcl2_reader.parse_file(source, [])
    difference = next(differences(first, second, ""), "")
    if difference:
        score.different += 1
    else:
        score.same += 1
    return difference


def differences(first: Any, second: Any, where: str) -> Iterator[str]:
    if type(first) is not type(second):
        yield f"{where}: {first!r} or {second!r}"
        return
    match first:
        case File() | Body():
            yield from differences(first.attributes, second.attributes, where)
            yield from differences(first.blocks, second.blocks, where)
        case Block():
            place = f"{where}/{first.type}"
            for name in ("type", "labels", "span", "header"):
                yield from differences(getattr(first, name), getattr(second, name), place)
            yield from differences(first.body, second.body, place)
        case Attribute():
            for name in ("name", "name_span", "span", "expression"):
                one, other = getattr(first, name), getattr(second, name)
                yield from differences(one, other, f"{where}.{first.name}")
        case Span():
            if (first.start, first.end) != (second.start, second.end):
                yield f"{where}: {first} {first.text!r} or {second} {second.text!r}"
        case dict():
            yield from differences(list(first), list(second), where)
            for key in first:
                if key in second:
                    yield from differences(first[key], second[key], where)
        case list() | tuple():
            if len(first) != len(second):
                yield f"{where}: {len(first)} or {len(second)} parts"
            for one, other in zip(first, second, strict=False):
                yield from differences(one, other, where)
        case Struct():
            for name in first.__struct_fields__:
                one, other = getattr(first, name), getattr(second, name)
                yield from differences(one, other, f"{where}.{name}")
        case _:
            if first != second:
                yield f"{where}: {first!r} or {second!r}"


def main(folders: list[str]) -> int:
    score = Score()
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.tf")):
            if path.is_file():
                difference = compare(SourceFile(str(path), path.read_bytes()), score)
                if difference:
                    print(f"{path}: {difference}")
    print(score)
    return 1 if score.different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
