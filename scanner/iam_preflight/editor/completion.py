"""Actions, condition keys and AWS-managed policies, completed where a policy wants them.

What is wanted is read off the text before the cursor, because a document that is being typed
seldom parses.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.knowledge.catalog import catalog
from iam_preflight.knowledge.managed import managed_policies

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ITEMS = 200
LOOK_BACK = 8_000
"""Characters before the cursor in which the element's name is looked for."""


class Wanted(Enum):
    ACTION = "action"
    CONDITION_KEY = "condition key"
    MANAGED_POLICY = "managed policy"


class Item(Struct, frozen=True):
    text: str
    detail: str
    continues: bool = False
    """Whether more has to be typed after it."""


_KEYS = re.compile(
    r"""(?<![\w-])["']?(?:
      (?P<action>not_actions|actions|NotAction|Action)
    | (?P<key>variable)
    | (?P<operator>(?:For(?:Any|All)Values?:)?(?:String|Numeric|Date|Bool|Binary|IpAddress
        |NotIpAddress|Arn|Null)[A-Za-z]*)
    | (?P<managed>policy_arns?|managed_policy_arns?|ManagedPolicyArns|PermissionsBoundary
        |permissions_boundary|boundary_policy_arn)
    | (?P<other>not_resources|resources|NotResource|Resource|identifiers|not_principals|principals
        |Principal|NotPrincipal|values|Effect|effect|Sid|sid|test|type|Version|AWS|Service|Federated
        |Type|Properties|name|Name|description|Description|statement|resource|data|condition)
    )["']?\s*(?:[:={]|(?=\s*"))""",
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z0-9*:./_@+=,-]*$")
_OPENERS = re.compile(r"""(?:["']|^\s*-\s+|[\[,:]\s*)$""")


def wanted_at(before: str) -> tuple[Wanted, str] | None:
    """What is wanted after some text, and how much of it is typed already."""
    before = before[-LOOK_BACK:]
    line = before[before.rfind("\n") + 1 :]
    match = _WORD.search(line)
    assert match is not None
    typed = match.group()
    lead = line[: match.start()]
    if typed[:1] == "-" or "#" in lead or _ends_a_string(lead):
        return None
    if not _OPENERS.search(lead) and not (lead.strip() == "" and typed):
        return None
    found = next(iter(deque(_KEYS.finditer(before[: len(before) - len(typed)]), 1)), None)
    if found is None:
        return None
    match found.lastgroup:
        case "action":
            return Wanted.ACTION, typed
        case "key" | "operator":
            since = before[found.end() : len(before) - len(typed)]
            is_value = found.lastgroup == "operator" and _holds_a_key(since)
            return None if is_value else (Wanted.CONDITION_KEY, typed)
        case "managed":
            return Wanted.MANAGED_POLICY, typed
        case _:
            return None


def _ends_a_string(lead: str) -> bool:
    """Whether the last sign is a quote that closes what another one of the line opened."""
    quote = lead[-1:]
    return quote in ("'", '"') and lead.count(quote) % 2 == 0


def _holds_a_key(text: str) -> bool:
    """Whether a condition's key has been written since its operator: its values follow."""
    last = max(text.rfind("{"), text.rfind(","), text.rfind("\n"))
    return re.search(r"""[\w:/-]+["']?\s*[:=]\s*[\["']?\s*["']?$""", text[last + 1 :]) is not None


def completions(wanted: Wanted, typed: str) -> Iterator[Item]:
    """What may stand there, the first few."""
    match wanted:
        case Wanted.ACTION:
            yield from _actions(typed)
        case Wanted.CONDITION_KEY:
            yield from _condition_keys(typed)
        case Wanted.MANAGED_POLICY:
            yield from _managed(typed)


def _actions(typed: str) -> Iterator[Item]:
    known = catalog()
    prefix, colon, start = typed.lower().partition(":")
    if not colon:
        for name, title in known.services.items():
            if name.startswith(prefix) or prefix in title.lower():
                yield Item(f"{name}:", title, continues=True)
        return
    if prefix not in known.services:
        return
    service = known.service(prefix)
    for index, action in enumerate(service.names):
        if action.lower().startswith(start):
            yield Item(f"{prefix}:{action}", service.levels[index].value)


def _condition_keys(typed: str) -> Iterator[Item]:
    known = catalog()
    lower = typed.lower()
    for key in known.global_keys.values():
        if key.name.lower().startswith(lower):
            yield Item(key.name, key.type, continues=key.name.endswith("/"))
    prefix, colon, _ = lower.partition(":")
    if not colon:
        for service, title in known.services.items():
            if service.startswith(lower) and lower:
                yield Item(f"{service}:", title, continues=True)
        return
    for key in known.keys_of_service(prefix):
        if key.name.lower().startswith(lower):
            bare = key.name.partition("${")[0]
            yield Item(bare, key.type, continues=bare.endswith("/"))


def _managed(typed: str) -> Iterator[Item]:
    policies = managed_policies()
    lower = typed.lower()
    name = lower.rpartition("/")[2] if lower.startswith("arn:") else lower
    matching = [one for one in policies if name in one.lower()]
    matching.sort(key=lambda one: (not one.lower().startswith(name), one))
    for one in matching:
        arn = policies.arn(one)
        if arn is not None:
            yield Item(arn, one)
