"""`Policies` of SAM functions and state machines: managed names, documents, policy templates.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-templates.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from iam_preflight.cloudformation.raw import is_no_value, raw, ref, sub
from iam_preflight.cloudformation.scope import function_of, label_of
from iam_preflight.knowledge.managed import managed_policies
from iam_preflight.knowledge.reading import read_data
from iam_preflight.values import (
    Known,
    Listing,
    Mapping,
    Reason,
    Unknown,
    Value,
    is_null,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span

NO_VALUE = ref("AWS::NoValue")


class PolicyTemplate(msgspec.Struct, frozen=True):
    parameters: list[str]
    statement: list[Any]


class _Templates(msgspec.Struct):
    templates: dict[str, PolicyTemplate]


@functools.cache
def policy_templates() -> dict[str, PolicyTemplate]:
    return read_data("sam_policy_templates.json", _Templates).templates


class HeldPolicies(Struct, frozen=True):
    """What one entry of `Policies` puts on the role: raw, either or both of them."""

    managed: Value | None = None
    inline: Value | None = None


def policy_entries(policies: Value | None) -> Iterator[Value]:
    """The entries of `Policies`, whether it is a list or one entry."""
    if policies is None or is_null(policies):
        return
    yield from policies.items if isinstance(policies, Listing) else (policies,)


def held_policies(policy: Value, name: str) -> HeldPolicies:
    """One entry of `Policies`; `name` is what an inline policy made from it is called."""
    function = function_of(policy)
    if function is not None and function[0] == "Fn::If":
        return _either(policy, function[1], name)
    match policy:
        case Known(value=None):
            return HeldPolicies()
        case Known():
            return HeldPolicies(managed=managed_arn(policy))
        case Mapping() if function is not None:
            return HeldPolicies(managed=policy)
        case Mapping(entries=entries) if "Statement" in entries:
            return HeldPolicies(inline=_named(name, policy))
        case Mapping(entries=entries) if len(entries) == 1:
            (template,) = entries
            known = policy_templates().get(template)
            if known is not None:
                place = policy.key_span(template)
                document = expand_template(known, entries[template], place)
                return HeldPolicies(inline=_named(name, document))
        case _:
            pass
    hole = Unknown(Reason.UNSUPPORTED, f"SAM policy {label_of(policy)}"[:80], policy.span)
    return HeldPolicies(inline=_named(name, hole))


def _named(name: str, document: Value) -> Value:
    span = document.span
    return Mapping({"PolicyName": Known(name, span), "PolicyDocument": document}, span)


def _either(policy: Value, arguments: Value, name: str) -> HeldPolicies:
    if not isinstance(arguments, Listing) or len(arguments.items) != 3:
        return HeldPolicies(managed=policy)
    condition, *arms = arguments.items
    first, second = (
        HeldPolicies() if is_no_value(arm) else held_policies(arm, name) for arm in arms
    )

    def choose(left: Value | None, right: Value | None) -> Value | None:
        if left is None and right is None:
            return None
        chosen = [condition, left or NO_VALUE, right or NO_VALUE]
        return raw({"Fn::If": chosen}, policy.span)

    return HeldPolicies(choose(first.managed, second.managed), choose(first.inline, second.inline))


def managed_arn(name: Value) -> Value:
    """The ARN of a policy that AWS manages, for its name; any other text is an ARN itself."""
    text = text_of(name)
    arn = managed_policies().arn(text, "${AWS::Partition}") if text is not None else None
    return raw(sub(arn), name.span) if arn is not None else name


def aws_policy(name: str, place: Span) -> Value:
    """The ARN of a policy that AWS manages, wanted at a place."""
    return managed_arn(raw(name.rpartition("/")[2], place))


def expand_template(template: PolicyTemplate, parameters: Value, place: Span) -> Value:
    """The document that a policy template stands for, at the place of the template's name."""
    given: dict[str, Value] = {}
    if isinstance(parameters, Mapping):
        given = {name: parameters.entries[name] for name in parameters.entries}
    for name in template.parameters:
        hole = Unknown(Reason.MISSING, f"{name} of a policy template", place)
        given.setdefault(name, hole)
    return raw({"Statement": fill(template.statement, given)}, place)


def fill(data: Any, given: dict[str, Value]) -> Any:
    """A template's statements with `{"Ref": Parameter}` replaced by what is given for it."""
    match data:
        case {"Ref": str(name)} if len(data) == 1 and name in given:
            return given[name]
        case dict():
            return {key: fill(item, given) for key, item in data.items()}
        case list():
            return [fill(item, given) for item in data]
        case _:
            return data
