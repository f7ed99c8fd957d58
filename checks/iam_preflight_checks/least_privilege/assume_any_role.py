from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Pattern

ASSUME = "sts:AssumeRole"
ACCOUNT = 4
"""The account's place among the fields of an ARN."""


class AssumeAnyRole(Rule):
    """`sts:AssumeRole` is allowed on every role.

    ## What it checks
    An identity policy that allows `sts:AssumeRole`, by name or by a wildcard, on `*` or on a
    pattern that leaves the role's name open (`arn:aws:iam::111122223333:role/*`), without a
    condition on the role's account, organization or tags. Trust policies are not meant: there
    `sts:AssumeRole` is about the one role.

    With the persona *pedantic*: a fixed role name in any account
    (`arn:aws:iam::*:role/deployer`), which is usual for pipelines of an organization, without
    `aws:ResourceOrgID`.

    Whether a role of the code can really be assumed is the business of ESC-002; so `*` alone is
    not critical here.

    ## Why it matters
    Whichever role trusts the account, or will one day, is open to the holder, in this account
    and in every other one.

    ## How to fix
    List the ARNs of the roles, or add the condition `aws:ResourceOrgID` or `aws:ResourceAccount`.

    ## Example
    ```yaml
    - Effect: Allow
      Action: sts:AssumeRole
      Resource: !Sub arn:aws:iam::${AWS::AccountId}:role/reports-reader
    ```
    """

    id = "LEAST-011"
    name = "assume-any-role"
    severity = Severity.HIGH
    practice = 2
    yields_to = ("LEAST-001", "LEAST-003", "LEAST-005", "LEAST-006", "LEAST-007", "ESC-002")
    compliance = {
        Framework.NIST: ("AC-6", "AC-3"),
        Framework.ISO: ("A.5.15",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "kics": (
            "bcdcbdc6-a350-4855-ae7c-d1e6436f7c97",
            "e835bd0d-65da-49f7-b6d1-b646da8727e6",
        ),
        "prowler": ("iam_no_custom_policy_permissive_role_assumption",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_permissions-to-switch.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceorgid",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for exposure in graph.exposures.of(policy):
            if ASSUME in exposure.opening.open:
                yield self._any_role(exposure)
            elif not exposure.opening.is_boundless and exposure.reaches(ASSUME):
                yield from self._any_account(exposure)

    def _any_role(self, exposure: Exposure) -> Finding:
        opening = exposure.opening
        action = opening.action_pattern(ASSUME)
        resource = opening.resource_pattern(opening.catalog.action(ASSUME))
        only = opening.catalog.expand(ASSUME)
        place = exposure.action_place([action] if action is not None else [])
        account = _account(resource)
        is_one = bool(account.strip("*"))
        where = f"of account {account}" if is_one else "that trusts it, in any account"
        return self.finding(
            f"{exposure.who} may assume any role {where}",
            on=exposure.policy,
            at=place,
            label="may assume any role",
            severity=exposure.severity(self.severity, only),
            confidence=exposure.confidence(only),
            related=[(exposure.resource_place(resource), "on these roles"), *exposure.related()],
            hint="list the ARNs of the roles, or add the condition aws:ResourceOrgID",
            causes=(exposure.statement.span, place),
            assumptions=exposure.assumptions(action, resource),
            principal=exposure.holder,
        )

    def _any_account(self, exposure: Exposure) -> Iterator[Finding]:
        """A role of a fixed name in whatever account."""
        opening = exposure.opening
        if any(c.key_name.startswith("aws:resource") for c in exposure.statement.conditions):
            return
        for pattern in exposure.statement.resources:
            if _account(pattern) != "*" or not pattern.is_known:
                continue
            yield self.finding(
                f"{exposure.who} may assume {pattern.text.rpartition('/')[2]} in any account",
                on=exposure.policy,
                at=pattern.span,
                severity=Severity.LOW,
                confidence=Confidence.HIGH,
                persona=Persona.PEDANTIC,
                hint="add the condition aws:ResourceOrgID with your organization's id",
                assumptions=exposure.assumptions(opening.action_pattern(ASSUME), pattern),
                principal=exposure.holder,
            )
            return


def _account(pattern: Pattern | None) -> str:
    """What a role ARN pattern says of the account; empty where it is no such pattern."""
    fields = pattern.text.split(":") if pattern is not None else []
    if len(fields) <= ACCOUNT + 1 or fields[2] != "iam":
        return ""
    return fields[ACCOUNT]
