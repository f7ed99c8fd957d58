from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.exposure import confidence_in_effect, listed
from iam_preflight.graph.wildcards import has_wildcard, on_everything, on_something, whole_services
from iam_preflight.knowledge.worth import Worth, changing, gravest
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Confidence
    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.policy.document import Pattern


class SensitiveActionWildcard(Rule):
    """A wildcard in an action name takes in sensitive actions.

    ## What it checks
    An identity policy that allows a pattern such as `iam:Put*`, `lambda:Update*`, `kms:*Key` or
    `ssm:S*Command` on every resource, when the pattern covers actions that manage permissions,
    identities or keys, run code, or stop logging and detection. The finding names them. A
    condition that limits what the actions are about excuses it.

    Patterns that only read are left to LEAST-008, whole services to LEAST-003, and a pattern that
    covers just one action is taken for that action. With the persona *auditor*: the same on named
    resources, such as `s3:PutObject*`, which lets the owner of a bucket set the ACL of an object.

    ## Why it matters
    The pattern was written for two or three actions. It grants all that begin alike, and what AWS
    adds later: `lambda:Update*` was once about code and is now about function URLs as well.

    ## How to fix
    Write the actions out.

    ## Example
    ```hcl
    statement {
      actions   = ["lambda:UpdateFunctionCode"] # not lambda:Update*
      resources = [aws_lambda_function.orders.arn]
    }
    ```
    """

    id = "LEAST-004"
    name = "sensitive-action-wildcard"
    severity = Severity.MEDIUM
    practice = 2
    yields_to = (
        "LEAST-001",
        "LEAST-003",
        "LEAST-006",
        "LEAST-007",
        "LEAST-008",
        "LEAST-009",
        "LEAST-010",
        "LEAST-011",
        "WILD-003",
        "ESC-001",
        "ESC-002",
        "ESC-003",
        "ESC-004",
        "BOUND-001",
    )
    compliance = {
        Framework.NIST: ("AC-6",),
        Framework.ISO: ("A.8.2",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "cfripper": ("GenericResourceWildcardPolicyRule",),
        "terrascan": ("AC_AWS_0143",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html",
        "https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        # a block that is repeated for each of a list is one place to edit
        worst: dict[tuple[str, int, int], Finding] = {}
        for finding in self._found(policy, graph):
            place = finding.primary.sort_key()
            worst[place] = max(worst.get(place, finding), finding, key=_gravity)
        yield from worst.values()

    def _found(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for exposure in graph.exposures.of(policy):
            hidden = list(_hidden(exposure))
            if not hidden:
                continue
            taken = exposure.catalog.expand_all(tuple(pattern.text for pattern, _ in hidden))
            sensitive = taken & _sensitive(exposure)
            broad = on_everything(exposure, sensitive)
            reached = broad or on_something(exposure, sensitive)
            if reached and gravest(reached, exposure.catalog)[0] is not Worth.LITTLE:
                yield self._covers(exposure, hidden, reached, is_broad=bool(broad))

    def _covers(
        self,
        exposure: Exposure,
        hidden: list[tuple[Pattern, ActionSet]],
        reached: ActionSet,
        *,
        is_broad: bool,
    ) -> Finding:
        _, worst = gravest(reached, exposure.catalog)
        first = next(pattern for pattern, actions in hidden if actions & worst)
        rest = [pattern for pattern, actions in hidden if actions & reached and pattern != first]
        if is_broad:
            severity = exposure.severity(Severity.MEDIUM, worst)
        else:
            severity = exposure.severity_as_written(Severity.LOW, worst)
        return self.finding(
            f"{first.text} lets {exposure.who} use {listed(worst)}",
            on=exposure.policy,
            at=first.span,
            label="takes in sensitive actions",
            severity=severity,
            confidence=confidence_in_effect(exposure.statement),
            persona=Persona.REGULAR if is_broad else Persona.AUDITOR,
            related=[
                *((pattern.span, "and so does this") for pattern in rest[:3]),
                *exposure.related(),
            ],
            hint="write the actions out",
            causes=(exposure.statement.span, first.span),
            assumptions=exposure.assumptions(first),
            principal=exposure.holder,
        )


def _gravity(finding: Finding) -> tuple[Confidence, Severity]:
    return finding.confidence, finding.severity


def _sensitive(exposure: Exposure) -> ActionSet:
    """What the statement may allow of what is worth watching and does more than read."""
    catalog = exposure.catalog
    return exposure.opening.about & catalog.sensitive & changing(catalog)


def _hidden(exposure: Exposure) -> Iterator[tuple[Pattern, ActionSet]]:
    """The patterns that take in sensitive actions beside others, with these."""
    statement, catalog = exposure.statement, exposure.catalog
    if statement.is_not_action or exposure.opening.is_everything:
        return
    whole = {id(p) for _, patterns in whole_services(statement, catalog) for p in patterns}
    for pattern in statement.actions:
        if not pattern.is_known or not has_wildcard(pattern) or id(pattern) in whole:
            continue
        covered = catalog.expand(pattern.text)
        if len(covered) > 1 and (sensitive := covered & _sensitive(exposure)):
            yield pattern, sensitive
