"""How people are told that something is open on everything: what is used, and what to name instead.

For the rules about wildcards in resources. The patterns are shown as they are written, the ARNs
as AWS documents them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight.policy.globs import ARN_COLONS, Wildcards, may_meet, text_tokens
from iam_preflight.policy.scope import leaves_name_open
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Action, Catalog, ResourceUse
    from iam_preflight.policy.document import Pattern, Statement

MAX_NAMES = 3
MAX_FORMATS = 2
MAX_TRIED = 12
"""So many actions are asked for the ARNs that they take; more say the same."""

_MAKING = re.compile("Create|Run")
TAG = "aws:ResourceTag/${TagKey}"
"""The key of a tag of what a request is about."""
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9]+)\}")


def used(exposure: Exposure, actions: ActionSet) -> str:
    """The patterns that give the actions, the first few: `s3:*, sqs:SendMessage and 2 more`."""
    patterns = exposure.opening.action_patterns(actions)
    if not patterns:
        kept = ", ".join(pattern.text for pattern in exposure.statement.actions[:MAX_NAMES])
        return f"all but {kept}"
    names = list(dict.fromkeys(pattern.text for pattern in patterns))
    if len(names) == 1:
        return names[0]
    if len(names) <= MAX_NAMES:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:MAX_NAMES])} and {len(names) - MAX_NAMES} more"


def widest(exposure: Exposure, actions: Iterable[str]) -> Pattern | None:
    """The resource pattern that opens the first of some actions."""
    first = next(iter(actions), "")
    return exposure.opening.resource_pattern(exposure.catalog.action(first))


def where(resource: Pattern | None) -> str:
    """On what, for messages: `every resource`, `any arn:aws:ec2:*:*:instance/*`."""
    if resource is None:
        return "every resource but some"
    return "every resource" if resource.text == "*" else f"any {resource.text}"


def formats(actions: Iterable[str], resource: Pattern | None, catalog: Catalog) -> str:
    """The ARNs to write instead of the wildcard: `arn:aws:sqs:REGION:ACCOUNT:QueueName`."""
    found: dict[str, None] = {}
    for _, name in zip(range(MAX_TRIED), actions, strict=False):
        action = catalog.action(name)
        template = _template(action, resource) if action is not None else ""
        if template:
            found[_PLACEHOLDER.sub(_shown, template)] = None
    return " or ".join(list(found)[:MAX_FORMATS])


def is_told_by_tag(actions: Iterable[str], resource: Pattern | None, catalog: Catalog) -> bool:
    """Whether AWS makes up the names of what the first of some actions is about, and has tags.

    What is made for the first time has none.
    """
    action = catalog.action(next(iter(actions), ""))
    if action is None or _MAKING.match(action.name) is not None:
        return False
    template = _template(action, resource)
    return bool(template) and _is_made_up(template) and catalog.is_key_available(TAG, str(action))


def _template(action: Action, resource: Pattern | None) -> str:
    """The ARN of the type that an action is mainly about, of those left open.

    Of equals the one that somebody can write down: a chosen name before one that AWS makes up.
    """
    uses = [use for use in action.resources if use.type.arn]
    uses.sort(key=lambda use: _is_made_up(use.type.arn))
    if resource is not None:
        uses = [u for u in uses if leaves_name_open(resource, u.type.arn) is not Truth.NO] or uses
        uses.sort(key=lambda use: -_likeness(use.type.arn, resource.text))
    uses.sort(key=lambda use: not use.is_required)
    return uses[0].type.arn.partition(",")[0] if uses else ""


def _likeness(template: str, arn: str) -> int:
    """How many fields two ARNs have alike: written the same, empty, or filled in."""
    pairs = zip(template.split(":", ARN_COLONS), arn.split(":", ARN_COLONS), strict=False)
    return sum(1 for ours, theirs in pairs if ours == theirs or ("$" in ours and theirs != ""))


def _shown(placeholder: re.Match[str]) -> str:
    name = placeholder.group(1)
    return {"Partition": "aws", "Region": "REGION", "Account": "ACCOUNT"}.get(name, name)


def leaves_out_what_it_makes(action: Action, statement: Statement) -> bool:
    """Whether a statement allows an action on what goes into something new, and not on that.

    AWS asks for all of it at once: `ec2:RunInstances` on images and subnets alone starts nothing.
    """
    made = _made_by(action)
    if made is None or statement.is_not_resource or not statement.has_resource:
        return False
    new = text_tokens(made.type.glob, Wildcards.ARN)
    return not any(may_meet(pattern.arn_tokens, new) for pattern in statement.resources)


def _made_by(action: Action) -> ResourceUse | None:
    """The type of what an action makes, by its name: `instance` of `RunInstances`."""
    verb = _MAKING.match(action.name)
    if verb is None:
        return None
    made = action.name[verb.end() :].lower()
    for use in action.resources:
        if made in (kind := use.type.name.replace("-", "").lower(), f"{kind}s"):
            return use
    return None


def _is_made_up(template: str) -> bool:
    """Whether AWS makes up what the ARNs of a type end with, or they all end alike."""
    return template.endswith(("Id}", "Identifier}")) or not template.endswith("}")


def names_itself(action: Action) -> bool:
    """Whether an action makes something whose name AWS makes up, so that nobody can write it down.

    Told by the ARNs: `security-group/${SecurityGroupId}` is made up, `${BucketName}` is chosen.
    """
    if not action.name.startswith("Create"):
        return False
    arns = [use.type.arn for use in action.resources if use.type.arn]
    return bool(arns) and all(arn.endswith("Id}") for arn in arns)
