"""What an ExternalId is worth: whether another customer of the partner could have the same.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.graph.accounts import account_of
from iam_preflight.graph.trust import grants, positive_values
from iam_preflight.knowledge.reading import read_data

if TYPE_CHECKING:
    from iam_preflight.graph.model import Graph, Principal
    from iam_preflight.policy.document import Condition, Pattern

_ACCOUNT = re.compile(r"\d{12}")
_ZEROS = re.compile(r"[0-]+")
_NOISE = re.compile(r"[^a-z]+")


class _Facts(msgspec.Struct):
    shortest: int
    words: frozenset[str]


@functools.cache
def _facts() -> _Facts:
    return read_data("external_ids.json", _Facts)


def weakness(value: Pattern, condition: Condition, role: Principal) -> str | None:
    """What is wrong with a value, as people say it; None where nothing is."""
    if not value.is_known:
        return None
    text = value.text
    if condition.operator.base == "stringlike" and ("*" in text or "?" in text):
        return "has a wildcard in it"
    if _ACCOUNT.fullmatch(text):
        return "is an account id"
    if _ZEROS.fullmatch(text):
        return "is a placeholder"
    if role.name.is_known and text.lower() == role.name.text.lower():
        return "is the name of the role"
    if _NOISE.sub("", text.lower()) in _facts().words:
        return "is a word that everybody uses"
    if len(text) < _facts().shortest:
        return "is short enough to be guessed"
    return None


def shared_ids(graph: Graph) -> dict[str, str]:
    """ExternalIds that are asked of more than one outside account."""
    accounts: dict[str, set[str]] = {}
    for role in graph.roles:
        for grant in grants(role.trust, graph.accounts):
            account = account_of(grant.principal.pattern)
            if grant.ownership is None or not grant.ownership.is_outside:
                continue
            for condition, text in positive_values(grant.statement, "sts:externalid"):
                if all(value.is_known for value in condition.values):
                    accounts.setdefault(text, set()).add(str(account))
    return {
        text: f"is asked of {len(found)} accounts"
        for text, found in accounts.items()
        if len(found) > 1
    }
