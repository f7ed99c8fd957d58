"""How wide a statement is: whether its resources are broad, and what its conditions restrict.

S3 and S4 of the rule catalogue. Both are about one action: a resource pattern is broad for the
actions whose resources it covers, a condition restricts the actions whose requests carry its key.
"""

from __future__ import annotations

import functools
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.knowledge.catalog import Restriction
from iam_preflight.knowledge.home_regions import home_regions
from iam_preflight.policy.automaton import ANY, ANY_INSIDE, ONE
from iam_preflight.policy.conditions import (
    KNOWN_OPERATORS,
    REGION,
    TEXT_OPERATORS,
    TIMES,
    ConditionMatcher,
    compare,
    network_of,
)
from iam_preflight.policy.context import UNKNOWN_CONTEXT
from iam_preflight.policy.globs import (
    ARN_COLONS,
    Relation,
    Symbol,
    Wildcards,
    fields_of,
    is_anything,
    may_meet,
    relation,
    text_tokens,
)
from iam_preflight.policy.match import text_matches
from iam_preflight.policy.truth import Truth
from iam_preflight.values import Reason, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.knowledge.catalog import Action, Catalog, ConditionKey
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import Condition, Pattern, Statement

_OPEN_REASONS = frozenset(
    {Reason.VARIABLE, Reason.PARAMETER, Reason.FUNCTION, Reason.UNSUPPORTED, Reason.LIMIT}
)
"""Holes that may turn out to be a wildcard; the others are names that something will have."""
_ACCOUNTS_OF_RESOURCES = frozenset({"aws:resourceaccount", "s3:resourceaccount"})


# ---- resources (S3)


def is_broad(pattern: Pattern, action: Action) -> Truth:
    """Whether a resource pattern leaves the name open for some type of the action's resources.

    A fixed partition, region or account does not make it narrow, a fixed path or prefix does.
    No for actions that take no resource: they can only be granted on `*`.
    """
    if action.is_only_star:
        return Truth.NO
    templates = dict.fromkeys(use.type.arn for use in action.resources)
    truth = max(leaves_name_open(pattern, template) for template in templates)
    return min(truth, Truth.MAYBE) if pattern.assumptions else truth


def leaves_name_open(pattern: Pattern, template: str) -> Truth:
    """Whether a resource pattern covers every name of one type, given the type's ARN template."""
    wanted = pattern.arn_tokens
    if _leaves_name_open(wanted, template):
        return Truth.YES
    if may_be_wildcard(pattern):
        opened = tuple(ANY if isinstance(sign, Symbol) else sign for sign in wanted)
        return Truth.MAYBE if _leaves_name_open(opened, template) else Truth.NO
    return Truth.NO


def takes_in_all(pattern: Pattern, template: str) -> bool:
    """Whether a pattern matches every ARN of a type in its partition, whatever account it is in."""
    parts = template.split(":", ARN_COLONS)
    if not pattern.is_known or pattern.assumptions or len(parts) <= ARN_COLONS:
        return False
    if is_anything(pattern.arn_tokens):
        return True
    fields = _fields(pattern.arn_tokens)
    if len(fields) <= ARN_COLONS:
        return False
    *_, service, region, account, name = zip(fields, parts, strict=False)
    return relation(_opened(name[1], ONE, ANY), name[0]) is Relation.INSIDE and all(
        relation(_opened(want, ANY_INSIDE), have) is Relation.INSIDE
        for have, want in (service, region, account)
    )


def may_be_wildcard(pattern: Pattern) -> bool:
    """Whether one of its holes may turn out to be a wildcard."""
    return any(hole.reason in _OPEN_REASONS and not hole.is_name for hole in pattern.holes)


@functools.lru_cache(maxsize=65536)
def _leaves_name_open(pattern: Tokens, template: str) -> bool:
    if is_anything(pattern):
        return True
    fields = _fields(pattern)
    parts = template.split(":", ARN_COLONS)
    if len(parts) <= ARN_COLONS or "${" not in parts[ARN_COLONS]:
        return False
    name = fields[ARN_COLONS] if len(fields) > ARN_COLONS else ()
    if ANY not in name:
        return False
    for have, want in zip(fields, parts[:ARN_COLONS], strict=False):
        if not may_meet(have, _opened(want, ANY_INSIDE)):
            return False
    # whatever stands for a name has at least one character, so that `?*` is as broad as `*`
    return relation(_opened(parts[ARN_COLONS], ONE, ANY), name) is Relation.INSIDE


