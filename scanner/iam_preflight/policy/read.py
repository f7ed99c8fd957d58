"""Values to policy documents: every legal form, every sloppy one that says what it means.

JSON text is parsed, single items are taken as lists, keys are found whatever their case.
What AWS would refuse becomes a `GrammarProblem` at its place; what could be read is kept.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iam_preflight.jsontext import JsonError, parse_json
from iam_preflight.policy.document import (
    NO_STATEMENT,
    Condition,
    ConditionOperator,
    Document,
    Effect,
    GrammarProblem,
    Pattern,
    PrincipalPattern,
    Resolution,
    Statement,
    pattern_from,
    word_from,
)
from iam_preflight.values import (
    Assumptions,
    Json,
    Known,
    Listing,
    Mapping,
    Text,
    Unknown,
    Value,
    arms_of,
    combine,
    holes_of,
    is_null,
    items_of,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.source import Span

DOCUMENT_KEYS = ("Version", "Id", "Statement")
STATEMENT_KEYS = (
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
)
PRINCIPAL_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")
_CANONICAL = {key.lower(): key for key in (*DOCUMENT_KEYS, *STATEMENT_KEYS)}
_KINDS = {kind.lower(): kind for kind in PRINCIPAL_KINDS}
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def read_policy(value: Value) -> Document:
    """The policy that a value is: an object, JSON text, or a hole. Never raises."""
    reader = _Reader()
    for given, arm in arms_of(value):
        reader.document(arm, given)
    return reader.finish(value)


@functools.lru_cache(maxsize=1024)
def read_operator(name: str) -> ConditionOperator:
    """Takes a condition operator's name apart; unknown names keep their own base."""
    rest = name.lower()
    quantifier = ""
    if ":" in rest:
        quantifier, _, rest = rest.partition(":")
    is_if_exists = rest.endswith("ifexists")
    if is_if_exists:
        rest = rest.removesuffix("ifexists")
    base = _NEGATED.get(rest)
    return ConditionOperator(name, base or rest, quantifier, base is not None, is_if_exists)


