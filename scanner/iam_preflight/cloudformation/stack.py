"""One stack: a template with the parameters it is given, and everything it can refer to.

A nested stack is a stack of its own with the parameters its parent passes; its resources carry
the parent's logical id in front of theirs (`Network.Role`) and belong to the same deployment.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from iam_preflight.cloudformation.cdk import CONSTRUCT_PATH
from iam_preflight.cloudformation.conditions import (
    FALSE,
    TRUE,
    Equal,
    Formula,
    Possibilities,
    negate,
)
from iam_preflight.cloudformation.formulas import assumed, formula_of, formula_size
from iam_preflight.cloudformation.intrinsics import evaluate, expand
from iam_preflight.cloudformation.names import names_of
from iam_preflight.cloudformation.parameters import (
    Parameter,
    declared_parameters,
    pseudo_parameter,
)
from iam_preflight.cloudformation.resources import Definition, Node
from iam_preflight.cloudformation.sam import PREFIX, Serverless
from iam_preflight.cloudformation.scope import Scope
from iam_preflight.cloudformation.surroundings import outputs_of
from iam_preflight.cloudformation.texts import placed
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.resources import Resource
from iam_preflight.timing import Stopwatch
from iam_preflight.values import (
    Absent,
    Assumption,
    Assumptions,
    Choice,
    Known,
    Mapping,
    Reason,
    Unknown,
    Value,
    choice,
    show,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Mapping as MappingABC

    from iam_preflight.cloudformation.template import Template
    from iam_preflight.resources import Deployment, Provider
    from iam_preflight.source import Span

MAX_HOPS = 40
"""References that are followed one through another."""
MAX_RESOURCES = 20_000
"""Resources of one stack, loops written out."""
MAX_FORMULA = 2_000
"""Comparisons in one condition, with the conditions it refers to written out."""


class Surroundings(Protocol):
    """What a stack asks of the scan that it is in."""

    timeout: float

    def keep_secret(self, value: Value) -> None:
        """Remembers what a parameter with NoEcho has, so that no label shows it."""

    def import_value(self, name: Value, span: Span, asking: Stack) -> Value:
        """What a stack of the scan exports under a name; a hole where none does."""

    def include(self, location: Value, asking: Stack) -> Value | None:
        """The content of a file for `AWS::Include`."""

    def child(self, definition: Definition, asking: Stack) -> Stack | None:
        """The stack that a nested stack makes; None when its template is not here."""

    def note(self, problem: Problem) -> None: ...


class Stack:
    """A template deployed with parameters."""

    def __init__(
        self,
        template: Template,
        deployment: Deployment,
        provider: Provider,
        surroundings: Surroundings,
        given: MappingABC[str, Value],
        pseudo: dict[str, str],
        address: str = "",
        calls: tuple[Span, ...] = (),
        assumptions: Assumptions = (),
        ancestry: tuple[str, ...] = (),
        constructs: MappingABC[str, str] | None = None,
        decided: MappingABC[str, Value] | None = None,
    ) -> None:
        self.template = template
        self.deployment = deployment
        self.provider = provider
        self.surroundings = surroundings
        self.given = given
        self.decided = decided
        """What of `given` somebody has decided: a parent's default is a hole here."""
        self.pseudo = pseudo
        self.address = address
        self.calls = calls
        self.assumptions = assumptions
        self.ancestry = ancestry or (template.path,)
        self.constructs = constructs or {}
        self.parameters = declared_parameters(template.section("Parameters"))
        self.possibilities = Possibilities(
            {
                name: parameter.allowed
                for name, parameter in self.parameters.items()
                if parameter.allowed and not parameter.is_list
            },
            self._meaning,
        )
        for parameter in self.parameters.values():
            if parameter.is_hidden:
                for value in (parameter.default, given.get(parameter.name)):
                    if value is not None:
                        surroundings.keep_secret(value)
        self.watch = Stopwatch(surroundings.timeout)
        self.scope = Scope(self, assumptions)
        self._formulas: dict[str, Formula | None] = {}
        self._nodes: dict[str, Node] = {}
        self._definitions: dict[str, Definition] | None = None
        self._children: dict[str, Stack | None] = {}
        self._references: dict[str, str] = {}
        self._hops = 0

    # ---- conditions

    @functools.cached_property
    def _conditions(self) -> dict[str, tuple[Value, Scope]]:
        section = self.template.section("Conditions")
        if section is None:
            return {}
        return {
            name: (raw, scope)
            for name, _, raw, scope in expand(section, self.scope)
            if name is not None
        }

    def condition(self, name: str, span: Span) -> Formula:
        if name in self._formulas:
            formula = self._formulas[name]
            if formula is None:
                self.note(f"condition {name} refers to itself", span)
                return Equal(f"({name})", "true")
            return formula
        found = self._conditions.get(name)
        if found is None:
            self.note(f"there is no condition {name}", span)
            formula = Equal(f"({name})", "true")
        else:
            self._formulas[name] = None
            raw, scope = found
            formula = formula_of(raw, scope)
            if formula_size(formula, MAX_FORMULA) >= MAX_FORMULA:
                formula = Equal(f"({name})", "true")
        if not self.possibilities.is_possible(formula):
            formula = FALSE
        elif not self.possibilities.is_possible(formula, negated=True):
            formula = TRUE
        self._formulas[name] = formula
        return formula

    def outcome(self, name: str, span: Span) -> Assumption | bool:
        """A condition as an assumption that it holds; a boolean where it is decided.

        The negation of another condition is said in terms of that one, so that everybody sees
        that they exclude each other.
        """
        holds = True
        seen: set[str] = set()
        while name in self._conditions and name not in seen:
            seen.add(name)
            inner = _plain_reference(self._conditions[name][0])
            if inner is None or inner[0] not in self._conditions:
                break
            name, same = inner
            holds = holds if same else not holds
        formula = self.condition(name, span)
        if formula in (TRUE, FALSE):
            return (formula == TRUE) is holds
        return Assumption(self.address + name, holds)

    def _meaning(self, subject: str, holds: bool | str) -> Formula:
        if isinstance(holds, bool) and subject.startswith(self.address):
            found = self._formulas.get(subject.removeprefix(self.address))
            if found is not None:
                return found if holds else negate(found)
        return assumed(Assumption(subject, holds))

    # ---- what can be referred to

    def ref(self, name: str, span: Span, scope: Scope) -> Value:
        if name == "AWS::NoValue":
            return Absent(None, span)
        pseudo = pseudo_parameter(name, span, self.pseudo)
        if pseudo is not None:
            return pseudo
        parameter = self.parameters.get(name)
        if parameter is not None:
            return self._parameter(parameter, span, scope)
        node = self.node(name)
        if node is None:
            return Unknown(Reason.MISSING, name, span)
        return self._follow(lambda: node.ref(span), name, span)

    def get_att(self, name: str, attribute: str, span: Span) -> Value:
        node = self.node(name)
        if node is None:
            return Unknown(Reason.MISSING, f"{name}.{attribute}", span)
        made = self._references.get(f"{name}.{attribute}")
        if made is not None:
            return self.ref(made, span, self.scope)
        if attribute.startswith("Outputs."):
            child = self.child(name)
            if child is not None:
                output = attribute.removeprefix("Outputs.")
                found = self._follow(lambda: child.output(output, span), name, span)
                return placed(found, span)
        return self._follow(lambda: node.get_att(attribute, span), f"{name}.{attribute}", span)

    def _follow(self, step: Callable[[], Value], label: str, span: Span) -> Value:
        self._hops += 1
        try:
            if self._hops > MAX_HOPS:
                message = f"more than {MAX_HOPS} references one through another"
                self.note(message, span, is_limit=True)
                return Unknown(Reason.LIMIT, label, span)
            return step()
        finally:
            self._hops -= 1

    def _parameter(self, parameter: Parameter, span: Span, scope: Scope) -> Value:
        given = self.given.get(parameter.name)
        if given is not None:
            text = text_of(given)
            if text is not None and not parameter.is_stored:
                if self._is_open(parameter, text, scope):
                    if parameter.choices:
                        return self._choices(parameter, text, span, scope)
                    return parameter.hole(span)
                value = parameter.value(text, span)
                reference = getattr(given, "reference", None)
                if isinstance(value, Known):
                    fragments = given.fragments if isinstance(given, Known) else ()
                    fragments = fragments if len(fragments) > 1 else ()
                    return replace(value, reference=reference, fragments=fragments)
                return value
            return parameter.hole(span) if parameter.is_stored else _possible(given, span, scope)
        if parameter.is_stored:
            return parameter.hole(span)
        default = text_of(parameter.default)
        if parameter.choices:
            return self._choices(parameter, default, span, scope)
        if default is None or scope.is_strict:
            return parameter.hole(span)
        if not scope.can_hold((Assumption(parameter.name, default),)):
            # what is assumed here excludes the default: `HasKey` where the default is empty
            return parameter.hole(span)
        return parameter.value(default, span)

    def _is_open(self, parameter: Parameter, text: str, scope: Scope) -> bool:
        """Whether what a parent passes is only its default, where that decides nothing."""
        if self.decided is None or not isinstance(self.decided.get(parameter.name), Unknown):
            return False
        return scope.is_strict or not scope.can_hold((Assumption(parameter.name, text),))

    def _choices(
        self, parameter: Parameter, default: str | None, span: Span, scope: Scope
    ) -> Value:
        texts = sorted(parameter.choices, key=lambda text: text != default)
        arms: list[tuple[Assumptions, Value]] = []
        for text in texts:
            given = (Assumption(parameter.name, text),)
            if scope.can_hold(given):
                arms.append((given, parameter.value(text, span)))
        if len(arms) == 1:
            return arms[0][1]
        return choice(arms, span)

    def mapping(self, name: str) -> Mapping | None:
        section = self.template.section("Mappings")
        found = section.get(name) if section is not None else None
        return found if isinstance(found, Mapping) else None

    def import_value(self, name: Value, span: Span) -> Value:
        return placed(self.surroundings.import_value(name, span, self), span)

    def include(self, location: Value) -> Value | None:
        return self.surroundings.include(location, self)

    def note(self, message: str, span: Span, *, is_limit: bool = False) -> None:
        kind = ProblemKind.LIMIT if is_limit else ProblemKind.EVALUATION
        self.surroundings.note(Problem(kind, message, span.path, span))

    # ---- resources

    @property
    def definitions(self) -> dict[str, Definition]:
        """The resources of the template by logical id, loops written out.

        Who asks while they are being written out finds none: what a loop is over, or a type,
        cannot depend on a resource.
        """
        if self._definitions is None:
            self._definitions = {}
            self._definitions = self._define_all()
        return self._definitions

    def _define_all(self) -> dict[str, Definition]:
        section = self.template.section("Resources")
        found: dict[str, Definition] = {}
        if section is None:
            return found
        for name, key, raw, scope in expand(section, self.scope):
            if name is None:
                message = f"resources are not known: {show(raw).strip('«»')}"
                problem = Problem(ProblemKind.UNRESOLVED_MODULE, message, key.path, key)
                self.surroundings.note(problem)
                continue
            if not isinstance(raw, Mapping):
                continue
            definition = self.define(name, key, raw, scope)
            if definition is not None:
                found[name] = definition
            if len(found) > MAX_RESOURCES:
                message = f"more than {MAX_RESOURCES:,} resources"
                self.surroundings.note(Problem(ProblemKind.LIMIT, message, key.path, key))
                break
        if any(definition.native_type.startswith(PREFIX) for definition in found.values()):
            transform = Serverless(self.template, found)
            found = transform.run()
            self._references = transform.references
        return found

    def define(self, name: str, key: Span, raw: Mapping, scope: Scope) -> Definition | None:
        """A resource with what has to hold for it; None when it is never there."""
        kind = raw.get("Type")
        native = text_of(evaluate(kind, scope)) if kind is not None else None
        if native is None:
            return None
        condition = text_of(raw.get("Condition"))
        assumptions = self.assumptions
        if condition is not None:
            outcome = self.outcome(condition, raw.entries["Condition"].span)
            if outcome is False:
                return None
            if isinstance(outcome, Assumption):
                assumptions = (*assumptions, outcome)
                scope = scope.assume(outcome)
        construct = _construct_path(raw, self.constructs.get(name), key)
        return Definition(name, native, raw, key, scope, assumptions, construct, native)

    def node(self, name: str) -> Node | None:
        node = self._nodes.get(name)
        if node is None:
            definition = self.definitions.get(name)
            if definition is None:
                definition = self.definitions.get(self._references.get(name, ""))
            if definition is None:
                return None
            address = self.address + definition.logical_id
            node = self._nodes[name] = Node(definition, address)
        return node

    def child(self, name: str) -> Stack | None:
        """The nested stack of a logical id."""
        if name not in self._children:
            definition = self.definitions.get(name)
            self._children[name] = None
            if definition is not None:
                self._children[name] = self.surroundings.child(definition, self)
        return self._children[name]

    def resources(self, is_wanted: Callable[[str], bool]) -> Iterator[Resource]:
        """Every resource of the wanted types, nested stacks included."""
        for name, definition in self.definitions.items():
            names = names_of(definition.kind)
            if names.type and is_wanted(names.type):
                node = self.node(name)
                assert node is not None
                yield self._resource(node, names.type)
            if any(is_wanted(rule.type) for rule in names.derived):
                node = self.node(name)
                assert node is not None
                for part in node.derived():
                    if is_wanted(part.type):
                        resource = self._resource(node, part.type)
                        yield replace(
                            resource,
                            attributes=part.attributes,
                            header=part.header,
                            span=part.span,
                            assumptions=(*resource.assumptions, *part.assumptions),
                        )
            child = self.child(name) if is_nested(definition.native_type) else None
            if child is not None:
                yield from child.resources(is_wanted)
        yield from outputs_of(self, is_wanted)

    def _resource(self, node: Node, resource_type: str) -> Resource:
        definition = node.definition
        return Resource(
            address=node.address,
            type=resource_type,
            native_type=definition.native_type,
            name=definition.logical_id,
            attributes=node.attributes,
            span=definition.span,
            header=definition.header,
            deployment=self.deployment,
            provider=self.provider,
            calls=self.calls,
            assumptions=definition.assumptions,
        )

    # ---- outputs

    @functools.cached_property
    def outputs(self) -> dict[str, tuple[Mapping, Scope]]:
        section = self.template.section("Outputs")
        if section is None:
            return {}
        return {
            name: (raw, scope)
            for name, _, raw, scope in expand(section, self.scope)
            if name is not None and isinstance(raw, Mapping)
        }

    def output(self, name: str, span: Span) -> Value:
        found = self.outputs.get(name)
        raw = found[0].get("Value") if found is not None else None
        if found is None or raw is None:
            return Unknown(Reason.MISSING, f"{self.address}Outputs.{name}", span)
        return self._follow(lambda: evaluate(raw, found[1]), name, span)

    def exports(self) -> Iterator[tuple[Value, str]]:
        """The names that the stack exports, and the output that each of them is."""
        for name, (raw, scope) in self.outputs.items():
            export = raw.get("Export")
            value = export.get("Name") if isinstance(export, Mapping) else None
            if value is not None:
                yield evaluate(value, scope), name


