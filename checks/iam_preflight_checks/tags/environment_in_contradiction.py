from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.environments import Environments, environment_tag
from iam_preflight.graph.tagging import taggable
from iam_preflight.graph.tags import tags_of
from iam_preflight.rules import Rule
from iam_preflight.values import arms_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions, Value


class EnvironmentInContradiction(Rule):
    """An environment tag contradicts where the resource is deployed.

    ## What it checks
    The tag `Environment` (or `Env`, `Stage`) of an IAM resource against what the code says of
    the place that it goes to: the account of its provider (`accounts` in the settings), else
    the workspace, the file of variables or the folder. Words that the settings call one
    environment are one: `prd` is `production`.

    Where only a folder or a workspace says so, and neither side is the most protected
    environment, it is shown to the pedantic persona: `nonprod` holds many. A tag whose value
    comes from elsewhere, such as the default of a variable, is of low confidence. Accounts
    under `shared_accounts` serve every environment.

    ## Why it matters
    Attribute-based policies, budgets and cleaners believe the tag. A production role tagged
    `dev` is open to whoever may use what is `dev`, and is deleted with it.

    ## How to fix
    Correct the tag, or the account that it is deployed to. Best take the tag from the same
    variable as the account.

    ## Example
    ```hcl
    # live/prod/roles.tf
    resource "aws_iam_role" "shop" {
      tags = { Environment = "prod" }
    }
    ```
    """

    id = "TAG-006"
    name = "environment-in-contradiction"
    severity = Severity.MEDIUM
    practice = 9
    compliance = {
        Framework.NIST: ("CM-8", "AC-4"),
        Framework.ISO: ("A.8.31",),
        Framework.WELL_ARCHITECTED: ("SEC01-BP01",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/introduction_attribute-based-access-control.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        environments = Environments(graph.settings)
        told: set[Span] = set()
        for resource in taggable(graph):
            tag = environment_tag(tags_of(resource))
            accounts = resource.provider.account_ids
            account = accounts[0] if len(accounts) == 1 else None
            if tag is None or account in graph.settings.shared_accounts:
                continue
            place = environments.of_place(resource, account)
            if place is None:
                continue
            environment, where = place
            for assumptions, arm in arms_of(tag):
                tagged = environments.canonical(text_of(arm) or "")
                if tagged is None or tagged == environment or arm.span in told:
                    continue
                told.add(arm.span)
                is_sure = environments.of_account(account) is not None
                is_about_top = environments.is_most_protected(tagged, environment)
                yield self._finding(
                    resource,
                    arm,
                    f"{resource.address} is tagged {tagged} and goes to {environment} ({where})",
                    Persona.REGULAR if is_sure or is_about_top else Persona.PEDANTIC,
                    environment,
                    assumptions,
                )

    def _finding(
        self,
        resource: Resource,
        value: Value,
        message: str,
        persona: Persona,
        environment: str,
        assumptions: Assumptions,
    ) -> Finding:
        provider = resource.provider.span
        is_near = resource.span.contains(value.span) or (
            provider is not None and provider.contains(value.span)
        )
        return self.finding(
            message,
            on=resource,
            at=value.span,
            persona=persona,
            confidence=Confidence.MEDIUM if is_near else Confidence.LOW,
            related=((resource.header, "this resource"),),
            hint=f"tag it {environment}, or deploy it elsewhere",
            evidence=message,
            assumptions=assumptions,
        )
