from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.tags import tags_of
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.settings import TagRequirement


class MissingTags(Rule):
    """An IAM resource lacks required tags.

    ## What it checks
    That every IAM resource which can carry tags has the required ones: by default
    `Environment`, `Owner` and `CreatedBy`, and `ExpirationDate` on users. The provider's
    `default_tags` count. Types that AWS cannot tag are left alone. Where the tags are partly
    unknown, the confidence is low.

    ## Why it matters
    Tags say who answers for a role and when it may go. Without them nobody dares to delete
    anything, and attribute-based access control has nothing to stand on.

    ## How to fix
    Add the tags, best as `default_tags` of the provider. Other keys and values can be asked
    for under `tags` in `.iam-preflight.yaml`.

    ## Example
    ```hcl
    provider "aws" {
      default_tags {
        tags = { Environment = "prod", Owner = "team-x@example.com", CreatedBy = "terraform" }
      }
    }
    ```
    """

    id = "TAG-001"
    name = "missing-tags"
    severity = Severity.LOW
    practice = 9
    compliance = {
        Framework.NIST: ("CM-8", "AC-16"),
        Framework.ISO: ("A.5.9", "A.5.13"),
        Framework.FSBP: ("IAM.24", "IAM.25"),
    }
    equivalents = {"kics": ("e38a8e0a-b88b-4902-b3fe-b0fcb17d5c10",)}
    references = ("https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",)

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        taggable = resource_types().taggable
        for resource in graph.resources:
            if resource.type in taggable and not resource.is_data:
                yield from self._check(resource, graph)

    def _check(self, resource: Resource, graph: Graph) -> Iterator[Finding]:
        tags = tags_of(resource)
        missing = [
            key
            for key, requirement in graph.settings.tags.items()
            if key not in tags.values
            and key not in graph.settings.stack_tags
            and _is_asked_for(requirement, resource, graph)
        ]
        if not missing:
            return
        listed = ", ".join(missing)
        yield self.finding(
            f"{resource.address} has no tag {listed}",
            on=resource,
            at=tags.span or resource.header,
            confidence=Confidence.HIGH if tags.is_complete else Confidence.LOW,
            hint=f"add {listed}, best as default tags for everything",
            evidence=listed,
        )


def _is_asked_for(requirement: TagRequirement, resource: Resource, graph: Graph) -> bool:
    if not requirement.only_for:
        return True
    path = resource.text("path") or "/"
    if "temporary" in requirement.only_for and path in graph.settings.temporary_paths:
        return True
    return "users" in requirement.only_for and resource.type == "aws_iam_user"
