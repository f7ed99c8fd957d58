"""A policy document as IAM understands it: statements of patterns, each with its place.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html

Case is kept for people; matching ignores it where AWS does. A pattern may have holes, and an
element may be there only under assumptions; neither ever removes a statement.
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from iam_preflight.policy.context import texts_of
from iam_preflight.policy.globs import Wildcards, tokenize
from iam_preflight.values import MASK, Fragment, Unknown, parts_of

if TYPE_CHECKING:
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions, Reference, Value


class DocumentUse(Enum):
    """What a document is for, which decides how it is judged."""

    IDENTITY = "identity"
    TRUST = "trust"
    RESOURCE = "resource"
    BOUNDARY = "boundary"
    SCP = "scp"
    RCP = "rcp"
    SESSION = "session"
    ENDPOINT = "endpoint"
    UNATTACHED = "unattached"


class Effect(Enum):
    ALLOW = "Allow"
    DENY = "Deny"


class Resolution(Enum):
    """How much of a document could be worked out."""

    FULL = "full"
    PARTLY = "partly"
    NONE = "none"


class Pattern(Struct, frozen=True, dict=True):
    """Text to be matched: known parts and holes, in which `*` and `?` may be wildcards."""

    parts: tuple[str | Unknown, ...]
    span: Span
    assumptions: Assumptions = ()
    reference: Reference | None = None
    is_sensitive: bool = False

    @property
    def holes(self) -> tuple[Unknown, ...]:
        parts = self.parts
        if len(parts) == 1 and isinstance(parts[0], str):
            return ()
        return tuple(part for part in parts if isinstance(part, Unknown))

    @property
    def is_known(self) -> bool:
        parts = self.parts
        if len(parts) == 1:  # nearly all, and asked for more often than anything else
            return isinstance(parts[0], str)
        return not any(isinstance(part, Unknown) for part in parts)

    @property
    def text(self) -> str:
        """For people and fingerprints: each hole as `«why»`, masked when it is sensitive."""
        if self.is_sensitive:
            return MASK
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        return self._joined

    @functools.cached_property
    def _joined(self) -> str:
        return "".join(part if isinstance(part, str) else f"«{part.label}»" for part in self.parts)

    @functools.cached_property
    def arn_tokens(self) -> Tokens:
        """The ARNs that it matches, holes as symbols, policy variables as plain text."""
        return tokenize(texts_of(self.parts), Wildcards.ARN)

    @functools.cached_property
    def plain_tokens(self) -> Tokens:
        """The text itself, holes as symbols, in which nothing is a wildcard: a principal's name."""
        return tokenize(texts_of(self.parts), Wildcards.NONE)

    def __str__(self) -> str:
        return self.text


def pattern_from(value: Value, assumptions: Assumptions = ()) -> Pattern | None:
    """A string value as a pattern; None when it is not a string."""
    pieces = parts_of(value)
    if pieces is None:
        return None
    parts: list[str | Unknown] = []
    for piece in pieces:
        if isinstance(piece, Unknown):
            parts.append(piece)
        elif parts and isinstance(parts[-1], str):
            parts[-1] += piece.text
        elif isinstance(piece, Fragment):
            parts.append(piece.text)
    reference = getattr(value, "reference", None)
    is_sensitive = any(piece.sensitive for piece in pieces) and not _is_no_secret(parts)
    return Pattern(tuple(parts), value.span, assumptions, reference, is_sensitive)


def word_from(value: Value, assumptions: Assumptions = ()) -> Pattern | None:
    """A word of AWS's own, like the name of an action, as a pattern: nobody's secret.

    A plan marks a policy as sensitive as a whole, for whatever one value went into it. What has
    neither a colon nor a dot is no such word, and may be anything.
    """
    pattern = pattern_from(value, assumptions)
    if pattern is None or not pattern.is_sensitive:
        return pattern
    texts = [part for part in pattern.parts if isinstance(part, str)]
    return replace(pattern, is_sensitive=not any(":" in text or "." in text for text in texts))


def _is_no_secret(parts: list[str | Unknown]) -> bool:
    """Whether the text is wildcards or a truth value, by which rules decide."""
    text = parts[0] if len(parts) == 1 else None
    return isinstance(text, str) and (not text.strip("*?:") or text.lower() in ("true", "false"))


