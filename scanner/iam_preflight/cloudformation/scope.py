"""What an expression can refer to, and what is assumed where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from iam_preflight.values import Assumption, Assumptions, Mapping, Value

if TYPE_CHECKING:
    from iam_preflight.cloudformation.conditions import Formula, Possibilities
    from iam_preflight.source import Span
    from iam_preflight.timing import Stopwatch

MAX_LABEL = 80


class Frame(Protocol):
    """What a template can refer to: one stack."""

    watch: Stopwatch

    @property
    def possibilities(self) -> Possibilities: ...

    def ref(self, name: str, span: Span, scope: Scope) -> Value:
        """A parameter, pseudo-parameter or resource."""

    def get_att(self, name: str, attribute: str, span: Span) -> Value:
        """An attribute of a resource, or an output of a nested stack."""

    def condition(self, name: str, span: Span) -> Formula:
        """What a condition of the template says."""

    def outcome(self, name: str, span: Span) -> Assumption | bool:
        """The same as an assumption that it holds; a boolean where it is decided."""

    def mapping(self, name: str) -> Mapping | None:
        """One map of the Mappings section."""

    def import_value(self, name: Value, span: Span) -> Value:
        """What another stack exports under a name."""

    def include(self, location: Value) -> Value | None:
        """The content of an included file, raw; None when it is not here."""

    def note(self, message: str, span: Span, *, is_limit: bool = False) -> None:
        """Notes an expression that AWS would refuse, or a bound that was reached."""


class Scope(Struct, frozen=True):
    """A stack, what is assumed on the way here, and the names that loops bind."""

    frame: Frame
    given: Assumptions = ()
    bindings: dict[str, Value] = field(default_factory=dict)
    is_strict: bool = False
    """Whether a parameter that was not given is a hole, whatever its default."""
    depth: int = 0
    """How many references have been followed to get here."""

    def assume(self, *more: Assumption) -> Scope:
        return replace(self, given=(*self.given, *more))

    def bind(self, name: str, value: Value) -> Scope:
        return replace(self, bindings={**self.bindings, name: value})

    def can_hold(self, assumptions: Assumptions) -> bool:
        """Whether the assumptions go together with one another and with what is given."""
        if not assumptions:
            return True
        facts = [(a.subject, a.holds) for a in (*self.given, *assumptions)]
        return self.frame.possibilities.can_hold(*facts)


def label_of(value: Value) -> str:
    """A raw value as people would name it: what is written, on one line, cut short."""
    span = value.span
    text = " ".join(
        span.source.data[span.start : min(span.end, span.start + 400)]
        .decode("utf-8", "replace")
        .split()
    )
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


def function_of(value: Value | None) -> tuple[str, Value] | None:
    """The name and argument of an intrinsic function; None when the value is something else."""
    if isinstance(value, Mapping) and len(value.entries) == 1:
        (name,) = value.entries
        if name == "Ref" or name.startswith("Fn::"):
            return name, value.entries[name]
    return None
