"""What stands at a place in a file: a pattern, a statement, a policy, a principal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.editor.analysis import Analysis
    from iam_preflight.graph.model import Policy, Principal
    from iam_preflight.policy.document import Pattern, Statement
    from iam_preflight.source import SourceFile, Span

_REFERENCE = re.compile(
    rb"(?:(?:var|local|module|path|terraform|each|count|data)\.)?[A-Za-z_][\w-]*(?:\.[\w-]+|\[[^\]\n]{1,80}\])*"
)
_ROOTS = ("var", "local", "module", "data", "path", "terraform")


class Cursor(Struct, frozen=True):
    """A byte of a file, as an analysis knows it."""

    analysis: Analysis
    source: SourceFile
    offset: int

    def is_in(self, span: Span) -> bool:
        return span.source is self.source and span.start <= self.offset <= span.end

    def policies(self) -> Iterator[Policy]:
        """The policies whose document, as written, holds the place."""
        for policy in self.analysis.graph.policies:
            if any(self.is_in(statement.span) for statement in policy.document.statements):
                yield policy

    def statement(self) -> tuple[Statement, list[Policy]] | None:
        """The smallest statement around the place, with every policy that it is part of."""
        found: dict[int, tuple[Statement, list[Policy]]] = {}
        for policy in self.analysis.graph.policies:
            for statement in policy.document.statements:
                if self.is_in(statement.span):
                    held = found.setdefault(statement.span.start, (statement, []))
                    held[1].append(policy)
        best = min(found.values(), key=lambda one: _length(one[0].span), default=None)
        if best is None:
            return None
        judged = [policy for policy in best[1] if not policy.is_source_only]
        return best[0], judged or best[1]

    def pattern(self, patterns: Iterable[Pattern]) -> Pattern | None:
        """The smallest of some patterns around the place."""
        around = (pattern for pattern in patterns if self.is_in(pattern.span))
        return min(around, key=lambda pattern: _length(pattern.span), default=None)

    def principal(self) -> Principal | None:
        """The principal whose block holds the place."""
        around = (p for p in self.analysis.graph.principals if self.is_in(p.resource.span))
        return min(around, key=lambda one: _length(one.resource.span), default=None)

    def holders(self, policy: Policy) -> list[Principal]:
        return list(dict.fromkeys((*policy.holders, *policy.bounds)))

    def reference(self) -> Span | None:
        """A Terraform reference such as `var.bucket` or `data.aws_iam_role.ci.arn`."""
        from iam_preflight.source import Span

        line = self.source.data.rfind(b"\n", 0, self.offset) + 1
        end = self.source.data.find(b"\n", self.offset)
        end = len(self.source.data) if end < 0 else end
        for match in _REFERENCE.finditer(self.source.data, line, end):
            if match.start() <= self.offset <= match.end():
                root, dot, rest = match.group().partition(b".")
                is_resource = b"_" in root and dot and rest
                if (root.decode() in _ROOTS and dot) or is_resource:
                    return Span(self.source, match.start(), match.end())
        return None


def _length(span: Span) -> int:
    return span.end - span.start
