"""Rules as YAML: a matcher over statements of policies, and what to say where it matches.

```yaml
rules:
  - id: ACME-001
    name: foreign-pass-role
    title: A role outside of /apps/ may be passed
    severity: high
    practice: 2
    checks: Identity policies that allow iam:PassRole beyond the path /apps/.
    matters: Whoever passes a role to a service uses its permissions.
    fix: Name the roles below /apps/.
    message: "{holder} may pass {resource}"
    match:
      actions: [iam:PassRole]
    unless:
      resources: {written: ["arn:*:iam::*:role/apps/*"]}
```

Everything in one matcher must hold; of a list of matchers, any one. Answers are yes, maybe and no:
where an unknown value decides, the finding has low confidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Statement

SeverityName = Literal["info", "low", "medium", "high", "critical"]
UseName = Literal[
    "identity",
    "trust",
    "resource",
    "boundary",
    "scp",
    "rcp",
    "session",
    "endpoint",
    "unattached",
]
OwnerName = Literal["own", "organization", "trusted", "external", "anyone", "unknown"]
Glob = Annotated[str, Meta(description="Text with `*` and `?` as wildcards.")]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a rule; unknown keys are errors."""


class ActionMatch(Part, frozen=True):
    """What the actions of a statement are asked. A list stands for `grants`."""

    grants: tuple[Glob, ...] = ()
    """The statement covers one of these actions, or one that such a pattern covers."""
    covers: tuple[Glob, ...] = ()
    """One of the statement's own patterns covers all that one of these covers."""
    written: tuple[Glob, ...] = ()
    """An action is written like this: `iam:*` finds `iam:*`, not `*`."""


class ResourceMatch(Part, frozen=True):
    """What the resources of a statement are asked. A list stands for `reaches`."""

    reaches: tuple[Glob, ...] = ()
    """The statement covers something that one of these patterns covers, too."""
    covers: tuple[Glob, ...] = ()
    """The statement covers all that one of these patterns covers."""
    written: tuple[Glob, ...] = ()
    """A resource is written like this."""


class PrincipalMatch(Part, frozen=True):
    """What the principals of a trust or resource policy are asked. A list stands for `written`."""

    kinds: tuple[Literal["AWS", "Service", "Federated", "CanonicalUser", "*"], ...] = ()
    """Their type, as the policy writes it."""
    owned_by: tuple[OwnerName, ...] = ()
    """Whose account an AWS principal is in."""
    written: tuple[Glob, ...] = ()
    """A principal is written like this."""


class ConditionMatch(Part, frozen=True):
    """What the conditions of a statement are asked; key names may have wildcards."""

    requires: tuple[Glob, ...] = ()
    """Each of these keys must have one of some values for the statement to hold."""
    lacks: tuple[Glob, ...] = ()
    """None of these keys is required to have any value."""
    mentions: tuple[Glob, ...] = ()
    """One of these keys occurs, in whatever condition."""


class HolderMatch(Part, frozen=True):
    """What those who hold the policy are asked; one of them must fit in everything."""

    kinds: tuple[Literal["role", "user", "group", "permission_set"], ...] = ()
    names: tuple[Glob, ...] = ()
    paths: tuple[Glob, ...] = ()
    """The IAM path, such as `/apps/*`."""
    environments: tuple[str, ...] = ()
    """As the settings name them."""


class Matcher(Part, frozen=True):
    """A question about one statement: everything that is given must hold."""

    effect: Literal["Allow", "Deny"] = "Allow"
    use: tuple[UseName, ...] = ("identity",)
    """What the policy is for."""
    actions: ActionMatch | tuple[Glob, ...] | None = None
    resources: ResourceMatch | tuple[Glob, ...] | None = None
    principals: PrincipalMatch | tuple[Glob, ...] | None = None
    conditions: ConditionMatch | None = None
    holder: HolderMatch | None = None


class DeclaredRule(Part, frozen=True):
    """One rule."""

    id: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9]*-\d{3}$")]
    """Your own family and a number: `ACME-001`. It must not be taken."""
    name: Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """Names the flaw; reads well after "allow"."""
    title: str
    """What is wrong, in one line."""
    severity: SeverityName
    practice: Annotated[int, Meta(ge=1, le=11)]
    """Which of the practices it guards."""
    checks: str
    """What it checks, for its page."""
    matters: str
    """Why it matters, for its page."""
    fix: str
    """How to fix it, for its page."""
    message: str
    """What is granted to whom. `{holder}`, `{policy}`, `{action}`, `{resource}` and
    `{principal}` stand for what was matched."""
    match: Matcher | tuple[Matcher, ...]
    """The statement to find: one matcher, or several of which one must match."""
    unless: Matcher | tuple[Matcher, ...] | None = None
    """What excuses a statement, in the same form; `effect` and `use` are those of `match`."""
    hint: str = ""
    """The smallest edit that cures it."""
    persona: Literal["regular", "pedantic", "auditor"] = "regular"
    references: tuple[str, ...] = ()
    compliance: dict[str, tuple[str, ...]] = {}
    """Controls by framework: CIS, NIST, ISO, FSBP or WELL_ARCHITECTED."""
    yields_to: tuple[str, ...] = ()
    """Rules that say it all on the same statement."""


class RuleFile(Part, frozen=True):
    """A file of rules."""

    rules: tuple[DeclaredRule, ...]


class StatementRule(Rule, abstract=True):
    """A rule whose check is a declaration."""

    declared: ClassVar[DeclaredRule]

    def check_statement(
        self, statement: Statement, policy: Policy, graph: Graph
    ) -> Iterator[Finding]:
        from iam_preflight.policy.match import Truth
        from iam_preflight.statement_matching import judge

        verdict = judge(self.declared, statement, policy, graph)
        if verdict.truth is Truth.NO:
            return
        principal = verdict.holder
        yield self.finding(
            _filled(self.declared.message, verdict.names),
            on=policy if principal is None else principal,
            at=verdict.place,
            confidence=Confidence.HIGH if verdict.truth is Truth.YES else Confidence.LOW,
            related=verdict.related,
            hint=self.declared.hint,
            causes=(statement.span,),
            assumptions=verdict.assumptions,
        )


def _filled(message: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        message = message.replace(f"{{{name}}}", value)
    return message


def rule_class(declared: DeclaredRule, origin: str) -> type[StatementRule]:
    """The class of a declared rule; `origin` is where it is written."""
    page = (
        f"{declared.title.rstrip('.')}.\n\n## What it checks\n{declared.checks.strip()}\n\n"
        f"## Why it matters\n{declared.matters.strip()}\n\n## How to fix\n{declared.fix.strip()}\n"
    )
    name = "".join(word.capitalize() for word in declared.name.split("-"))
    attributes = {
        "__doc__": page,
        "__module__": origin,
        "declared": declared,
        "id": declared.id,
        "name": declared.name,
        "severity": Severity[declared.severity.upper()],
        "practice": declared.practice,
        "persona": Persona[declared.persona.upper()],
        "references": declared.references,
        "compliance": {Framework[key.upper()]: ids for key, ids in declared.compliance.items()},
        "yields_to": declared.yields_to,
    }
    return type(name, (StatementRule,), attributes)
