"""Access that is granted by attributes instead of a policy document, as the document it amounts to.

`aws_lambda_permission`, a share, a launch permission, a grant of a key: rules see one thing. Which
attribute says what is data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.knowledge.attribute_grants import attribute_grants
from iam_preflight.late_patterns import late
from iam_preflight.policy.document import (
    Condition,
    Document,
    Effect,
    Pattern,
    PrincipalPattern,
    Resolution,
    Statement,
    pattern_from,
)
from iam_preflight.policy.read import read_operator
from iam_preflight.values import blocks_of, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.knowledge.attribute_grants import Shape
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions, Mapping, Unknown, Value

_SERVICE = late(r"[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|amazon\.com|aws\.internal)")
_ACCOUNTS = late(r"\d{12}(?:\s*,\s*\d{12})+")


def granted_by(resource: Resource) -> Document | None:
    """What a resource grants by its attributes, as a document; None when it grants nothing."""
    if resource.is_data:
        return None
    statements: list[Statement] = []
    for shape in attribute_grants().get(resource.type, ()):
        if _applies(shape, resource):
            for principal, actions in _granted(shape, resource):
                statement = _statement(resource, shape, principal, actions, len(statements))
                statements.append(statement)
    if not statements:
        return None
    holes = tuple(_holes(statements))
    resolution = Resolution.PARTLY if holes else Resolution.FULL
    return Document(tuple(statements), resource.header, "2012-10-17", resolution, holes)


def _applies(shape: Shape, resource: Resource) -> bool:
    for attribute, wanted in shape.when.items():
        text = resource.text(attribute)
        if text is not None and text not in wanted:
            return False
    return True


def _granted(
    shape: Shape, resource: Resource
) -> Iterator[tuple[PrincipalPattern, tuple[str, ...]]]:
    """Whom it is granted to, and what, where that depends on whom."""
    for given, block in _places(shape, resource.attributes):
        for path in shape.principals:
            for more, value in values_at(block, path, given):
                for principal in _principals(shape, value, more):
                    actions = shape.by_value.get(text_of(value) or "", ())
                    yield principal, (*actions, *_by_sibling(shape, block))


def _places(shape: Shape, attributes: Mapping) -> Iterator[tuple[Assumptions, Mapping]]:
    if not shape.block:
        yield (), attributes
        return
    for given, value in values_at(attributes, shape.block):
        yield from blocks_of(value, given)


def _by_sibling(shape: Shape, block: Mapping) -> Iterator[str]:
    for attribute, actions in shape.actions_by.items():
        for _, value in items_of(block.get(attribute)):
            yield from actions.get(text_of(value) or "", ())


def values_at(
    block: Mapping, path: str, given: Assumptions = ()
) -> Iterator[tuple[Assumptions, Value]]:
    """The values of an attribute, given by a path through nested blocks."""
    name, _, rest = path.partition(".")
    value = block.get(name)
    if rest:
        for more, inner in blocks_of(value, given):
            yield from values_at(inner, rest, more)
    else:
        yield from items_of(value, given)


def _principals(shape: Shape, value: Value, given: Assumptions) -> Iterator[PrincipalPattern]:
    pattern = pattern_from(value, given)
    if pattern is None:
        return
    text = pattern.text
    if text in shape.everyone or (text == "*" and not shape.only_everyone):
        yield PrincipalPattern("*", _with_text(pattern, "*"))
    elif shape.only_everyone:
        return
    elif _SERVICE.fullmatch(text):
        yield PrincipalPattern("Service", pattern)
    elif _ACCOUNTS.fullmatch(text):
        for account in text.split(","):
            yield PrincipalPattern("AWS", _with_text(pattern, account.strip()))
    elif not pattern.is_known or text.isdigit() or text.startswith("arn:"):
        yield PrincipalPattern("AWS", pattern)


def _with_text(pattern: Pattern, text: str) -> Pattern:
    return Pattern((text,), pattern.span, pattern.assumptions)


def _statement(
    resource: Resource,
    shape: Shape,
    principal: PrincipalPattern,
    actions: tuple[str, ...],
    index: int,
) -> Statement:
    target = resource.get(shape.resource) if shape.resource else None
    about = pattern_from(target) if target is not None else None
    resources = () if about is None else (about,)
    return Statement(
        effect=Effect.ALLOW,
        actions=tuple(_actions(resource, shape, actions, principal)),
        resources=resources,
        principals=(principal,),
        conditions=tuple(_conditions(resource, shape)),
        span=resource.span,
        index=index,
        # the target is named as the attribute wants it, which need not be an ARN
        has_resource=False,
        has_principal=True,
        assumptions=principal.pattern.assumptions,
        key_spans={"Principal": principal.span},
    )


def _actions(
    resource: Resource, shape: Shape, fixed: tuple[str, ...], principal: PrincipalPattern
) -> Iterator[Pattern]:
    written = resource.get(shape.actions_from) if shape.actions_from else None
    found = False
    for given, item in items_of(written):
        pattern = pattern_from(item, given)
        if pattern is not None:
            found = True
            yield (
                Pattern((shape.prefix, *pattern.parts), pattern.span, given)
                if (shape.prefix)
                else pattern
            )
    if not found:
        for action in fixed or shape.actions:
            yield Pattern((action,), principal.span)


def _conditions(resource: Resource, shape: Shape) -> Iterator[Condition]:
    for attribute, (operator, name) in shape.conditions.items():
        for given, value in resource.arms(attribute):
            yield from _condition(operator, name, value, value.span, given)
    if not shape.condition_block:
        return
    for given, block in blocks_of(resource.get(shape.condition_block)):
        key, operator_name = text_of(block.get("key")), text_of(block.get("type"))
        item = block.get("value")
        if key is not None and operator_name is not None and item is not None:
            yield from _condition(operator_name, key, item, block.span, given)


def _condition(
    operator: str, key: str, value: Value, span: Span, given: Assumptions
) -> Iterator[Condition]:
    pattern = pattern_from(value, given)
    if pattern is not None:
        yield Condition(read_operator(operator), Pattern((key,), span), (pattern,), span, given)


def _holes(statements: list[Statement]) -> Iterator[Unknown]:
    for statement in statements:
        for principal in statement.principals:
            yield from principal.pattern.holes
        for pattern in (*statement.actions, *statement.resources):
            yield from pattern.holes
