"""The kinds of values, and entries that are worked out when somebody asks for them."""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from decimal import Decimal

    from iam_preflight.source import Span

Scalar: TypeAlias = "str | bool | int | float | Decimal | None"

MASK = "«sensitive»"
"""What people see of a value that is known to be sensitive."""


class Reason(Enum):
    """Why a value is not known. The text goes into reports after the name of the thing."""

    VARIABLE = "variable has no value"
    PARAMETER = "parameter has no value"
    COMPUTED = "known after apply"
    DATA = "read from AWS at plan time"
    REMOTE = "value of another stack or state"
    MODULE = "module is not installed"
    ACCOUNT = "account that is deployed to"
    REGION = "region that is deployed to"
    PARTITION = "partition that is deployed to"
    EACH = "for_each over an unknown collection"
    REPEATED = "repeated for each of an unknown collection"
    FUNCTION = "function of an unknown value"
    UNSUPPORTED = "not evaluated"
    CYCLE = "refers to itself"
    MISSING = "refers to something that does not exist"
    LIMIT = "too large to evaluate"
    ERROR = "expression is in error"
    SECRET = "dynamic reference to a secret"  # noqa: S105


class Reference(Struct, frozen=True, gc=False):
    """An attribute of a node of the graph: `aws_iam_role.ci` and `arn`."""

    address: str
    attribute: str
    deployment: str = ""
    """The path of the root or stack it is in, where that is not the reader's own."""

    def __str__(self) -> str:
        return f"{self.address}.{self.attribute}" if self.attribute else self.address


class Assumption(Struct, frozen=True, gc=False):
    """What is taken for granted where nobody can decide here.

    `holds` is one side of a condition (`IsProd` is true), or one value of a thing that may have
    several (`var.env` is `"prod"`).
    """

    subject: str
    holds: bool | str

    def __str__(self) -> str:
        match self.holds:
            case True:
                return self.subject
            case False:
                return f"not ({self.subject})"
            case text:
                return f'{self.subject} = "{text}"'


Assumptions: TypeAlias = tuple[Assumption, ...]


class Fragment(Struct, frozen=True, gc=False):
    """Known text and where it was written."""

    text: str
    span: Span
    sensitive: bool = False


class Known(Struct, frozen=True, gc=False):
    value: Scalar
    span: Span
    fragments: tuple[Fragment, ...] = ()
    """Where the pieces of a composed string come from; empty for a plain one."""
    reference: Reference | None = None
    sensitive: bool = False


class Absent(Known, frozen=True, gc=False):
    """The arm of a `Choice` inside a collection in which the item or entry is not there.

    It is a null to whoever does not care for the difference.
    """


class Unknown(Struct, frozen=True, gc=False):
    reason: Reason
    label: str
    """What stands there: `var.bucket`, `data.aws_caller_identity.current.account_id`."""
    span: Span
    reference: Reference | None = None
    sensitive: bool = False
    carries: tuple[Reference, ...] = ()
    """Attributes that can be read back out of it, although it is not their text: `base64encode`."""
    is_name: bool = False
    """It is what something in AWS is called, in which no wildcard can be."""
    origin: str = ""
    """What its value is called wherever it is written, also as an attribute: `var.bucket`."""

    @property
    def explanation(self) -> str:
        return f"{self.label}: {self.reason.value}"


class Text(Struct, frozen=True, gc=False):
    parts: tuple[Fragment | Unknown, ...]
    span: Span
    reference: Reference | None = None
    """The attribute whose text this is, when the whole text is one attribute."""
    sensitive: bool = False


class Listing(Struct, frozen=True):
    items: tuple[Value, ...]
    span: Span
    rest: Value | None = None
    is_set: bool = False
    is_list: bool = False
    """Terraform's list of items of one type; neither this nor `is_set` is a tuple."""
    sensitive: bool = False
    weight: int = 1
    """How many leaves it has when it is written out in full, as far as they were counted."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Listing) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[object, ...]:
        """Everything but the weight: the same list may have been counted less far."""
        kind = (self.is_set, self.is_list, self.sensitive)
        return (self.items, self.span, self.rest, kind)


class Mapping(Struct, frozen=True):
    entries: MappingABC[str, Value]
    span: Span
    key_spans: dict[str, Span] | None = None
    rest: Value | None = None
    reference: Reference | None = None
    is_map: bool = False
    """Terraform's map of entries of one type, as opposed to an object."""
    sensitive: bool = False
    weight: int = 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[object, ...]:
        """Everything but the weight, as with `Listing`."""
        kind = (self.is_map, self.sensitive)
        return (self.entries, self.span, self.key_spans, self.rest, self.reference, kind)

    def get(self, key: str) -> Value | None:
        return self.entries.get(key)

    def key_span(self, key: str) -> Span:
        if self.key_spans and key in self.key_spans:
            return self.key_spans[key]
        return self.entries[key].span


class Choice(Struct, frozen=True):
    arms: tuple[tuple[Assumptions, Value], ...]
    span: Span


class Json(Struct, frozen=True):
    value: Value
    span: Span
    reference: Reference | None = None


Value: TypeAlias = "Known | Text | Unknown | Listing | Mapping | Choice | Json"


def already(value: Value) -> Callable[[], Value]:
    """An entry for `LazyEntries` that needs no working out."""
    return lambda: value


class LazyEntries(MappingABC[str, Value]):
    """Entries that are worked out when somebody asks for them, once each.

    An entry that asks for itself while it is being worked out raises `CycleError`, which the
    evaluator turns into a hole.
    """

    __slots__ = ("_pending", "_values")

    def __init__(self, pending: MappingABC[str, Any]) -> None:
        """`pending` is not changed: several may have it in common."""
        self._pending = pending
        self._values: dict[str, Value | None] = {}
        """None for what is being worked out."""

    def __getitem__(self, key: str) -> Value:
        value = self._values.get(key)
        if value is not None:
            return value
        if key in self._values:
            raise CycleError(key)
        pending = self._pending[key]
        self._values[key] = None
        try:
            value = self._worked_out(pending)
        except BaseException:
            del self._values[key]
            raise
        self._values[key] = value
        return value

    def _worked_out(self, pending: Any) -> Value:
        """The value of an entry: of what is called for it, unless there is a shorter way."""
        value: Value = pending()
        return value

    def get(  # type: ignore[override]
        self, key: str, default: Value | None = None
    ) -> Value | None:
        # asked for far more often than there: without the exception that `Mapping` catches
        return self[key] if key in self._pending else default

    def renewed(self, pending: dict[str, Callable[[], Value]], kept: set[str]) -> LazyEntries:
        """Other entries, with what was worked out of those that are still the same."""
        entries = LazyEntries(pending)
        for key in kept & self._values.keys():
            if self._values[key] is not None:
                entries._values[key] = self._values[key]
        return entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._pending)

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, key: object) -> bool:
        return key in self._pending


class CycleError(Exception):
    """A value was asked for while it was being worked out."""


def is_null(value: Value | None) -> bool:
    return value is None or (isinstance(value, Known) and value.value is None)
