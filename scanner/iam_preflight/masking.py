"""The last guard of secrets: what is marked as sensitive is taken out of whatever is written.

Values know whether they are sensitive, and whoever shows one masks it. Between the two, a label
may be made of a value: a name, an account, a service. So the texts themselves are remembered,
too, and masked wherever they stand. Short ones are not: every `prod` would go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from iam_preflight.values import (
    MASK,
    Choice,
    CycleError,
    Json,
    Known,
    Listing,
    Mapping,
    Text,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SHORTEST = 6
"""Characters that a text must have to be masked wherever it stands."""
MAX_LENGTH = 4096
MAX_TEXTS = 1000
_FOR_TOOLS = frozenset({"file", "root", "kind", "type"})
"""Fields that are words of ours, or names of files."""
_FOR_PEOPLE = frozenset(
    {
        *("message", "label", "hint", "reason", "text", "description", "assumptions", "group"),
        *("who", "subject", "action", "resource", "environment"),
    }
)
"""Fields of a report that are made of what the code says; in the others tools find words of ours,
ids and addresses."""

Report = TypeVar("Report", bound=msgspec.Struct)


class Secrets:
    """The sensitive texts of one scan, as they become known."""

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, text: str) -> None:
        import json

        text = text.strip()
        if SHORTEST <= len(text) <= MAX_LENGTH and len(self._texts) < MAX_TEXTS:
            written = json.dumps(text, ensure_ascii=False)[1:-1]
            for line in (text, written, *text.splitlines()):
                if len(line.strip()) >= SHORTEST and line.strip() not in self._texts:
                    self._texts.add(line.strip())
                    self._pattern = None

    def keep(self, value: Value) -> Value:
        """The same value, after its texts have been taken down."""
        for text in _texts_of(value):
            self.add(text)
        return value

    @property
    def texts(self) -> frozenset[str]:
        return frozenset(self._texts)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def mask(self, text: str, *, keeps_columns: bool = False) -> str:
        if not self._texts:
            return text
        if self._pattern is None:
            longest_first = sorted(self._texts, key=lambda one: (-len(one), one))
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        if keeps_columns:
            return self._pattern.sub(lambda found: MASK.ljust(len(found[0]), "·"), text)
        return self._pattern.sub(MASK, text)

    def masked(self, data: Any) -> Any:
        """JSON-like data with every text in it masked, names of files and kinds aside."""
        return self._masked(data, lambda name: name not in _FOR_TOOLS)

    def _masked(self, data: Any, is_meant: Callable[[str], bool], name: str = "") -> Any:
        match data:
            case str():
                is_line = name == "text"
                return self.mask(data, keeps_columns=is_line) if is_meant(name) else data
            case dict():
                return {
                    (self.mask(key) if is_meant(key) else key): self._masked(item, is_meant, key)
                    for key, item in data.items()
                }
            case list() | tuple():
                return [self._masked(item, is_meant, name) for item in data]
            case _:
                return data

    def masked_report(self, report: Report) -> Report:
        if not self._texts:
            return report
        data = self._masked(msgspec.to_builtins(report), _FOR_PEOPLE.__contains__)
        return msgspec.convert(data, type(report))


def _texts_of(value: Value) -> Iterator[str]:
    match value:
        case Known(value=str(text)):
            yield text
        case Text(parts=parts):
            yield from (part.text for part in parts if not isinstance(part, Unknown))
        case Listing(items=items, rest=rest):
            yield from _each(items)
            yield from _each(() if rest is None else (rest,))
        case Mapping(entries=entries, rest=rest):
            for key in entries:
                try:
                    yield from _texts_of(entries[key])
                except CycleError:
                    continue
            yield from _each(() if rest is None else (rest,))
        case Choice(arms=arms):
            yield from _each(arm for _, arm in arms)
        case Json(value=inner):
            yield from _texts_of(inner)
        case _:
            return


def _each(values: Iterable[Value]) -> Iterator[str]:
    for value in values:
        yield from _texts_of(value)
