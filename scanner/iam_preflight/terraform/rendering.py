"""String templates to text: every alternative of what directives and interpolations give."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.terraform import operators
from iam_preflight.terraform.functions.arguments import MAX_TEXT, size_of
from iam_preflight.terraform.functions.encoding import json_parts
from iam_preflight.terraform.labels import deeper, label_of
from iam_preflight.terraform.loops import collection_pairs
from iam_preflight.terraform.narrowing import is_error
from iam_preflight.terraform.tree import (
    ForDirective,
    IfDirective,
    Interpolation,
    TemplatePart,
    Variable,
)
from iam_preflight.values import (
    MAX_ARMS,
    Assumptions,
    Fragment,
    Json,
    Listing,
    Mapping,
    Reason,
    Unknown,
    Value,
    arms_of,
    choice,
    combine,
    is_null,
    join_parts,
    parts_of,
)

if TYPE_CHECKING:
    from iam_preflight.source import Span
    from iam_preflight.terraform.scope import Evaluate, Scope

_Pieces: TypeAlias = "list[Fragment | Unknown]"
_Alternatives: TypeAlias = "list[tuple[Assumptions, _Pieces]]"


def render(parts: tuple[TemplatePart, ...], scope: Scope, span: Span, evaluate: Evaluate) -> Value:
    """A template as text; undecided directives and choices give every alternative."""
    renderer = _Renderer(scope, span, evaluate)
    for part in parts:
        renderer.add(part, scope)
    return renderer.result()


class _Renderer:
    """The alternatives of a template's text so far; past the bound what differs is a hole."""

    def __init__(self, scope: Scope, span: Span, evaluate: Evaluate) -> None:
        self.scope = scope
        self.span = span
        self.evaluate = evaluate
        self.alternatives: _Alternatives = [((), [])]
        self.length = 0
        self.failure: Unknown | None = None

    def result(self) -> Value:
        if self.failure is not None:
            return self.failure
        arms: list[tuple[Assumptions, Value]] = [
            (given, join_parts(pieces, self.span)) for given, pieces in self.alternatives
        ]
        return choice(arms, self.span)

    def add(self, part: TemplatePart, scope: Scope) -> None:
        if self.failure is not None:
            return
        match part:
            case Fragment():
                self._append([((), [part])])
            case Interpolation(expression=expression, span=span):
                self._append(self._pieces_of(self.evaluate(expression, scope), span))
            case IfDirective():
                self._append(self._checked(self._if(part, scope)))
            case ForDirective():
                self._for(part, scope)

    def _append(self, added: _Alternatives) -> None:
        self.length += max((size_of(pieces) for _, pieces in added), default=0)
        if self.length > MAX_TEXT:
            self.failure = self.scope.frame.limit("a text without end", self.span)
            return
        if len(added) == 1 and not added[0][0]:
            pieces = added[0][1]
            for _, so_far in self.alternatives:
                so_far.extend(pieces)
            return
        grown: _Alternatives = []
        for (given, so_far), (more, pieces) in product(self.alternatives, added):
            both = combine(given, more)
            if both is not None:
                grown.append((both, [*so_far, *pieces]))
        if len(grown) > MAX_ARMS:
            hole = Unknown(Reason.FUNCTION, "one of several texts", self.span)
            self._append([((), [hole])])
        elif grown:
            self.alternatives = grown

    def _pieces_of(self, value: Value, span: Span) -> _Alternatives:
        out: _Alternatives = []
        for given, arm in arms_of(value):
            if isinstance(arm, Json):
                out.append((given, json_parts(arm.value)))
                continue
            pieces = parts_of(arm)
            if pieces is None:
                label = "null in a template" if is_null(arm) else "not a string in a template"
                pieces = (Unknown(Reason.ERROR, label, span),)
            out.append((given, list(pieces)))
        return self._checked(out)

    def _checked(self, found: _Alternatives) -> _Alternatives:
        """Without alternatives in error; where nothing else is left the whole text is one."""
        errors = [entry for entry in found if len(entry[1]) == 1 and _is_failure(entry[1][0])]
        if len(found) == 1 and errors:
            failed = found[0][1][0]
            assert isinstance(failed, Unknown)
            if self.scope.tries:
                self.failure = failed
        elif errors and not self.scope.tries:
            return [entry for entry in found if entry not in errors] or found
        return found

    def _if(self, part: IfDirective, scope: Scope) -> _Alternatives:
        condition = self.evaluate(part.condition, scope)
        if scope.tries and isinstance(condition, Unknown) and is_error(condition):
            return [((), [condition])]
        alternatives: _Alternatives = []
        for given, holds in operators.decide(condition, part.condition, scope.given):
            inner = scope.assuming(given)
            if inner is None:
                continue
            text = render(part.then if holds else part.otherwise, inner, part.span, self.evaluate)
            for more, pieces in self._pieces_of(text, part.span):
                both = combine(given, more)
                if both is not None:
                    alternatives.append((both, pieces))
        return alternatives or [((), [Unknown(Reason.ERROR, "if", part.span)])]

    def _for(self, part: ForDirective, scope: Scope) -> None:
        collection = self.evaluate(part.collection, scope)
        hole = Unknown(Reason.FUNCTION, label_of(part.collection.span), part.span)
        arms = list(arms_of(collection))
        if len(arms) > 1:
            self._append(self._for_arms(part, scope, arms))
            return
        arm = arms[0][1]
        pairs = collection_pairs(arm, scope)
        more = arm.rest if isinstance(arm, Listing | Mapping) else None
        if pairs is None and isinstance(arm, Unknown) and not is_error(arm):
            pairs, more = [], deeper(arm, "[*]", "", part.collection.span)
        if pairs is None or any(given for given, _, _ in pairs):
            failed = isinstance(arm, Unknown) and is_error(arm)
            self._append(self._checked([((), [arm if failed else hole])]))  # type: ignore[list-item]
            return
        for _, key, value in pairs:
            names = {part.value: value}
            if part.key is not None:
                names[part.key] = key
            inner = scope.with_names(names)
            for piece in part.body:
                self.add(piece, inner)
        if more is not None:
            self._append(self._any_number(part, scope, more, hole))

    def _any_number(
        self, part: ForDirective, scope: Scope, item: Value, hole: Unknown
    ) -> _Alternatives:
        """What is written for items that nobody knows: once, if it looks like JSON, else a hole.

        Marks around it tell the reader of JSON that it is there any number of times, so that a
        separator may be missing or be too many. Alternatives that differ in those alone are one.
        """
        span = part.collection.span
        names = {part.value: item}
        if part.key is not None:
            names[part.key] = Unknown(Reason.EACH, f"key of {label_of(span)}", span)
        text = render(part.body, scope.with_names(names), part.span, self.evaluate)
        mark = Unknown(Reason.REPEATED, label_of(span), part.span)
        once: dict[str, tuple[Assumptions, list[Fragment | Unknown]]] = {}
        for given, pieces in self._pieces_of(text, part.span):
            written = "".join(
                piece.text if isinstance(piece, Fragment) else piece.label for piece in pieces
            )
            if '"' not in written:
                return [((), [hole])]
            bare = "".join(written.split()).strip(",")
            once[bare] = (() if bare in once else given, [mark, *pieces, mark])
        return list(once.values())

    def _for_arms(
        self, part: ForDirective, scope: Scope, arms: list[tuple[Assumptions, Value]]
    ) -> _Alternatives:
        out: _Alternatives = []
        for given, arm in arms:
            inner = scope.assuming(given)
            if inner is None:
                continue
            name = "\0collection"
            again = ForDirective(
                part.key, part.value, Variable(name, part.collection.span), part.body, part.span
            )
            text = render((again,), inner.with_names({name: arm}), part.span, self.evaluate)
            out.extend((given, pieces) for _, pieces in self._pieces_of(text, part.span))
        return out


def _is_failure(piece: Fragment | Unknown) -> bool:
    return isinstance(piece, Unknown) and is_error(piece)