@functools.lru_cache(maxsize=4096)
def _opened(template: str, *wildcard: str) -> Tokens:
    """A template's text with wildcards for each `${Placeholder}`."""
    out: list[str] = []
    rest = template
    while rest:
        known, opening, rest = rest.partition("${")
        out.extend(known)
        if opening:
            out.extend(wildcard)
            rest = rest.partition("}")[2]
    return tuple(out)


@functools.lru_cache(maxsize=65536)
def _fields(pattern: Tokens) -> list[Tokens]:
    """An ARN pattern's six fields; one that ends early with `*` has it for all that follow."""
    fields = fields_of(pattern)
    if len(fields) <= ARN_COLONS and fields[-1][-1:] == (ANY,):
        fields.extend((ANY,) for _ in range(ARN_COLONS + 1 - len(fields)))
    return fields


def breadth(statement: Statement, action: Action) -> tuple[Truth, Pattern | None]:
    """Whether a statement's resources are broad for an action, and the pattern that makes it so.

    Everything but something is broad; the pattern is then None.
    """
    if not statement.has_resource:
        return Truth.NO, None
    if statement.is_not_resource:
        everything = any(is_anything(p.arn_tokens) for p in statement.resources)
        return Truth.of(not everything and not action.is_only_star), None
    best: tuple[Truth, Pattern | None] = (Truth.NO, None)
    for pattern in statement.resources:
        truth = is_broad(pattern, action)
        if truth > best[0]:
            best = (truth, pattern)
    return best


# ---- conditions (S4)


class Strength(IntEnum):
    """What a condition does for one action."""

    NOTHING = 0
    HOME = 1
    """It keeps to the own account or organization, as an ARN's account does: nothing is milder."""
    CONTEXT = 2
    """It restricts when, where or how: a finding gets milder."""
    SCOPE = 3
    """It restricts who or what: there is no finding."""
    NEVER = 4
    """No request for the action can meet it: the statement is without effect."""


class Judgement(Struct, frozen=True):
    """What one condition does for one action, and why."""

    condition: Condition
    strength: Strength
    why: str
    """A clause for people: `the key is not part of such requests, and IfExists lets them pass`."""
    is_certain: bool = True
    """False where a hole decides: the strength is then what it will be at best."""


def judge(statement: Statement, action: str, catalog: Catalog) -> Iterator[Judgement]:
    """What each condition of a statement does for an action."""
    for condition in statement.conditions:
        yield _judge(condition, statement, action, catalog)


def restriction(statement: Statement, action: str, catalog: Catalog) -> Strength:
    """How much a statement's conditions restrict an action, taken together."""
    return max(
        (judgement.strength for judgement in judge(statement, action, catalog)),
        default=Strength.NOTHING,
    )


def _judge(condition: Condition, statement: Statement, action: str, catalog: Catalog) -> Judgement:
    def found(strength: Strength, why: str, *, is_certain: bool = True) -> Judgement:
        return Judgement(condition, strength, why, is_certain and not condition.assumptions)

    how = condition.operator
    if how.base not in KNOWN_OPERATORS or not condition.key.is_known:
        return found(Strength.SCOPE, "what it asks for is not known here", is_certain=False)
    key = catalog.condition_key(condition.key_name)
    name = key.name if key is not None and "${" not in key.name else condition.key.text
    fails_closed = _fails_closed(condition, statement)
    if not catalog.is_key_available(condition.key_name, action) and not (
        key is not None and key.is_global and fails_closed
    ):
        if fails_closed:
            return found(Strength.NEVER, f"no request for {action} carries {name}")
        return found(
            Strength.NOTHING,
            f"no request for {action} carries {name}, and without it anyone passes",
        )
    homes = home_regions(action) if condition.key_name == REGION else ()
    if homes:
        truth, _ = ConditionMatcher(condition, False).holds_in(homes, UNKNOWN_CONTEXT)
        if truth is Truth.NO:
            return found(Strength.NEVER, f"requests for {action} only go to {homes[0]}")
    if how.base == "null":
        answers = {value.text.lower() for value in condition.values}
        if {"true", "false"} <= answers:
            return found(Strength.NOTHING, f"anyone passes, with {name} or without")
        if "true" in answers:
            return found(Strength.CONTEXT, f"only requests without {name} pass")
        return found(_worth_of_presence(name), f"any value of {name} will do")
    if how.is_negated and _names_own_account(condition):
        return found(Strength.SCOPE, "only what other accounts share passes")
    if not fails_closed and not (key is not None and key.is_always_there):
        return found(Strength.NOTHING, _open_because(condition, name))
    if how.is_negated:
        return found(Strength.NOTHING, f"every {name} passes but those named")
    if condition.key_name in TIMES and "greaterthan" in how.base and not _has_end(statement):
        return found(Strength.NOTHING, f"{name} only has a beginning, which passes for good")
    for value in condition.values:
        why = _why_open(value, condition, key, name)
        if why:
            is_any = condition.operator.base in TEXT_OPERATORS and fails_closed
            return found(_worth_of_presence(name) if is_any else Strength.NOTHING, why)
    if _is_at_home(condition) and not action.startswith("sts:"):
        return found(Strength.HOME, f"{name} is that of what one has oneself")
    is_scope = key is None or key.restriction is Restriction.SCOPE
    is_certain = all(value.is_known for value in condition.values)
    if is_scope:
        return found(Strength.SCOPE, f"only named values of {name} pass", is_certain=is_certain)
    return found(
        Strength.CONTEXT,
        f"{name} says where or how a request is made, not what it is about",
        is_certain=is_certain,
    )


