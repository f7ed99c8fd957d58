from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.model import Origin
from iam_preflight.knowledge.catalog import ActionClass
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.effective import admin_probes
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.openness import Opening

PASSED_ON = ("iam:PassRole", "iam:CreateServiceLinkedRole")
"""Change nobody's permissions by themselves."""

SESSIONS = ("sts:TagSession", "sts:SetSourceIdentity")
MAX_NAMES = 3


class PermissiveBoundary(Rule):
    """A permissions boundary leaves what it is there to prevent.

    ## What it checks
    A policy that is the permissions boundary of a role, user or permission set, or that policies
    ask for with `iam:PermissionsBoundary`: what its Allow statements let through on everything,
    less what it denies. Critical when that is everything, as with `AdministratorAccess`. High when
    it changes identities with IAM. Medium when it administers keys, organizations, IAM Identity
    Center or accounts, or assumes any role, as with `PowerUserAccess`.

    `Allow *` with a Deny of all these is the usual shape and fine. So are IAM actions that ask for
    the boundary themselves, or that are limited to a path, and using keys.

    ## Why it matters
    A boundary is the last limit of those who may write their own policies. Whoever may still change
    IAM inside it can make a role that has no boundary at all.

    ## How to fix
    Deny `iam:*`, the administration of keys, `organizations:*`, `account:*` and `sts:AssumeRole`
    inside the boundary, or list what the applications need.

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
        is_boundary = policy.is_boundary or policy.use is DocumentUse.BOUNDARY
        if not is_boundary or policy.document.lost:
            return
        openings = graph.exposures.openings.of(policy.document)
        catalog = graph.permissions.evaluator.catalog
        opened = catalog.nothing
        for opening in openings:
            opened |= opening.open
        left = opened & _watched(catalog)
        if not left:
            return
        severity = Severity.MEDIUM
        if all(probe in opened for probe in admin_probes()):
            severity = Severity.CRITICAL
        elif grave := left & catalog.expand("iam:*") - catalog.expand_all(PASSED_ON):
            severity = Severity.HIGH
            left = grave
        if policy.origin is Origin.AWS_MANAGED:
            yield from self._aws_managed(policy, left, severity)
        else:
            yield self._leaves(policy, openings, left, severity)

    def _aws_managed(
        self, policy: Policy, left: ActionSet, severity: Severity
    ) -> Iterator[Finding]:
        """Its text cannot be changed: each principal needs another boundary."""
        for principal in policy.bounds:
            if principal.boundary is not None:
                yield self.finding(
                    f"{principal.label} has {policy.name} as boundary, which leaves "
                    f"{_named(left, severity)}",
                    on=principal,
                    at=principal.boundary.place,
                    severity=severity,
                    hint=f"use a boundary of your own that denies {_services(left)}",
                )

    def _leaves(
        self, policy: Policy, openings: tuple[Opening, ...], left: ActionSet, severity: Severity
    ) -> Finding:
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
            confidence=Confidence.HIGH if left & first.sure else Confidence.LOW,
            related=[(span, "bounds this") for span in bound[:MAX_NAMES]],
            hint=f"deny {_services(left)} inside it",
            assumptions=first.assumptions(next(iter(patterns), None)),
        )


def _watched(catalog: Catalog) -> ActionSet:
    """What a boundary is there to prevent: changing identities, accounts and who has the keys."""
    classes = catalog.classes
    found = classes[ActionClass.IDENTITY] | classes[ActionClass.KEY_ADMINISTRATION]
    return found - classes[ActionClass.COMMONPLACE] - catalog.expand_all(SESSIONS)


def _named(left: ActionSet, severity: Severity) -> str:
    if severity is Severity.CRITICAL:
        return "everything"
    names = list(left)
    rest = len(names) - MAX_NAMES
    first = ", ".join(names[:MAX_NAMES])
    return f"{first} and {rest} more" if rest > 0 else first


def _services(actions: ActionSet) -> str:
    return ", ".join(f"{service}:*" for service in actions.services[:MAX_NAMES])
