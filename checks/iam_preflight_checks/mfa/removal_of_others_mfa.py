from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.mfa import mfa_actions, requires_mfa
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.scope import Strength
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.effective import Grant


class RemovalOfOthersMfa(Rule):
    """Other people's second factor may be removed or replaced.

    ## What it checks
    Identity policies that allow deactivating the MFA device of any user, giving any user a
    device (`iam:EnableMFADevice`: the new one works beside the old one), or switching MFA off
    for a directory or a user pool. `user/${aws:username}` and `mfa/${aws:username}` are
    people's own and fine. Low where the caller has to have proved a second factor, as a help
    desk should; medium where it is only about the users of an application (Cognito).

    Deleting and resynchronising a device are no findings by themselves, unlike in the list this
    rule comes from: AWS deletes only devices that nobody uses, and synchronising takes two codes
    of the device.

    ## Why it matters
    Whoever has somebody's password can then do without the second factor, or bring their own.

    ## How to fix
    Scope the actions to `arn:aws:iam::*:user/${aws:username}`, and let only a help desk role
    with MFA do it for others.

    ## Example
    ```json
    {
      "Effect": "Allow",
      "Action": ["iam:DeactivateMFADevice", "iam:EnableMFADevice"],
      "Resource": "arn:aws:iam::*:user/${aws:username}"
    }
    ```
    """

    id = "MFA-005"
    name = "removal-of-others-mfa"
    severity = Severity.HIGH
    practice = 4
    yields_to = ("LEAST-001", "LEAST-003", "LEAST-004", "LEAST-005", "ESC-001", "ESC-002")
    compliance = {
        Framework.NIST: ("IA-5", "IA-2(1)"),
        Framework.ISO: ("A.5.17",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP01", "SEC03-BP02"),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeactivateMFADevice.html",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_EnableMFADevice.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if policy.use is not DocumentUse.IDENTITY:
            return
        effective = graph.permissions.of_document(policy.document)
        found: dict[int, list[Grant]] = {}
        for action in mfa_actions().removal:
            if action in effective.possible:
                for grant in effective.grants(action):
                    if _is_about_everybody(grant, effective.catalog):
                        found.setdefault(grant.statement.index, []).append(grant)
        exposures = {id(one.statement): one for one in graph.exposures.of(policy)}
        for grants in found.values():
            yield self._finding(grants, policy, exposures.get(id(grants[0].statement)))

    def _finding(self, grants: list[Grant], policy: Policy, exposure: Exposure | None) -> Finding:
        first, statement = grants[0], grants[0].statement
        names = " and ".join(grant.action for grant in grants[:2])
        severity, hint = Severity.HIGH, "scope it to arn:aws:iam::*:user/${aws:username}"
        if all(grant.action.startswith("cognito-idp:") for grant in grants):
            severity, hint = Severity.MEDIUM, "name the user pools"
        if requires_mfa(statement):
            severity = Severity.LOW
        return self.finding(
            f"{names} for anybody, not only for oneself",
            on=policy,
            at=first.action_place,
            severity=severity,
            confidence=Confidence.HIGH if first.is_sure else Confidence.LOW,
            related=((first.resource_place, "on these"),),
            hint=hint,
            evidence=names,
            causes=(statement.span,),
            assumptions=exposure.assumptions(first.pattern, first.resource)
            if exposure is not None
            else statement.assumptions,
        )


def _is_about_everybody(grant: Grant, catalog: Catalog) -> bool:
    """Some of the actions take no resource, so that they are about everybody anyway."""
    action = catalog.action(grant.action)
    if action is not None and action.is_only_star:
        return grant.strength <= Strength.CONTEXT
    return grant.is_broad