class PrincipalPattern(Struct, frozen=True):
    """One principal of a statement: its type (`AWS`, `Service`, `Federated`, `CanonicalUser`).

    `"Principal": "*"` is the type `*`.
    """

    kind: str
    pattern: Pattern

    @property
    def span(self) -> Span:
        return self.pattern.span

    @property
    def is_anyone(self) -> bool:
        """Whether it is `*`, as AWS lets it be written."""
        return self.kind in ("AWS", "*") and self.pattern.text == "*"

    def __str__(self) -> str:
        return self.pattern.text


NO_STATEMENT = "the policy has no Statement"


class ConditionOperator(Struct, frozen=True):
    """`ForAnyValue:StringNotLikeIfExists`, taken apart."""

    name: str
    """As written."""
    base: str
    """Lower case, without quantifier, `IfExists` and `Not`: `stringlike`."""
    quantifier: str = ""
    """`forallvalues`, `foranyvalue` or empty."""
    is_negated: bool = False
    is_if_exists: bool = False


class Condition(Struct, frozen=True):
    """One operator and key with its values: true when any value matches (none, if negated)."""

    operator: ConditionOperator
    key: Pattern
    values: tuple[Pattern, ...]
    span: Span
    """The key and its values."""
    assumptions: Assumptions = ()

    @property
    def key_name(self) -> str:
        """The key in lower case, as AWS compares it."""
        return self.key.text.lower()

    @property
    def asks_for_key(self) -> bool:
        """Whether it is `Null: false`, which only requests with the key pass."""
        if self.operator.base != "null":
            return False
        return all(value.text.lower() == "false" for value in self.values)


class Statement(Struct, frozen=True, dict=True):
    effect: Effect
    actions: tuple[Pattern, ...]
    resources: tuple[Pattern, ...]
    principals: tuple[PrincipalPattern, ...]
    conditions: tuple[Condition, ...]
    span: Span
    index: int
    sid: str | None = None
    is_not_action: bool = False
    is_not_resource: bool = False
    is_not_principal: bool = False
    has_resource: bool = True
    has_principal: bool = False
    is_effect_known: bool = True
    assumptions: Assumptions = ()
    key_spans: dict[str, Span] = field(default_factory=dict)
    """Places of the element names as written (`Action`, `NotResource`, …)."""

    def __hash__(self) -> int:
        return hash((self.span, self.index, self.assumptions))

    @property
    def is_allow(self) -> bool:
        return self.effect is Effect.ALLOW

    @functools.cached_property
    def sure_actions(self) -> tuple[str, ...]:
        """The action patterns that are there whatever is not known, as text."""
        return tuple(p.text for p in self.actions if p.is_known and not p.assumptions)

    @functools.cached_property
    def possible_actions(self) -> tuple[str, ...]:
        """All action patterns as text, with holes as anything: `s3:*` for `s3:${var.verb}`."""
        if len(self.sure_actions) == len(self.actions):
            return self.sure_actions
        return tuple(map(_with_holes_open, self.actions))

    def span_of(self, element: str) -> Span:
        """The place of an element's name; the statement where it is not written."""
        return self.key_spans.get(element, self.span)


def _with_holes_open(action: Pattern) -> str:
    if action.is_known:
        return action.text
    text = "".join(part if isinstance(part, str) else "*" for part in action.parts)
    return text if ":" in text or not text.strip("*") else f"{text}:*"


class GrammarProblem(Struct, frozen=True):
    """Something AWS would refuse or ignore, and where."""

    message: str
    span: Span


class Document(Struct, frozen=True):
    statements: tuple[Statement, ...]
    span: Span
    version: str = "2008-10-17"
    resolution: Resolution = Resolution.FULL
    holes: tuple[Unknown, ...] = ()
    problems: tuple[GrammarProblem, ...] = ()
    value: Value | None = None
    """The document as it was evaluated, for reports."""
    lost: tuple[Unknown, ...] = ()
    """Holes that stand for whole statements, or for the whole document."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self._judged() == other._judged()

    def __hash__(self) -> int:
        return hash(self._judged())

    def _judged(self) -> tuple[object, ...]:
        """Everything but `value`: to compare that would work out what nobody asks for."""
        says = (self.statements, self.span, self.version, self.resolution)
        return (*says, self.holes, self.problems, self.lost)

    @property
    def has_policy_variables(self) -> bool:
        """`${aws:username}` is a variable only in version 2012-10-17."""
        return self.version == "2012-10-17"
