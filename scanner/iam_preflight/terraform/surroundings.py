"""What a configuration says beside its resources, as resources for whoever asks for them.

- `terraform_output`    an output of the root module: `value`, `sensitive`, `description`
- `terraform_provider`  a provider block: what it is configured with
- `terraform_backend`   where the state is kept: the arguments of the `backend` block
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.resources import Resource
from iam_preflight.terraform.resources import BodyEntries, Places, entries_in
from iam_preflight.values import Mapping, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.terraform.configuration import Module
    from iam_preflight.terraform.instances import ModuleInstance
    from iam_preflight.terraform.tree import Block

OUTPUT = "terraform_output"
PROVIDER = "terraform_provider"
BACKEND = "terraform_backend"


def surroundings_of(
    instance: ModuleInstance, is_wanted: Callable[[str], bool]
) -> Iterator[Resource]:
    """The outputs, providers and backend of a module instance, as far as somebody wants them."""
    prefix = f"{instance.address}." if instance.address else ""
    if is_wanted(PROVIDER):
        for (name, _), block in instance.module.providers.items():
            yield _resource(instance, block, PROVIDER, f"{prefix}provider.{name}", name)
    if instance.address:
        return  # what a called module outputs, its caller may use or not
    if is_wanted(OUTPUT):
        for name, block in instance.module.outputs.items():
            yield _resource(instance, block, OUTPUT, f"output.{name}", name)
    if is_wanted(BACKEND):
        for block in backends(instance.module):
            kind = block.labels[0] if block.labels else ""
            yield _resource(instance, block, BACKEND, f"terraform.backend.{kind}", kind)


def backends(module: Module) -> Iterator[Block]:
    """Where a module keeps its state, when it is the root: `backend` and `cloud` blocks."""
    for settings in module.settings.values():
        for block in settings.body.blocks:
            if block.type in ("backend", "cloud"):
                yield block


def is_library(module: Module) -> bool:
    """Whether a root is a module that other configurations call.

    It has inputs, nobody gives them here, and it says neither where to deploy nor where to keep
    the state.
    """
    return (
        bool(module.variables)
        and not module.providers
        and not module.tfvars
        and next(backends(module), None) is None
    )


def _resource(
    instance: ModuleInstance, block: Block, kind: str, address: str, name: str
) -> Resource:
    places = Places.of(block)
    entries = BodyEntries(entries_in(block.body), instance.scope)
    return Resource(
        address=address,
        type=kind,
        native_type=block.type,
        name=name,
        attributes=Mapping(entries, places.span, places.keys, None, Reference(address, "")),
        span=block.span,
        header=block.header,
        deployment=instance.root.deployment,
        calls=instance.calls,
        assumptions=instance.assumptions,
    )
