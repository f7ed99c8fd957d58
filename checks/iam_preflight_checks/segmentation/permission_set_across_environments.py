from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.assignments import Assignment, assignments
from iam_preflight.graph.exposure import is_exempt
from iam_preflight.graph.standing import changes_sensitive
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal


class PermissionSetAcrossEnvironments(Rule):
    """A permission set joins environments, or belongs to a single person.

    ## What it checks
    Assignments of IAM Identity Center. Medium: a privileged permission set (an administrator,
    or one that may change something sensitive on everything) that the same group or person has
    in accounts of several environments, or in every account of the organization. Low: an
    assignment to a user instead of a group; high where the set is privileged.

    Environments come from `accounts` in the settings, from tags and names of accounts in the
    code, or from what the variables are called (then medium confidence). Sets that only read,
    sets under `admin_roles` and `break_glass_roles`, and users under `break_glass_users` are
    left alone.

    ## Why it matters
    The session that is open for development is the session that deletes production, and an
    assignment to a person outlives the job.

    ## How to fix
    One permission set and one group for each environment; people get in through groups.

    ## Example
    ```hcl
    resource "aws_ssoadmin_account_assignment" "operators" {
      permission_set_arn = aws_ssoadmin_permission_set.prod_operator.arn
      principal_type     = "GROUP"
      principal_id       = aws_identitystore_group.prod_operators.group_id
      target_type        = "AWS_ACCOUNT"
      target_id          = var.prod_account
    }
    ```
    """

    id = "SEG-008"
    name = "permission-set-across-environments"
    severity = Severity.MEDIUM
    practice = 3
    reads = ("aws_identitystore_group", "aws_identitystore_user", "aws_organizations_account")
    compliance = {
        Framework.NIST: ("AC-5", "AC-6"),
        Framework.ISO: ("A.8.31", "A.5.18"),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02", "SEC02-BP06"),
    }
    references = (
        "https://docs.aws.amazon.com/singlesignon/latest/userguide/howtoassignpermissionsets.html",
        "https://docs.aws.amazon.com/prescriptive-guidance/latest/security-reference-architecture/org-management.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        groups: dict[tuple[str, str, str], list[Assignment]] = {}
        for assignment in assignments(graph):
            held = assignment.permission_set
            if held is not None and is_exempt(held, graph.settings):
                continue
            is_privileged = held is not None and _is_privileged(held, graph)
            if assignment.is_user:
                yield from self._to_user(assignment, is_privileged, graph)
            if held is not None and is_privileged:
                groups.setdefault(assignment.key, []).append(assignment)
        for found in groups.values():
            yield from self._across(found)

    def _to_user(
        self, assignment: Assignment, is_privileged: bool, graph: Graph
    ) -> Iterator[Finding]:
        if assignment.user_name in graph.settings.break_glass_users:
            return
        held = assignment.permission_set
        name = held.label if held is not None else "a permission set"
        yield self.finding(
            f"{name} is assigned to a user instead of a group",
            on=assignment.resource,
            at=assignment.resource.span_of("principal_type"),
            severity=Severity.HIGH if is_privileged else Severity.LOW,
            related=((held.resource.header, "the permission set"),) if held is not None else (),
            hint="assign it to a group, and put the user into that",
            evidence=f"user {name}",
        )

    def _across(self, found: list[Assignment]) -> Iterator[Finding]:
        first = found[0]
        held = first.permission_set
        assert held is not None
        whole = next((one for one in found if one.is_everywhere), None)
        by_environment = {
            one.placement.environment: one for one in found if one.placement is not None
        }
        if whole is None and len(by_environment) < 2:
            return
        listed = list(by_environment.values())
        at = whole or listed[-1]
        where = "every account of the organization" if whole else " and ".join(by_environment)
        sure = [one.placement.confidence for one in listed if one.placement is not None]
        yield self.finding(
            f"{held.label} is for {first.whom} in {where}",
            on=at.resource,
            at=at.resource.span_of("target_id"),
            confidence=Confidence.HIGH if whole is not None else min(sure),
            related=[
                *((one.resource.span_of("target_id"), "and here") for one in listed[:-1][:3]),
                (held.resource.header, "the permission set"),
            ],
            hint="make a permission set and a group for each environment",
            evidence=f"{held.label} {first.whom}",
        )


def _is_privileged(held: Principal, graph: Graph) -> bool:
    standing = graph.standing(held)
    return standing.is_administrative or (standing.is_privileged and changes_sensitive(held, graph))
