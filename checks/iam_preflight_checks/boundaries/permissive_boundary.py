from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.model import Origin
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.policy.effective import admin_probes
from iam_preflight.policy.scope import Strength
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.policy.openness import Opening

PASSED_ON = ("iam:PassRole", "iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole")
"""Change nobody's permissions by themselves."""

ELSEWHERE = ("organizations:*", "sso:*", "sts:AssumeRole")
"""Reaches other accounts, where something there lets it."""

MAX_NAMES = 3


class PermissiveBoundary(Rule):
    """A permissions boundary leaves what it is there to prevent.

    ## What it checks
    A policy that is the permissions boundary of a role, user or permission set, or that policies
    ask for with `iam:PermissionsBoundary`: what its Allow statements let through on everything,
    less what it denies. Critical when that is everything, as with `AdministratorAccess`. High when
    it changes identities with IAM. Medium when it administers keys, as with `PowerUserAccess`.

    With the persona *pedantic*: it manages AWS Organizations or IAM Identity Center, or assumes
    any role.

    `Allow *` with a Deny of all these is the usual shape and fine. So are IAM actions that ask for
    the boundary themselves, or that are limited to a path, and using keys.

    ## Why it matters
    A boundary is the last limit of those who may write their own policies. Whoever may still change
    IAM inside it can make a role that has no boundary at all.

    ## How to fix
    Deny `iam:*`, the administration of keys, `organizations:*`, `sso:*` and `sts:AssumeRole` inside
    the boundary, or list what the applications need.

    ## Example
    ```json
    { "Effect": "Deny",
      "Action": ["iam:*", "kms:*", "organizations:*", "account:*", "sso:*"],
      "Resource": "*" }
    ```
    """

    id = "BOUND-003"
    name = "permissive-boundary"
    severity = Severity.HIGH
    practice = 5
    compliance = {
        Framework.NIST: ("AC-6(1)", "AC-6(10)"),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP05",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
        "https://docs.aws.amazon.com/prescriptive-guidance/latest/transitioning-to-multiple-aws-accounts/permissions-boundaries.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if policy.is_boundary and not policy.document.lost:
            left, severity = _left(policy, graph)
            if left:
                yield self._leaves(policy, left, severity, graph)

    def check_principal(self, principal: Principal, graph: Graph) -> Iterator[Finding]:
        """A boundary of AWS's own cannot be changed: the principal needs another one."""
        boundary = principal.boundary
        if boundary is None or boundary.policy is None:
            return
        if boundary.policy.origin is not Origin.AWS_MANAGED or boundary.policy.document.lost:
            return
        left, severity = _left(boundary.policy, graph)
        if left:
            yield self.finding(
                f"{principal.label} has {boundary.policy.name} as boundary, which leaves "
                f"{_named(left, severity)}",
                on=principal,
                at=boundary.place,
                severity=severity,
                persona=_persona(severity),
                hint=f"use a boundary of your own that denies {_services(left)}",
            )

    def _leaves(self, policy: Policy, left: ActionSet, severity: Severity, graph: Graph) -> Finding:
        openings = graph.exposures.openings.of(policy.document)
        first = max(openings, key=lambda opening: len(opening.open & left))
        patterns = first.action_patterns(left)
        place = patterns[0].span if patterns else first.statement.span_of("NotAction")
        bound = [p.boundary.place for p in policy.bounds if p.boundary is not None]
        return self.finding(
            f"boundary {policy.name or policy.address} leaves {_named(left, severity)} to those "
            "it bounds",
            on=policy,
            at=place,
            severity=severity,
            persona=_persona(severity),
            confidence=Confidence.HIGH if left & first.sure else Confidence.LOW,
            related=[(span, "bounds this") for span in bound[:MAX_NAMES]],
            hint=f"deny {_services(left)} inside it",
            assumptions=first.assumptions(next(iter(patterns), None)),
        )


def _left(policy: Policy, graph: Graph) -> tuple[ActionSet, Severity]:
    """What a boundary leaves open of what it is there to prevent, and how bad that is."""
    catalog = graph.permissions.evaluator.catalog
    classes = catalog.classes
    identities = classes[ActionClass.IDENTITY] - classes[ActionClass.COMMONPLACE]
    asked = (
        identities | classes[ActionClass.KEY_ADMINISTRATION] | catalog.expand_all(admin_probes())
    )
    opened = catalog.nothing
    for opening in graph.exposures.openings.of(policy.document):
        opened |= _unlimited(opening, asked)
    identity = opened & identities
    iam = identity & catalog.expand("iam:*") - catalog.expand_all(PASSED_ON)
    keys = opened & classes[ActionClass.KEY_ADMINISTRATION]
    if all(probe in opened for probe in admin_probes()):
        return iam, Severity.CRITICAL
    if iam:
        return iam, Severity.HIGH
    if keys:
        return keys, Severity.MEDIUM
    return identity & catalog.expand_all(ELSEWHERE), Severity.LOW


def _unlimited(opening: Opening, asked: ActionSet) -> ActionSet:
    """Which of some actions a statement leaves open, what a Deny spares a few requests told."""
    opened = opening.open & asked
    if not opening.is_conditional:
        return opened
    free = (action for action in opened if opening.strength(action) <= Strength.CONTEXT)
    return opening.catalog.expand_all(tuple(free))


def _persona(severity: Severity) -> Persona:
    return Persona.PEDANTIC if severity is Severity.LOW else Persona.REGULAR


def _named(left: ActionSet, severity: Severity) -> str:
    if severity is Severity.CRITICAL:
        return "everything"
    probes = admin_probes()
    names = sorted(left, key=lambda name: (name not in probes, name))
    rest = len(names) - MAX_NAMES
    first = ", ".join(names[:MAX_NAMES])
    return f"{first} and {rest} more" if rest > 0 else first


def _services(actions: ActionSet) -> str:
    return ", ".join(f"{service}:*" for service in actions.services[:MAX_NAMES])
