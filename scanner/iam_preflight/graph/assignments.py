"""Who has which permission set of IAM Identity Center in which accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.segregation import ASSIGNMENT, Segregation
from iam_preflight.resources import Resource
from iam_preflight.values import Reference, holes_of, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.graph.segregation import Placement
    from iam_preflight.values import Value

ORGANIZATION_DATA = ("aws_organizations_organization", "aws_organizations_accounts")


class Assignment(Struct, frozen=True):
    resource: Resource
    permission_set: Principal | None
    """None where it is not in the code."""
    whom: str
    """The group or user, as people know it."""
    is_user: bool
    user_name: str
    placement: Placement | None
    """The environment of the account, as far as something tells it."""
    is_everywhere: bool
    """The account is each of the organization's."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for assignments of one set to one group."""
        held = self.permission_set
        return (self.resource.deployment.path, held.address if held else "", self.whom)


def assignments(graph: Graph) -> Iterator[Assignment]:
    """Every assignment in the code."""
    segregation = Segregation(graph)
    for resource in graph.of_type(ASSIGNMENT):
        if resource.text("target_type") not in (None, "AWS_ACCOUNT"):
            continue
        whom = resource.get("principal_id")
        target = resource.get("target_id")
        is_user = (resource.text("principal_type") or "").upper() == "USER"
        holder = graph.lookup.find(whom, Resource, resource) if whom is not None else None
        name = holder.text("user_name") or holder.text("display_name") if holder else None
        yield Assignment(
            resource=resource,
            permission_set=graph.principal_named(resource, "permission_set_arn"),
            whom=name or (show(whom) if whom is not None else "somebody"),
            is_user=is_user,
            user_name=name or "",
            placement=segregation.of_account_value(target, resource) if target else None,
            is_everywhere=target is not None and _is_of_organization(target),
        )


def _is_of_organization(target: Value) -> bool:
    """Whether a value is read from the list of all accounts."""
    references = [getattr(target, "reference", None), *(h.reference for h in holes_of(target))]
    return any(
        isinstance(reference, Reference)
        and any(f".{name}." in f".{reference.address}." for name in ORGANIZATION_DATA)
        for reference in references
    )
