"""What a rule found: one root cause, its places, how bad, how sure, and the smallest edit."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class Severity(IntEnum):
    """How bad it is if it is true."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()

    def lowered(self, steps: int = 1) -> Severity:
        return Severity(max(self - steps, Severity.INFO))

    def raised(self, steps: int = 1) -> Severity:
        return Severity(min(self + steps, Severity.CRITICAL))


class Confidence(IntEnum):
    """How sure it is: proved; true under a named condition; or an unknown decides."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    def __str__(self) -> str:
        return self.name.lower()


class Persona(IntEnum):
    """Who wants to see it: everybody; those who want hygiene; those who want all."""

    REGULAR = 0
    PEDANTIC = 1
    AUDITOR = 2

    def __str__(self) -> str:
        return self.name.lower()


class Framework(Enum):
    """Compliance frameworks that rules refer to."""

    CIS = "CIS AWS Foundations"
    NIST = "NIST SP 800-53"
    ISO = "ISO/IEC 27001"
    FSBP = "AWS Foundational Security Best Practices"
    WELL_ARCHITECTED = "AWS Well-Architected"


class Place(Struct, frozen=True):
    """Somewhere in a file, with what there is to see there."""

    span: Span
    label: str = ""

    def sort_key(self) -> tuple[str, int, int]:
        return self.span.sort_key()


class Edit(Struct, frozen=True):
    """Replace the text of a span; an empty span inserts."""

    span: Span
    replacement: str


class Fix(Struct, frozen=True):
    """A change that is safe to make without asking: what it does, and the edits."""

    description: str
    edits: tuple[Edit, ...]


class Finding(Struct, frozen=True):
    rule: str
    severity: Severity
    confidence: Confidence
    persona: Persona
    message: str
    """Lower case, no full stop: what is granted to whom."""
    primary: Place
    resource: Resource
    related: tuple[Place, ...] = ()
    hint: str = ""
    """The smallest edit that cures it."""
    principal: str = ""
    """Address of the principal that it is about, where there is one."""
    addresses: tuple[str, ...] = ()
    """Every instance of the resource that it holds for; the first is `resource`."""
    evidence: str = ""
    """What identifies it when lines move: normalised text of the offending element."""
    causes: tuple[Span, ...] = ()
    """The statements (or blocks) that make it true."""
    also: tuple[str, ...] = ()
    """Ids of other rules that the same cause breaks."""
    assumptions: Assumptions = ()
    steps: tuple[Place, ...] = ()
    """The hops of a path, in order."""
    fix: Fix | None = None

    @property
    def address(self) -> str:
        return self.resource.address

    def sort_key(self) -> tuple[int, str, int, str, str]:
        """Worst first, then by place."""
        path, start, _ = self.primary.sort_key()
        return (-self.severity, path, start, self.rule, self.message)
