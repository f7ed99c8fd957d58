"""What a request carries besides its action and resource, as far as anybody knows.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from iam_preflight.policy.globs import Symbol, Wildcards, tokenize
from iam_preflight.values import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import Pattern
    from iam_preflight.values import Unknown


class Presence(Enum):
    """Whether a key is in the request, where its value is not known."""

    ABSENT = "absent"
    PRESENT = "present"
    UNKNOWN = "unknown"


Values: TypeAlias = "tuple[Tokens, ...]"

ContextValue: TypeAlias = "str | Pattern | Iterable[str] | Iterable[Tokens] | Presence"
"""A value, several values of a key that has several, or whether the key is there at all."""


class Context:
    """The keys of a request; immutable, and best made once and asked often.

    `rest` is what is so for every other key: `UNKNOWN` before deploy, `ABSENT` for a request
    that is known to the last key.
    """

    __slots__ = ("_keys", "rest")

    def __init__(
        self,
        known: Mapping[str, ContextValue] | None = None,
        rest: Presence = Presence.UNKNOWN,
    ) -> None:
        self._keys: dict[str, Values | Presence] = {
            key.lower(): _values(value) for key, value in (known or {}).items()
        }
        self.rest = rest

    def get(self, key: str) -> Values | Presence:
        """The values of a key, given in lower case, or what is known of its presence."""
        return self._keys.get(key, self.rest)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def with_keys(self, more: Mapping[str, ContextValue]) -> Context:
        """The same context and more keys; what was known before stays."""
        if not more:
            return self
        joined = Context(more, self.rest)
        joined._keys.update(self._keys)
        return joined

    def says_as(self, other: Context) -> bool:
        """Whether both say the same of every key; contexts are told apart by identity."""
        return self._keys == other._keys and self.rest is other.rest

    def __repr__(self) -> str:
        shown = {
            key: value.value if isinstance(value, Presence) else ["".join(v) for v in value]
            for key, value in self._keys.items()
        }
        return f"Context({shown}, rest={self.rest.value})"


def _values(value: ContextValue) -> Values | Presence:
    if isinstance(value, Presence):
        return value
    if isinstance(value, str):
        return (tuple(value),)
    parts = getattr(value, "parts", None)
    if parts is not None:
        return (pattern_text(parts),)
    return tuple(tuple(item) for item in value)  # type: ignore[union-attr]  # no pattern any more


def pattern_text(parts: Iterable[str | Unknown]) -> Tokens:
    """Text with holes as tokens, in which nothing is a wildcard."""
    return tokenize(texts_of(parts), Wildcards.NONE)


def texts_of(parts: Iterable[str | Unknown]) -> tuple[str, ...]:
    """The parts of a pattern with each hole as its symbol, for `tokenize`."""
    return tuple(part if isinstance(part, str) else symbol_of(part) for part in parts)


def symbol_of(hole: Unknown) -> str:
    """What stands for a hole: the commercial partition, or a symbol of its own.

    The account and region that are deployed to are the same wherever they are asked for.
    """
    match hole.reason:
        case Reason.PARTITION:
            return "aws"
        case Reason.ACCOUNT | Reason.REGION:
            return Symbol(f"«{hole.reason.name}»")
        case _:
            return Symbol(f"«{hole.origin or hole.reference or hole.label}»")


UNKNOWN_CONTEXT = Context()
"""Nothing is known about the request."""
