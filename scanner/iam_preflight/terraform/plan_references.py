"""Follows the references in a plan's configuration: to resources, variables, modules, each.

A plan says what an expression refers to and not what it does with it, so an answer is given only
for the plain reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from iam_preflight.terraform.plan import (
    INDEX,
    Planned,
    as_mapping,
    decoded,
    without_keys,
)
from iam_preflight.values import Known, Reference, Value

if TYPE_CHECKING:
    from iam_preflight.terraform.plan_reader import PlanReader

MAX_DEPTH = 30
_STEP = re.compile(r'([^.\[\]"]+)|\[(\d+|"(?:[^"\\]|\\.)*")\]')


def references_of(expression: Any) -> list[str]:
    """The references of an expression, each once."""
    return list(dict.fromkeys(each_reference(expression)))


def each_reference(expression: Any) -> list[str]:
    """The references of an expression as they come, without the shorter forms that follow."""
    listed = as_mapping(expression).get("references")
    found: list[str] = []
    for reference in listed if isinstance(listed, list) else ():
        if not isinstance(reference, str):
            continue
        if found and found[-1].startswith(reference) and found[-1] != reference:
            continue
        found.append(reference)
    return found


def steps_of(reference: str) -> list[str | int]:
    """`aws_iam_role.a["x"].arn` → `["aws_iam_role", "a", "x", "arn"]`, keys after a mark."""
    steps: list[str | int] = []
    for found in _STEP.finditer(reference):
        if found[1] is not None:
            steps.append(found[1])
        elif found[2].startswith('"'):
            steps.append("\0" + _unquoted(found[2]))
        else:
            steps.append(int(found[2]))
    return steps


def _unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text.encode(), type=str)
    except msgspec.MsgspecError:
        return text[1:-1]


class Follower:
    def __init__(self, reader: PlanReader, depth: int = 0) -> None:
        self.reader = reader
        self.plan = reader.plan
        self.depth = depth

    def follow(self, reference: str, planned: Planned, module: str) -> Value | None:
        """The value of a plain reference, as seen by an instance in a module; None if unclear."""
        if self.depth > MAX_DEPTH:
            return None
        steps = steps_of(reference)
        match steps:
            case ["each", "key"] if planned.index is not None:
                return self._constant(planned.index)
            case ["count", "index"] if planned.index is not None:
                return self._constant(planned.index)
            case ["each", "value", *rest]:
                return self._each(rest, planned, module)
            case ["var", str(name)]:
                return self._variable(name, module)
            case ["module", str(), *_]:
                return self._output(steps, module)
        found = self._instance(steps, planned, module)
        if found is None:
            return None
        target, rest = found
        if len(rest) != 1 or not isinstance(rest[0], str):
            return None
        return self.reader.entries(target).attribute(rest[0], self.reader.place(target.address))

    def target(self, reference: str, planned: Planned, module: str) -> Reference | None:
        """The attribute of the instance that a reference means; None if that is unclear."""
        found = self._instance(steps_of(reference), planned, module)
        if found is None:
            return None
        target, rest = found
        return Reference(target.address, ".".join(str(step).lstrip("\0") for step in rest))

    def _deeper(self) -> Follower:
        return Follower(self.reader, self.depth + 1)

    def _constant(self, value: Any) -> Value:
        return Known(value, self.reader.place(""))

    def _instance(
        self, steps: list[str | int], planned: Planned, module: str
    ) -> tuple[Planned, list[str | int]] | None:
        """The instance that a reference begins with, and the steps after it."""
        is_data = bool(steps) and steps[0] == "data"
        head = steps[1:] if is_data else steps
        if len(head) < 2 or not all(isinstance(step, str) for step in head[:2]):
            return None
        prefix = f"{module}." if module else ""
        base = f"{prefix}{'data.' if is_data else ''}{head[0]}.{head[1]}"
        instances = self.plan.by_base.get(base)
        if not instances:
            return None
        rest = head[2:]
        key: str | int | None = None
        if rest and (isinstance(rest[0], int) or rest[0].startswith("\0")):
            key = rest[0] if isinstance(rest[0], int) else rest[0][1:]
            rest = rest[1:]
            chosen = [found for found in instances if found.index == key]
        else:
            chosen = [found for found in instances if found.index == planned.index]
            if not chosen and len(instances) == 1:
                chosen = instances
        return (chosen[0], rest) if len(chosen) == 1 else None

    def _each(self, rest: list[str | int], planned: Planned, module: str) -> Value | None:
        """`each.value.x` where `for_each` is a resource: the attribute of its instance."""
        config = self.plan.by_config.get(without_keys(planned.base))
        if config is None or len(rest) != 1 or not isinstance(rest[0], str):
            return None
        expression = decoded(config.for_each_expression)
        references = references_of(expression)
        if len(references) != 1:
            return None
        found = self._instance(steps_of(references[0]), planned, module)
        if found is None or found[1]:
            return None
        target = found[0]
        return self.reader.entries(target).attribute(rest[0], self.reader.place(target.address))

    def _variable(self, name: str, module: str) -> Value | None:
        if not module:
            variables = self.plan.variables
            return self.reader.value(variables[name]) if name in variables else None
        call = self.plan.calls.get(without_keys(module))
        if call is None:
            return None
        arguments = decoded(call.expressions)
        expression = arguments.get(name) if isinstance(arguments, dict) else None
        if not isinstance(expression, dict):
            return None
        if "constant_value" in expression:
            return self.reader.value(expression["constant_value"])
        references = references_of(expression)
        if len(references) != 1:
            return None
        parent, key = _parent(module)
        caller = Planned("", "", "", "", key, parent, *([msgspec.Raw(b"null")] * 3))
        return self._deeper().follow(references[0], caller, parent)

    def _output(self, steps: list[str | int], module: str) -> Value | None:
        """`module.x["k"].output` of a child module."""
        name, rest = steps[1], steps[2:]
        prefix = f"{module}." if module else ""
        child = f"{prefix}module.{name}"
        if rest and (isinstance(rest[0], int) or rest[0].startswith("\0")):
            key = rest[0] if isinstance(rest[0], int) else f'"{rest[0][1:]}"'
            child, rest = f"{child}[{key}]", rest[1:]
        if len(rest) != 1 or not isinstance(rest[0], str):
            return None
        inside = self.plan.modules.get(without_keys(child))
        output = inside.outputs.get(rest[0]) if inside is not None else None
        expression = decoded(output.expression) if output is not None else None
        if not isinstance(expression, dict):
            return None
        if "constant_value" in expression:
            return self.reader.value(expression["constant_value"])
        references = references_of(expression)
        if len(references) != 1:
            return None
        inner = Planned("", "", "", "", None, child, *([msgspec.Raw(b"null")] * 3))
        return self._deeper().follow(references[0], inner, child)


def _parent(module: str) -> tuple[str, str | int | None]:
    """The module that calls a module instance, and the instance's key."""
    key: str | int | None = None
    found = list(INDEX.finditer(module))
    if found and found[-1].end() == len(module):
        text = found[-1][1]
        key = text[1:-1] if text.startswith('"') else int(text)
        module = module[: found[-1].start()]
    parent = module.rpartition("module.")[0].rstrip(".")
    return parent, key