class _Reader:
    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.problems: list[GrammarProblem] = []
        self.version = "2008-10-17"
        self.parsed: Value | None = None
        """The document as a structure, where it came as text."""
        self.lost: list[Unknown] = []
        """Holes that stand for a whole document or a whole statement."""

    def finish(self, value: Value) -> Document:
        holes = tuple(self._distinct(value))
        if not holes and not self.lost:
            resolution = Resolution.FULL
        elif self.statements:
            resolution = Resolution.PARTLY
        else:
            resolution = Resolution.NONE
        return Document(
            tuple(self.statements),
            value.span,
            self.version,
            resolution,
            holes or tuple(self.lost),
            tuple(self.problems),
            self.parsed or value,
            tuple(self.lost),
        )

    def _distinct(self, value: Value) -> Iterator[Unknown]:
        seen: set[str] = set()
        for hole in holes_of(value):
            if hole.label not in seen:
                seen.add(hole.label)
                yield hole

    def _problem(self, message: str, span: Span) -> None:
        self.problems.append(GrammarProblem(message, span))

    # ---- document

    def document(self, value: Value, given: Assumptions) -> None:
        match value:
            case Unknown():
                self.lost.append(value)
            case Known(value=None):
                return
            case Json(value=inner):
                self.parsed = inner
                for more, arm in arms_of(inner, given):
                    self.document(arm, more)
            case Known(value=str(text), span=span):
                if not text.strip():
                    self._problem("the policy is empty", span)
                    return
                self._text(value, given)
            case Text():
                self._text(value, given)
            case Mapping():
                self._object(value, given)
            case Listing(items=items) if len(items) == 1:
                self.document(items[0], given)
            case _:
                self._problem("a policy must be a JSON object", value.span)

    def _text(self, value: Known | Text, given: Assumptions) -> None:
        try:
            parsed = parse_json(value)
        except JsonError as error:
            self.lost.extend(holes_of(value))
            self._problem(f"the policy is not JSON: {error.message}", error.span)
            return
        if isinstance(parsed, Unknown):
            self.lost.append(parsed)
        else:
            self.parsed = parsed
            self.document(parsed, given)

    def _object(self, value: Mapping, given: Assumptions) -> None:
        entries = self._entries(value, DOCUMENT_KEYS, "policy")
        version = text_of(entries.get("Version"))
        if version is None and "Version" in entries and not is_null(entries["Version"]):
            version = "2012-10-17"  # nobody computes the old one
        if version is not None:
            self.version = version
            if version not in ("2012-10-17", "2008-10-17"):
                self._problem(f'"{version}" is not a policy version', entries["Version"].span)
        statements = entries.get("Statement")
        if statements is None or is_null(statements) or _is_empty(statements):
            if value.rest is None:
                self._problem(NO_STATEMENT, value.span)
            return
        for more, item in items_of(statements, given):
            self._statement(item, more)

    def _entries(self, value: Mapping, allowed: tuple[str, ...], what: str) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        for key in value.entries:
            if is_null(value.entries[key]):
                continue
            canonical = _CANONICAL.get(key.lower())
            if canonical not in allowed:
                self._problem(f'"{key}" is not an element of a {what}', value.key_span(key))
                continue
            if key != canonical:
                self._problem(f'"{key}" must be written "{canonical}"', value.key_span(key))
            entries.setdefault(canonical, value.entries[key])
        return entries

    # ---- statement

    def _statement(self, value: Value, given: Assumptions) -> None:
        if isinstance(value, Unknown):
            self.lost.append(value)
            return
        if isinstance(value, Json):
            value = value.value
        if isinstance(value, Listing):
            for more, item in items_of(value, given):
                self._statement(item, more)
            return
        if not isinstance(value, Mapping):
            self._problem("a statement must be an object", value.span)
            return
        entries = self._entries(value, STATEMENT_KEYS, "statement")
        key_spans = {_CANONICAL.get(key.lower(), key): value.key_span(key) for key in value.entries}
        effects = self._effects(entries.get("Effect"), value.span)
        is_not_action = _is_by_opposite(entries, "Action")
        is_not_resource = _is_by_opposite(entries, "Resource")
        is_not_principal = _is_by_opposite(entries, "Principal")
        actions = self._patterns(
            entries.get("NotAction" if is_not_action else "Action"), given, word_from
        )
        if "Action" not in entries and "NotAction" not in entries:
            self._problem("a statement needs Action or NotAction", value.span)
        self._check_elements(value, entries, key_spans)
        resources = self._patterns(
            entries.get("NotResource" if is_not_resource else "Resource"), given
        )
        principal = entries.get("NotPrincipal" if is_not_principal else "Principal")
        for more, effect, is_known in effects:
            both = combine(given, more)
            if both is None:
                continue
            self.statements.append(
                Statement(
                    effect=effect,
                    actions=actions,
                    resources=resources,
                    principals=tuple(self._principals(principal, given)),
                    conditions=(
                        *self._conditions(entries.get("Condition"), given),
                        *self._further(value, given),
                    ),
                    span=value.span,
                    index=len(self.statements),
                    sid=text_of(entries.get("Sid")),
                    is_not_action=is_not_action,
                    is_not_resource=is_not_resource,
                    is_not_principal=is_not_principal,
                    has_resource="Resource" in entries or is_not_resource,
                    has_principal="Principal" in entries or is_not_principal,
                    is_effect_known=is_known,
                    assumptions=both,
                    key_spans=key_spans,
                )
            )

    def _check_elements(
        self, value: Mapping, entries: dict[str, Value], key_spans: dict[str, Span]
    ) -> None:
        """What no use of a document makes good: an element and its opposite, empty ones."""
        for element in ("Action", "Resource", "Principal"):
            opposite = f"Not{element}"
            if element in entries and opposite in entries:
                message = f"a statement cannot have both {element} and {opposite}"
                self._problem(message, key_spans.get(opposite, value.span))
        for element in ("Action", "NotAction", "Resource", "NotResource"):
            if _is_empty(entries.get(element)):
                self._problem(f"{element} is empty", key_spans.get(element, value.span))
        for element in ("Principal", "NotPrincipal"):
            if isinstance(named := entries.get(element), Mapping) and not named.entries:
                self._problem(f"{element} names nobody", key_spans.get(element, value.span))

    def _effects(self, value: Value | None, span: Span) -> list[tuple[Assumptions, Effect, bool]]:
        if value is None:
            self._problem("a statement needs an Effect", span)
            return [((), Effect.ALLOW, True)]
        out: list[tuple[Assumptions, Effect, bool]] = []
        for given, arm in arms_of(value):
            text = (text_of(arm) or "").lower()
            if text in ("allow", "deny"):
                out.append((given, Effect(text.capitalize()), True))
                if text_of(arm) not in ("Allow", "Deny"):
                    self._problem('Effect must be written "Allow" or "Deny"', arm.span)
            elif isinstance(arm, Unknown | Text):
                out.append((given, Effect.ALLOW, False))
            else:
                self._problem('Effect must be "Allow" or "Deny"', arm.span)
        return out

    def _patterns(
        self,
        value: Value | None,
        given: Assumptions,
        make: Callable[[Value, Assumptions], Pattern | None] = pattern_from,
    ) -> tuple[Pattern, ...]:
        out: list[Pattern] = []
        for more, item in items_of(value, given):
            if isinstance(item, Listing):
                self._problem("a list may not stand in a list", item.span)
                out.extend(self._patterns(item, more, make))
                continue
            pattern = make(item, more)
            if pattern is None:
                self._problem("expected a string or a list of strings", item.span)
            else:
                out.append(pattern)
        return tuple(out)

    def _principals(self, value: Value | None, given: Assumptions) -> Iterator[PrincipalPattern]:
        if value is None:
            return
        for more, arm in arms_of(value, given):
            match arm:
                case Known(value=str(text)):
                    pattern = pattern_from(arm, more)
                    if text != "*":
                        self._problem('Principal must be "*" or an object', arm.span)
                    if pattern is not None:
                        yield PrincipalPattern("*" if text == "*" else "AWS", pattern)
                case Unknown() | Text():
                    pattern = pattern_from(arm, more)
                    if pattern is not None:
                        yield PrincipalPattern("AWS", pattern)
                case Mapping(entries=entries):
                    for key in entries:
                        kind = _KINDS.get(key.lower())
                        if kind is None and key != "*":
                            self._problem(f'"{key}" is not a type of principal', arm.key_span(key))
                        make = word_from if kind == "Service" else pattern_from
                        for pattern in self._patterns(entries[key], more, make):
                            yield PrincipalPattern(kind or key, pattern)
                case Listing():
                    self._problem('Principal must be "*" or an object', arm.span)
                    for pattern in self._patterns(arm, more):
                        yield PrincipalPattern("*" if pattern.text == "*" else "AWS", pattern)
                case Known(value=None):
                    continue
                case _:
                    self._problem('Principal must be "*" or an object', arm.span)

    def _conditions(self, value: Value | None, given: Assumptions) -> Iterator[Condition]:
        if value is None:
            return
        for more, arm in arms_of(value, given):
            if is_null(arm):
                continue
            if isinstance(arm, Unknown):
                # a condition that may be anything: it may restrict, it may not
                pattern = pattern_from(arm, more)
                assert pattern is not None
                yield Condition(read_operator("«unknown»"), pattern, (pattern,), arm.span, more)
                continue
            if not isinstance(arm, Mapping):
                self._problem("Condition must be an object", arm.span)
                continue
            yield from self._further(arm, more)
            for name in arm.entries:
                yield from self._operator(name, arm.entries[name], arm.key_span(name), more)

    def _further(self, value: Mapping, given: Assumptions) -> Iterator[Condition]:
        """What stands for further entries of a statement, or of its Condition, may restrict it."""
        hole = next(holes_of(value.rest), None) if value.rest is not None else None
        if hole is not None and "Condition" not in value.entries:
            pattern = pattern_from(hole, given)
            assert pattern is not None
            yield Condition(read_operator("«unknown»"), pattern, (pattern,), hole.span, given)

    def _operator(
        self, name: str, value: Value, span: Span, given: Assumptions
    ) -> Iterator[Condition]:
        for more, arm in arms_of(value, given):
            if isinstance(arm, Unknown):
                pattern = pattern_from(arm, more)
                assert pattern is not None
                yield Condition(read_operator(name), pattern, (pattern,), arm.span, more)
                continue
            if is_null(arm):
                continue
            if not isinstance(arm, Mapping):
                self._problem(f"{name} needs an object of keys and values", span)
                continue
            for key in arm.entries:
                key_span = arm.key_span(key)
                pattern = Pattern(_key_parts(key, key_span), key_span)
                values = self._patterns(arm.entries[key], more)
                yield Condition(read_operator(name), pattern, values, key_span, more)


