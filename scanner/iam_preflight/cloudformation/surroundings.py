"""What a template says beside its resources, as resources for whoever asks for them.

- `terraform_output`   an output of a stack, in Terraform's words: `value` and `description`
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iam_preflight.cloudformation.intrinsics import evaluate
from iam_preflight.resources import Resource
from iam_preflight.values import Assumption, LazyEntries, Mapping, Reference, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.cloudformation.scope import Scope
    from iam_preflight.cloudformation.stack import Stack
    from iam_preflight.values import Value

OUTPUT = "terraform_output"


def outputs_of(stack: Stack, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
    """The outputs of one stack: whoever may describe the stack reads them."""
    section = stack.template.section("Outputs")
    if section is None or not is_wanted(OUTPUT):
        return
    for name, (raw, scope) in stack.outputs.items():
        assumptions = stack.assumptions
        condition = text_of(raw.get("Condition"))
        if condition is not None:
            outcome = stack.outcome(condition, raw.entries["Condition"].span)
            if outcome is False:
                continue
            if isinstance(outcome, Assumption):
                assumptions = (*assumptions, outcome)
                scope = scope.assume(outcome)
        header = section.key_span(name) if name in section.entries else raw.span
        address = f"{stack.address}Outputs.{name}"
        yield Resource(
            address=address,
            type=OUTPUT,
            native_type="Output",
            name=name,
            attributes=_attributes(raw, scope, address),
            span=raw.span,
            header=header,
            deployment=stack.deployment,
            provider=stack.provider,
            calls=stack.calls,
            assumptions=assumptions,
        )


def _attributes(raw: Mapping, scope: Scope, address: str) -> Mapping:
    pending: dict[str, Callable[[], Value]] = {}
    spans = {}
    for written, attribute in (("Value", "value"), ("Description", "description")):
        value = raw.get(written)
        if value is not None:
            pending[attribute] = functools.partial(evaluate, value, scope)
            spans[attribute] = raw.key_span(written)
    return Mapping(LazyEntries(pending), raw.span, spans, None, Reference(address, ""))