def _possible(value: Value, span: Span, scope: Scope) -> Value:
    """What a parent passes, in the alternatives that go with what is assumed."""
    if not isinstance(value, Choice):
        return placed(value, span)
    arms = [(given, placed(arm, span)) for given, arm in value.arms if scope.can_hold(given)]
    return arms[0][1] if len(arms) == 1 else choice(arms, span)


def _construct_path(raw: Mapping, construct: str | None, header: Span) -> Known | None:
    """The CDK construct that a resource was made from: its metadata's word, or the manifest's."""
    metadata = raw.get("Metadata")
    found = metadata.get(CONSTRUCT_PATH) if isinstance(metadata, Mapping) else None
    if isinstance(found, Known):
        return found
    return Known(construct, header) if construct is not None else None


def is_nested(native_type: str) -> bool:
    return native_type in (
        "AWS::CloudFormation::Stack",
        "AWS::CloudFormation::StackSet",
        "AWS::Serverless::Application",
    )


def _plain_reference(raw: Value) -> tuple[str, bool] | None:
    """The condition that a condition repeats (yes) or negates (no); None for any other."""
    if not isinstance(raw, Mapping) or len(raw.entries) != 1:
        return None
    inner = raw.get("Condition")
    if inner is not None:
        name = text_of(inner)
        return (name, True) if name is not None else None
    negated = raw.get("Fn::Not")
    items = getattr(negated, "items", None)
    if items and len(items) == 1:
        found = _plain_reference(items[0])
        return (found[0], not found[1]) if found is not None else None
    return None