def _is_by_opposite(entries: dict[str, Value], element: str) -> bool:
    """Whether a statement is read by `NotAction` and its like, instead of `Action`.

    AWS refuses one that has both. It is judged by the closer of the two, for what both leave.
    """
    if element not in entries:
        return f"Not{element}" in entries
    return f"Not{element}" in entries and _is_star(entries[element])


def _is_star(value: Value) -> bool:
    match value:
        case Listing(items=items):
            return any(map(_is_star, items))
        case Mapping(entries=entries):
            return any(map(_is_star, entries.values()))
        case _:
            return text_of(value) in ("*", "*:*")


def _is_empty(value: Value | None) -> bool:
    """Whether it is a list that certainly has no items."""
    return isinstance(value, Listing) and not value.items and value.rest is None


def _key_parts(key: str, span: Span) -> tuple[str | Unknown, ...]:
    """A mapping's key as parts: `«why»` in it is a hole."""
    if "«" not in key:
        return (key,)
    from iam_preflight.values import Reason

    parts: list[str | Unknown] = []
    rest = key
    while rest:
        head, opening, tail = rest.partition("«")
        if head:
            parts.append(head)
        if not opening:
            break
        label, _, rest = tail.partition("»")
        parts.append(Unknown(Reason.FUNCTION, label, span))
    return tuple(parts)


__all__ = ["read_operator", "read_policy", "show"]
