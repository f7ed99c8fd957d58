"""The base of every rule: one class, one file, its documentation page as the docstring.

A rule sees the graph and policy documents, never a file or a language. It implements one or
more of the `check_…` methods and yields findings made with `self.finding`.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, ClassVar

from iam_preflight.findings import Confidence, Finding, Fix, Framework, Persona, Place, Severity
from iam_preflight.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.document import Statement
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

PRACTICES = {
    1: "Roles instead of users and keys",
    2: "Least privilege",
    3: "Segmentation",
    4: "Multi-factor authentication",
    5: "Permissions boundaries",
    6: "Audit and monitoring",
    7: "External access",
    8: "Wildcards and conditions",
    9: "Tags",
    10: "Credential hygiene",
    11: "Federation",
}
"""The ten practices, and federation."""

SECTIONS = ("What it checks", "Why it matters", "How to fix")
_ID = re.compile(r"[A-Z][A-Z0-9]*-\d{3}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class RuleDefinitionError(TypeError):
    """A rule class lacks something that every rule must have."""


class Rule:
    """One practice, checked. Subclasses set the attributes and write the page as docstring."""

    id: ClassVar[str]
    """`LEAST-001`: stable, never used again for something else."""
    name: ClassVar[str]
    """Names the flaw: `pass-role-to-any-role`."""
    severity: ClassVar[Severity]
    practice: ClassVar[int]
    """Which of the ten practices it guards (11 is federation)."""
    confidence: ClassVar[Confidence] = Confidence.HIGH
    persona: ClassVar[Persona] = Persona.REGULAR
    since: ClassVar[str] = "0.1"
    is_preview: ClassVar[bool] = False
    reads: ClassVar[tuple[str, ...]] = ()
    """Resource types it needs beyond those that carry policies, principals and roles."""
    judges_records: ClassVar[bool] = False
    """Whether it is also about what an account already holds, beside what the code will make."""
    judges_elsewhere: ClassVar[bool] = False
    """Whether it is also about principals that the code gives policies to and does not make."""
    yields_to: ClassVar[tuple[str, ...]] = ()
    """Rules that say it all: on the same cause this one is only mentioned under `also`."""
    yields_when_milder_to: ClassVar[tuple[str, ...]] = ()
    """Rules that say enough of what is milder: of a gain that the code holds no target for."""
    compliance: ClassVar[Mapping[Framework, tuple[str, ...]]] = {}
    equivalents: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Ids of the same check in other tools, for people who migrate."""
    aliases: ClassVar[tuple[str, ...]] = ()
    references: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        super().__init_subclass__()
        if abstract:
            return
        for attribute in ("id", "name", "severity", "practice"):
            if not hasattr(cls, attribute):
                raise RuleDefinitionError(f"{cls.__name__}: {attribute} is not set")
        if not _ID.fullmatch(cls.id):
            raise RuleDefinitionError(f"{cls.__name__}: {cls.id!r} is not like LEAST-001")
        if not _NAME.fullmatch(cls.name):
            raise RuleDefinitionError(f"{cls.id}: {cls.name!r} is not kebab-case")
        page = cls.__doc__ or ""
        missing = [section for section in SECTIONS if f"## {section}" not in page]
        if missing:
            raise RuleDefinitionError(f"{cls.id}: the docstring lacks {', '.join(missing)}")

    # ---- what a rule implements

    def check_statement(
        self, statement: Statement, policy: Policy, graph: Graph
    ) -> Iterator[Finding]:
        """Called for every statement of every policy document, whatever its use."""
        raise NotImplementedError

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        """Called for every policy document."""
        raise NotImplementedError

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        """Called for every role, user, group and permission set."""
        raise NotImplementedError

    def check_resource(self, resource: Resource, graph: Graph) -> Iterator[Finding]:
        """Called for every resource of the types in `reads`."""
        raise NotImplementedError

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        """Called once."""
        raise NotImplementedError

    @classmethod
    def implements(cls, method: str) -> bool:
        return getattr(cls, method) is not getattr(Rule, method)

    # ---- what a rule makes

    def finding(
        self,
        message: str,
        *,
        on: Policy | Principal | Resource,
        at: Span,
        label: str = "",
        severity: Severity | None = None,
        confidence: Confidence | None = None,
        persona: Persona | None = None,
        related: Iterable[tuple[Span, str]] = (),
        steps: Sequence[Place] = (),
        hint: str = "",
        evidence: str = "",
        causes: Iterable[Span] = (),
        assumptions: Assumptions = (),
        principal: Principal | None = None,
        fix: Fix | None = None,
    ) -> Finding:
        """A finding of this rule; what is not given comes from the class or from `on`.

        Assumptions cap the confidence at medium: it holds under the conditions they name.
        """
        subject = principal if principal is not None else on
        resource = on if isinstance(on, Resource) else on.resource_at(at)
        confidence = self.confidence if confidence is None else confidence
        given = (*resource.assumptions, *assumptions)
        if given:
            confidence = min(confidence, Confidence.MEDIUM)
        return Finding(
            rule=self.id,
            severity=self.severity if severity is None else severity,
            confidence=confidence,
            persona=self.persona if persona is None else persona,
            message=message,
            primary=Place(at, label),
            resource=resource,
            related=tuple(Place(span, text) for span, text in related),
            hint=hint,
            principal=resource_address(subject),
            addresses=(resource.address,),
            evidence=evidence or at.text,
            causes=tuple(causes) or (at,),
            assumptions=tuple(dict.fromkeys(given)),
            steps=tuple(steps),
            fix=fix,
        )

    # ---- its name and page

    @classmethod
    def family(cls) -> str:
        """The first part of the id, which rules about the same matter have in common."""
        return cls.id.partition("-")[0]

    @classmethod
    def title(cls) -> str:
        """The first line of the page, without its full stop."""
        return (cls.__doc__ or "").lstrip().split("\n", 1)[0].rstrip(".")

    @classmethod
    def page(cls) -> str:
        """The rule's documentation page in Markdown."""
        return inspect.getdoc(cls) or ""


def resource_address(subject: Policy | Principal | Resource) -> str:
    """The address of a principal; empty for anything else."""
    return subject.address if hasattr(subject, "trust") else ""
