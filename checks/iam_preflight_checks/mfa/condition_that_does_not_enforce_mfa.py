from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.mfa import (
    escapes,
    is_inverted,
    is_self_service,
    left_open,
    looks_like_mfa,
    mfa_conditions,
)
from iam_preflight.policy.document import DocumentUse
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.mfa import SignIn
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Statement
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class ConditionThatDoesNotEnforceMfa(Rule):
    """A condition on the second factor does not enforce it.

    ## What it checks
    Statements that test `aws:MultiFactorAuthPresent` or `aws:MultiFactorAuthAge` and still let
    somebody through who has no second factor. Requests that are signed with long-lived access
    keys carry neither key, and sessions without MFA say `false`; a condition has to stop both:

    - In an Allow `Bool … true`, `NumericLessThan` on the age and `Null` age `false` do.
      `BoolIfExists … true`, `Null … false` on the presence and `ForAllValues:…` do not.
    - In a Deny `BoolIfExists … false` and `Null` age `true` do. `Bool … false` lets access keys
      pass, `Null … true` on the presence sessions, and a limit on the age without `IfExists`
      both.

    Two Deny statements for the same actions may share the work. Also reported: a condition that
    leaves out exactly those who proved a second factor, a key that AWS does not have
    (`aws:MFAPresent`), and a Deny whose `NotAction` spares more than it takes to set up a
    device, such as `iam:*`, unless only roles hold the policy that are not allowed it.

    ## Why it matters
    The policy reads as if it asked for MFA, so nobody looks again. A stolen access key walks
    through.

    ## How to fix
    In an Allow write `Bool aws:MultiFactorAuthPresent = true`, in a Deny
    `BoolIfExists aws:MultiFactorAuthPresent = false`.

    ## Example
    ```json
    {
      "Effect": "Deny",
      "NotAction": ["iam:EnableMFADevice", "iam:ListMFADevices", "sts:GetSessionToken"],
      "Resource": "*",
      "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    }
    ```
    Instead:
    ```json
    "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    ```
    """

    id = "MFA-002"
    name = "condition-that-does-not-enforce-mfa"
    severity = Severity.HIGH
    practice = 4
    compliance = {
        Framework.NIST: ("IA-2(1)", "IA-2(2)"),
        Framework.ISO: ("A.8.5",),
        Framework.WELL_ARCHITECTED: ("SEC02-BP01",),
    }
    equivalents = {
        "parliament": ("BAD_PATTERN_FOR_MFA",),
        "kics": ("3ddfa124-6407-4845-a501-179f90c65097",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-multifactorauthpresent",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_aws_my-sec-creds-self-manage.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        catalog = graph.permissions.evaluator.catalog
        flaws: dict[str, list[_Flaw]] = {}
        for statement in policy.document.statements:
            for flaw in _flaws(statement, policy, graph, catalog):
                flaws.setdefault(flaw.message, []).append(flaw)
        for message, found in flaws.items():
            first = found[0]
            yield self.finding(
                message,
                on=policy,
                at=first.place,
                related=[(other.place, "the same here") for other in found[1:]],
                hint=first.hint,
                evidence=first.evidence,
                causes=[flaw.statement.span for flaw in found],
                assumptions=first.assumptions,
            )


class _Flaw(Struct, frozen=True):
    statement: Statement
    place: Span
    message: str
    hint: str
    evidence: str
    assumptions: Assumptions


def _flaws(statement: Statement, policy: Policy, graph: Graph, catalog: Catalog) -> Iterator[_Flaw]:
    def flaw(message: str, hint: str, condition: Condition) -> _Flaw:
        evidence = f"{condition.operator.name} {condition.key}"
        given = (*statement.assumptions, *condition.assumptions)
        return _Flaw(statement, condition.span, message, hint, evidence, given)

    for condition in statement.conditions:
        if looks_like_mfa(condition, catalog):
            message = f"{condition.key} is not a key of AWS's and tells nothing about MFA"
            yield flaw(message, "the key is aws:MultiFactorAuthPresent", condition)
    conditions = mfa_conditions(statement)
    if not conditions:
        return
    ways = escapes(statement, policy.document, catalog)
    if ways and is_inverted(statement):
        if not is_self_service(statement, catalog):
            yield flaw(_inverted(statement), _hint(statement), conditions[0])
    elif ways:
        yield flaw(_message(statement, ways), _hint(statement), conditions[0])
    elif policy.use is not DocumentUse.TRUST and (
        spared := _held(left_open(statement, catalog), policy, graph)
    ):
        listed = ", ".join(sorted(spared)[:3]) + (" and more" if len(spared) > 3 else "")
        stay = "stays" if len(spared) == 1 else "stay"
        message = f"without a second factor {listed} {stay} allowed"
        hint = "spare only what it takes to set up a device: iam:EnableMFADevice and the like"
        place = statement.span_of("NotAction")
        yield _Flaw(statement, place, message, hint, "NotAction", statement.assumptions)


def _held(actions: ActionSet, policy: Policy, graph: Graph) -> ActionSet:
    """Those of the actions that somebody who holds the policy is allowed; all where unknown."""
    holders = [attachment.principal for attachment in policy.attachments]
    if not holders or not all(holder.is_role and not holder.unresolved for holder in holders):
        return actions  # people have permissions from elsewhere, too
    may_do = graph.permissions.evaluator.catalog.nothing
    for holder in holders:
        may_do |= graph.effective(holder).possible
    return actions & may_do


def _inverted(statement: Statement) -> str:
    if statement.is_allow:
        return "this condition is met without a second factor and not with one"
    return "this Deny stops those who proved a second factor and nobody else"


def _message(statement: Statement, ways: tuple[SignIn, ...]) -> str:
    who = " and ".join(way.value for way in ways)
    if statement.is_allow:
        return f"{who} pass this condition: no second factor is needed"
    return f"{who} pass this Deny without a second factor"


def _hint(statement: Statement) -> str:
    if statement.is_allow:
        return "use Bool aws:MultiFactorAuthPresent = true"
    return "use BoolIfExists aws:MultiFactorAuthPresent = false"
