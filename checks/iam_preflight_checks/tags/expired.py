from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.model import Principal
from iam_preflight.graph.tagging import date_in, lets_in_partners, taggable
from iam_preflight.graph.tags import tags_of
from iam_preflight.rules import Rule
from iam_preflight.values import arms_of, text_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span


class Expired(Rule):
    """An IAM resource is past the date in its expiration tag, or far before it.

    ## What it checks
    Tags that the settings call dates (`is_date`; `ExpirationDate` by default). A date in the
    past is medium, and high on users and on roles for partners; one that lies further ahead
    than `max_lifetime_days` (365) is low. Dates are judged on the day of the scan, or on the
    day given with `--today`.

    What is no date is told by TAG-002.

    ## Why it matters
    The date is a promise to look again. An identity that outlives it is one that nobody has
    looked at, and a date in thirty years promises nothing.

    ## How to fix
    Remove the identity, or give it a new date after somebody has reviewed it.

    ## Example
    ```hcl
    resource "aws_iam_user" "auditor" {
      name = "auditor"
      tags = { ExpirationDate = "2027-03-31" }
    }
    ```
    ```yaml
    Auditor:
      Type: AWS::IAM::User
      Properties:
        Tags:
          - { Key: ExpirationDate, Value: "2027-03-31" }
    ```
    """

    id = "TAG-003"
    name = "expired"
    severity = Severity.MEDIUM
    practice = 9
    compliance = {
        Framework.NIST: ("AC-2(2)", "AC-2(3)"),
        Framework.ISO: ("A.5.18", "A.5.16"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP05", "SEC03-BP06"),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
        "https://docs.aws.amazon.com/wellarchitected/latest/security-pillar/sec_permissions_lifecycle.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        dated = [key for key, requirement in graph.settings.tags.items() if requirement.is_date]
        told: set[Span] = set()
        for resource in taggable(graph):
            tags = tags_of(resource)
            for written in filter(None, map(tags.find, dated)):
                value = tags.values[written]
                for assumptions, arm in arms_of(value):
                    date = date_in(text_of(arm) or "")
                    if date is None or arm.span in told:
                        continue
                    found = _judge(date, resource, graph)
                    if found is None:
                        continue
                    told.add(arm.span)
                    severity, what = found
                    yield self.finding(
                        f"{resource.address} {what} ({written} {date})",
                        on=resource,
                        at=arm.span,
                        severity=severity,
                        confidence=Confidence.LOW if resource.deployment.is_library else None,
                        related=((resource.header, "this resource"),),
                        hint="remove it, or give it a new date after a review",
                        evidence=f"{written} {date}",
                        assumptions=assumptions,
                    )


def _judge(date: dt.date, resource: Resource, graph: Graph) -> tuple[Severity, str] | None:
    """How bad a date is, and what it says about the resource; None where it is as it should be."""
    if date < graph.today:
        return (
            Severity.HIGH if _lets_people_in(resource, graph) else Severity.MEDIUM
        ), "is expired"
    ahead = (date - graph.today).days
    if ahead > graph.settings.max_lifetime_days:
        return Severity.LOW, f"may live for another {ahead} days"
    return None


def _lets_people_in(resource: Resource, graph: Graph) -> bool:
    """Whether somebody can still use it from outside: a user, or a partner."""
    if resource.type == "aws_iam_user":
        return True
    principal = graph.lookup.at(resource.deployment.path, resource.address, Principal)
    return principal is not None and lets_in_partners(principal, graph)
