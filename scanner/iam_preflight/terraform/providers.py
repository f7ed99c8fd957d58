"""Provider configurations: those of a module, those passed to it, and the one of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.resources import Provider
from iam_preflight.terraform import tree
from iam_preflight.terraform.configuration import alias_of
from iam_preflight.terraform.resources import BodyEntries, entries_in
from iam_preflight.values import Mapping

if TYPE_CHECKING:
    from iam_preflight.terraform.configuration import Module
    from iam_preflight.terraform.scope import Scope


def own_providers(module: Module, scope: Scope, passed: dict[str, Provider]) -> dict[str, Provider]:
    """By name (`aws`, `aws.eu`): those passed to a module and those that it configures."""
    providers = dict(passed)
    for (name, _), block in module.providers.items():
        alias = alias_of(block)
        settings = Mapping(BodyEntries(entries_in(block.body), scope), block.span)
        key = f"{name}.{alias}" if alias else name
        providers[key] = Provider(alias, settings, block.header)
    return providers


def provider_of(block: tree.Block, resource_type: str, providers: dict[str, Provider]) -> Provider:
    """The configuration that a resource uses: named, or the default one of its type's provider."""
    attribute = block.body.attributes.get("provider")
    if attribute is None:
        name = resource_type.partition("_")[0]
    else:
        name = _name(attribute.expression)
    return providers.get(name) or Provider(alias=name.partition(".")[2])


def passed_providers(block: tree.Block, providers: dict[str, Provider]) -> dict[str, Provider]:
    """What a module call hands down: the default configurations, and those it names."""
    passed = {name: provider for name, provider in providers.items() if "." not in name}
    attribute = block.body.attributes.get("providers")
    if attribute is not None and isinstance(attribute.expression, tree.Object):
        passed = {}
        for key, value in attribute.expression.entries:
            outer = providers.get(_name(value))
            if outer is not None:
                passed[_name(key)] = outer
        for name, provider in providers.items():
            if "." not in name:
                passed.setdefault(name, provider)
    return passed


def _name(expression: tree.Expression) -> str:
    """`aws.eu`, written as a reference or, in JSON and of old, as a string."""
    match expression:
        case tree.Literal(value=str(text)):
            return text
        case tree.Variable(name=name):
            return name
        case tree.GetAttribute(operand=tree.Variable(name=name), name=alias):
            return f"{name}.{alias}"
        case tree.Index(operand=operand):
            return _name(operand)
        case _:
            return expression.span.text.strip()
