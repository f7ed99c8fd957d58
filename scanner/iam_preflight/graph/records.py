"""What accounts already hold, joined with the code: the same role in both is one node.

The code decides what will be: its trust policy, its boundary, its version of a policy. What else
the account holds for a principal stays, since nothing in the code takes it away.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from iam_preflight.policy.match import Truth, matches
from iam_preflight.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.model import Policy, Principal
    from iam_preflight.policy.document import Pattern
    from iam_preflight.resources import Resource

_LEAST_KNOWN = 4
"""A name with holes must have so many known characters to be recognised by them."""


def sole_account(resources: Iterable[Resource]) -> str | None:
    """The account of the snapshots, where they are of one: code that names none goes there."""
    accounts = {
        account
        for resource in resources
        if resource.is_recorded
        for account in resource.provider.account_ids
    }
    return accounts.pop() if len(accounts) == 1 else None


def same_principals(
    coded: Iterable[Principal], recorded: Iterable[Principal]
) -> dict[int, Principal]:
    """The code's node for each recorded principal that is in the code, by the latter's identity.

    A known name decides. A name with holes does where one principal of the account, and only
    one, may have it: two roles that could be meant are two roles.
    """
    by_name: dict[tuple[object, str, str | None], Principal] = {}
    by_kind: dict[tuple[object, str | None], list[Principal]] = defaultdict(list)
    for one in recorded:
        by_name[one.kind, one.name.text, one.account] = one
        by_kind[one.kind, one.account].append(one)
    claims: dict[int, list[Principal]] = defaultdict(list)
    for principal in coded:
        if principal.name.is_known:
            found = by_name.get((principal.kind, principal.name.text, principal.account))
        else:
            found = _only_match(principal, by_kind[principal.kind, principal.account])
        if found is not None:
            claims[id(found)].append(principal)
    return {key: principals[0] for key, principals in claims.items() if len(principals) == 1}


def _only_match(principal: Principal, candidates: Iterable[Principal]) -> Principal | None:
    if _known_length(principal.name) < _LEAST_KNOWN:
        return None
    fitting = [one for one in candidates if matches(principal.name, one.name.text) is not Truth.NO]
    return fitting[0] if len(fitting) == 1 else None


def _known_length(name: Pattern) -> int:
    return sum(len(part) for part in name.parts if isinstance(part, str))


def is_written(principal: Principal, policy: Policy) -> bool:
    """Whether the code has an inline policy of that name for a principal, or may have it."""
    for attachment in principal.attachments:
        other = attachment.policy
        if other.resource.is_recorded or other.resource.type == "aws_iam_policy":
            continue
        is_block = other.attribute == "inline_policy"
        written = other.name if is_block else text_of(other.resource.get("name"))
        if written is None or written == policy.name:
            return True
    return False
