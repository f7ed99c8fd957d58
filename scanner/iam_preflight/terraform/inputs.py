"""Where the values of variables come from, in Terraform's order of precedence.

Lowest first: `TF_VAR_` in the environment, terraform.tfvars, terraform.tfvars.json,
*.auto.tfvars and *.auto.tfvars.json by name, then what the command line gives, in its order.
https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from iam_preflight.errors import UsageError
from iam_preflight.source import SourceFile, Span
from iam_preflight.terraform import types
from iam_preflight.terraform.evaluation import evaluate
from iam_preflight.terraform.tree import Complaints
from iam_preflight.values import Known, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from iam_preflight.terraform.configuration import Configuration, Module
    from iam_preflight.terraform.scope import Scope

Inputs: TypeAlias = "dict[str, Callable[[Scope], Value]]"
"""The value given to each variable, to be worked out in the scope of the module's root."""

ENVIRONMENT_PREFIX = "TF_VAR_"


class Assignments(Struct, frozen=True):
    """What the user gives beside the files of a root."""

    command_line: tuple[tuple[str, str], ...] = ()
    """(`var`, `NAME=VALUE`) and (`file`, path from the top of the tree), in order."""
    environment: Mapping[str, str] = field(default_factory=dict)


def collect(
    configuration: Configuration, module: Module, assignments: Assignments
) -> tuple[Inputs, tuple[str, ...]]:
    """The values given to a root's variables, and the names of the files they came from."""
    inputs: Inputs = {}
    files: list[str] = []
    for name, text in assignments.environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            variable = name.removeprefix(ENVIRONMENT_PREFIX)
            if variable in module.variables:
                inputs[variable] = _parsed(module, variable, text, name)
    for path in module.tfvars:
        inputs.update(_from_file(configuration, path))
        files.append(path)
    for kind, text in assignments.command_line:
        if kind == "file":
            inputs.update(_from_file(configuration, text))
            files.append(text)
            continue
        variable, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--var {text}: expected NAME=VALUE")
        if variable in module.variables:
            inputs[variable] = _parsed(module, variable, value, f"--var {variable}")
    return inputs, tuple(files)


def _from_file(
    configuration: Configuration, path: str
) -> Iterator[tuple[str, Callable[[Scope], Value]]]:
    file = configuration.values_file(path)
    if file is None:
        return
    for name, attribute in file.attributes.items():
        yield name, functools.partial(evaluate, attribute.expression)


def _parsed(module: Module, variable: str, text: str, shown: str) -> Callable[[Scope], Value]:
    """A value given as text: taken as it is, or as an expression where the type is no scalar."""
    wanted = type_of(module, variable)
    source = SourceFile(shown, text.encode("utf-8", "surrogateescape"))
    whole = source.whole()
    if wanted.is_primitive or "type" not in module.variables[variable].body.attributes:
        return lambda _: Known(text, whole)

    def value(scope: Scope) -> Value:
        from iam_preflight.terraform.expressions import parse_expression

        def place(start: int, end: int) -> Span:
            return Span(source, min(start, whole.end), min(end, whole.end))

        complaints = Complaints(scope.frame.problems)
        return evaluate(parse_expression(source.data, whole, place, complaints), scope)

    return value


def type_of(module: Module, variable: str) -> types.Type:
    """The declared type of a variable; `any` where there is none."""
    if variable not in module.types:
        attribute = module.variables[variable].body.attributes.get("type")
        found = types.ANY if attribute is None else types.read_type(attribute.expression)
        module.types[variable] = found
    return module.types[variable]
