"""CloudFormation's names and Terraform's names for the same things.

The facts are in `knowledge/data/cloudformation_names.json`: for each CloudFormation type the
Terraform type, and the properties whose name is not just the other spelling of the Terraform
attribute. What is not listed keeps its type and turns `CamelCase` into `snake_case`.
"""

from __future__ import annotations

import functools
import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from iam_preflight.knowledge.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

SPREAD = "*"
"""The children of the property are attributes of the resource itself."""

_WORD_END = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@functools.lru_cache(maxsize=8192)
def snake_case(name: str) -> str:
    """`KMSKeyId` as `kms_key_id`; what does not begin with a capital stays as it is."""
    if not name[:1].isupper() or not name.isalnum():
        return name
    return _WORD_END.sub("_", name).lower()


class Derived(Struct, frozen=True):
    """A resource of Terraform's that CloudFormation writes inside another one."""

    type: str
    source: str
    """The property that it is made from; a path with dots."""
    is_each: bool = False
    """One resource for each item of the property."""
    own: str = ""
    """The attribute that refers to the resource it is written in."""
    own_attribute: str = ""
    """Which attribute of that resource it refers to; empty for what `Ref` gives."""
    item: str = ""
    """The attribute that takes the whole property, or the whole item."""
    statement: str = ""
    """The attribute that takes a policy document around the property, which is one statement."""
    attributes: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Properties of the object, or of each item, to attributes."""
    copy: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Properties of the resource it is written in to attributes."""


class TypeNames(Struct, frozen=True):
    """How one CloudFormation type is called and spelled in Terraform."""

    native: str
    type: str
    """Empty when CloudFormation's resource is only a way to write the derived ones."""
    attributes: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Property path to attribute: `Code.S3Bucket` to `s3_bucket` (lifted to the resource),
    to `.s3_bucket` (renamed where it is), to `*` (its children are lifted)."""
    lifted: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _EMPTY)
    """By property, its children that are attributes of the resource itself."""
    ref: str = "id"
    """The attribute that `Ref` returns."""
    returns: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """What `Fn::GetAtt` returns, by its name in CloudFormation."""
    texts: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Where it returns the attribute in another form: `{arn}:*`."""
    maps: frozenset[str] = frozenset()
    """Property paths whose keys are the user's own."""
    derived: tuple[Derived, ...] = ()

    def returned(self, attribute: str) -> str:
        """The attribute that `Fn::GetAtt` gives under a name of CloudFormation's."""
        found = self.returns.get(attribute)
        if found is not None:
            return found
        return ".".join(snake_case(part) for part in attribute.split("."))


@functools.cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(read_bytes("cloudformation_names.json"))
    return facts


@functools.cache
def names_of(native: str) -> TypeNames:
    """The names of a CloudFormation type; its own where Terraform has no such type."""
    known = _facts()["types"].get(native)
    if known is None:
        return TypeNames(native, native)
    attributes: dict[str, str] = known.get("attributes", {})
    lifted: dict[str, dict[str, str]] = {}
    for path, target in attributes.items():
        name, dot, child = path.partition(".")
        if dot and not target.startswith("."):
            lifted.setdefault(name, {})[child] = target
    return TypeNames(
        native=native,
        type=known.get("type", native),
        attributes=attributes,
        lifted=lifted,
        ref=known.get("ref", "id"),
        returns=known.get("returns", _EMPTY),
        texts=known.get("texts", _EMPTY),
        maps=frozenset(known.get("maps", ())),
        derived=tuple(_derived(one) for one in known.get("derived", ())),
    )


def _derived(facts: dict[str, Any]) -> Derived:
    each = facts.get("each")
    return Derived(
        type=facts["type"],
        source=each if each is not None else facts["from"],
        is_each=each is not None,
        own=facts.get("own", ""),
        own_attribute=facts.get("own_attribute", ""),
        item=facts.get("item", ""),
        statement=facts.get("statement", ""),
        attributes=facts.get("attributes", _EMPTY),
        copy=facts.get("copy", _EMPTY),
    )
