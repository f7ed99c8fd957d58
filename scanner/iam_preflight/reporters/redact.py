"""Reports without the names of people: what only a snapshot of an account says is given a number.

The same name gets the same number all through a report. Names that the code has itself stay:
who reads the report has to find them there. Account ids are replaced everywhere, by others of
the same length, so that carets stay where they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from iam_preflight.reporters import model

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph

_NAME = re.compile(r"[\w+=,.@-]+")
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_KEPT = frozenset({"file", "fingerprint", "rule", "rules", "tool", "version", "code"})
"""Fields of the report that never hold what a snapshot says."""


def redact(report: model.Report, graph: Graph) -> model.Report:
    """The report with numbers in place of what only snapshots name."""
    told = _Redactor(_names(graph)).value(msgspec.to_builtins(report))
    return msgspec.convert(told, model.Report)


def _names(graph: Graph) -> dict[str, str]:
    """What stands for each name: `user-3`."""
    kinds: dict[str, str] = {}
    for resource in graph.resources:
        if not resource.is_recorded:
            continue
        kind = resource.type.removeprefix("aws_iam_")
        name = resource.text("name")
        if resource.type == "iam_credential_report":
            kind, name = "user", resource.text("user")
        if name and kind in ("user", "role", "group", "policy"):
            kinds.setdefault(name, kind)
    for principal in graph.principals:
        if not principal.resource.is_recorded:
            kinds.pop(principal.name.text, None)
    counts: dict[str, int] = {}
    replaced: dict[str, str] = {}
    for name, kind in kinds.items():
        counts[kind] = counts.get(kind, 0) + 1
        replaced[name] = f"{kind}-{counts[kind]}"
    return replaced


class _Redactor:
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._accounts: dict[str, str] = {}

    def value(self, value: Any, key: str = "") -> Any:
        match value:
            case dict():
                return {
                    name: held if name in _KEPT else self.value(held, name)
                    for name, held in value.items()
                }
            case list() | tuple():
                return [self.value(item, key) for item in value]
            case str():
                text = _ACCOUNT.sub(self._account, value)
                # lines of code and folders are not from snapshots, and columns count
                return text if key in ("text", "root") else _NAME.sub(self._name, text)
            case _:
                return value

    def _account(self, match: re.Match[str]) -> str:
        return self._accounts.setdefault(match[0], f"{len(self._accounts) + 1:012}")

    def _name(self, match: re.Match[str]) -> str:
        word = match[0].rstrip(",.")
        return self._names.get(word, word) + match[0][len(word) :]