def _is_at_home(condition: Condition) -> bool:
    """Whether it asks for resources of the own account or organization.

    Whoever has a policy of that account can use hardly any others.
    """
    return condition.key_name == "aws:resourceorgid" or _names_own_account(condition)


def _names_own_account(condition: Condition) -> bool:
    return condition.key_name in _ACCOUNTS_OF_RESOURCES and any(
        value.text == "${aws:PrincipalAccount}"
        or any(isinstance(part, Unknown) and part.reason is Reason.ACCOUNT for part in value.parts)
        for value in condition.values
    )


def _worth_of_presence(key: str) -> Strength:
    """What it restricts that a key is there, whatever its value.

    Few resources carry a certain tag; most other keys are in every request of their kind.
    """
    name = key.lower().partition(":")[2].partition("/")[0]
    if name in ("resourcetag", "existingobjecttag"):
        return Strength.SCOPE
    is_chosen = name in ("requesttag", "requestobjecttag") or name.startswith("encryptioncontext:")
    return Strength.CONTEXT if is_chosen else Strength.NOTHING


def _fails_closed(condition: Condition, statement: Statement) -> bool:
    """Whether requests without the key do not pass."""
    how = condition.operator
    if how.base == "null":
        return condition.asks_for_key
    if how.is_if_exists or (how.is_negated and how.quantifier != "foranyvalue"):
        return False
    return how.quantifier != "forallvalues" or _must_be_there(condition.key_name, statement)


def _must_be_there(key: str, statement: Statement) -> bool:
    """Whether another condition asks for the key: `Null: false`, or `ForAnyValue`."""
    return any(
        other.key_name == key
        and (
            other.asks_for_key
            or (other.operator.quantifier == "foranyvalue" and not other.operator.is_if_exists)
        )
        for other in statement.conditions
    )


def _open_because(condition: Condition, name: str) -> str:
    how = condition.operator
    if how.is_if_exists:
        return f"IfExists lets requests without {name} pass"
    if how.is_negated:
        return f"requests without {name} pass"
    return f"ForAllValues lets requests without {name} pass"


def _has_end(statement: Statement) -> bool:
    return any(
        other.key_name in TIMES and "lessthan" in other.operator.base
        for other in statement.conditions
    )


def _why_open(value: Pattern, condition: Condition, key: ConditionKey | None, name: str) -> str:
    """Why a value lets everything pass; empty where it does not."""
    if not value.is_known or value.assumptions:
        return ""
    base = condition.operator.base
    if key is not None:
        for usual in key.usual:
            if _matches(base, value, usual):
                return f"{name} is {usual} in ordinary requests"
    if base in TEXT_OPERATORS:
        wildcards = TEXT_OPERATORS[base]
        pattern = text_tokens(value.text, wildcards)
        open_texts = ("*", "arn:*", "arn:*:*:*:*:*", "o-*", "????????????")
        samples = (text_tokens(text, Wildcards.ARN) for text in open_texts[:3])
        if wildcards is Wildcards.NONE:
            return ""
        if is_anything(pattern) or value.text.strip("*?") == "" or value.text in open_texts:
            return f"{value.text} is any {name}"
        if base.startswith("arn") and any(
            relation(sample, pattern) is Relation.INSIDE for sample in samples
        ):
            return f"{value.text} is any {name}"
    if base == "ipaddress":
        network = network_of(value.text)
        if network is not None and network.prefixlen == 0:
            return f"{value.text} is every address"
    return ""


def _matches(base: str, value: Pattern, actual: str) -> bool:
    if base in TEXT_OPERATORS:
        wanted = text_tokens(value.text, TEXT_OPERATORS[base])
        return text_matches(wanted, tuple(actual)) is Truth.YES
    return compare(base, value.text, actual)
