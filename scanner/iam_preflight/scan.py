"""The pipeline: files, values, resources, graph, rules, findings, decisions.

The only module that knows all stages. Data flows one way through it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iam_preflight.decisions import Decided, decide
from iam_preflight.discovery import FolderTree, Workspace, find_root, take_inventory
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from iam_preflight.discovery import Inventory, Tree
    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Coverage, Graph
    from iam_preflight.registry import Registry
    from iam_preflight.resources import Resource
    from iam_preflight.rules import Rule


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What the user asked for, beside the paths."""

    settings: Settings = field(default_factory=Settings)
    variables: tuple[str, ...] = ()
    variable_files: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    terraform_workspace: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a scan: what reporters turn into text."""

    findings: tuple[Decided, ...]
    """Every finding with the decision about it, worst first."""
    problems: tuple[Problem, ...]
    coverage: Coverage
    rules: tuple[Rule, ...]
    root: str
    """The folder that paths are relative to, as an absolute path."""
    files: int
    """Files that held infrastructure code."""
    seconds: float

    @property
    def shown(self) -> Iterator[Finding]:
        return (decided.finding for decided in self.findings if decided.is_shown)


def scan(paths: Sequence[Path], registry: Registry, options: ScanOptions) -> Report:
    """Scans files and folders on disk. Raises `UsageError` for a path that does not exist."""
    top = find_root(paths)
    workspace = Workspace(FolderTree(top))
    inventory = take_inventory(workspace, top, paths)
    return scan_inventory(workspace, inventory, registry, options, str(top))


def scan_inventory(
    workspace: Workspace,
    inventory: Inventory,
    registry: Registry,
    options: ScanOptions,
    root: str,
) -> Report:
    started = time.perf_counter()
    graph = load_graph(workspace, inventory, registry, options)
    findings = list(run_rules(registry, graph, workspace.problems))
    decided = decide(findings, registry, options.settings)
    return Report(
        findings=tuple(decided),
        problems=tuple(sorted(_distinct(workspace.problems), key=Problem.sort_key)),
        coverage=graph.coverage(),
        rules=registry.rules,
        root=root,
        files=len(inventory.terraform) + len(inventory.templates),
        seconds=time.perf_counter() - started,
    )


def load_graph(
    workspace: Workspace, inventory: Inventory, registry: Registry, options: ScanOptions
) -> Graph:
    """Reads everything and joins it."""
    from iam_preflight.graph.build import build_graph

    wanted = {name for rule in registry for name in rule.reads}
    types = resource_types()

    def is_wanted(resource_type: str) -> bool:
        return resource_type in wanted or types.is_relevant(resource_type)

    return build_graph(_resources(workspace, inventory, options, is_wanted), options.settings)


def _resources(
    workspace: Workspace,
    inventory: Inventory,
    options: ScanOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    if inventory.terraform:
        from iam_preflight.terraform.load import TerraformOptions, load_terraform

        terraform_options = TerraformOptions(
            options.variables, options.variable_files, options.terraform_workspace
        )
        yield from load_terraform(workspace, inventory.terraform, terraform_options, is_wanted)
    if inventory.templates:
        from iam_preflight.cloudformation.load import TemplateOptions, load_templates

        template_options = TemplateOptions(options.parameters)
        yield from load_templates(workspace, inventory.templates, template_options, is_wanted)


# ---------------------------------------------------------------- rules


def run_rules(registry: Registry, graph: Graph, problems: list[Problem]) -> Iterator[Finding]:
    """Every rule on everything it asks for; a rule that crashes is a problem, not the end."""
    for rule in registry:
        try:
            yield from list(_run_rule(rule, graph))
        except Exception as error:  # noqa: BLE001  the one place that turns a crash into SCAN-902
            message = f"rule {rule.id} failed: {type(error).__name__}: {error}"
            problems.append(Problem(ProblemKind.RULE_CRASH, message, rule.id))


def _run_rule(rule: Rule, graph: Graph) -> Iterator[Finding]:
    if rule.implements("check_statement"):
        for policy in graph.policies:
            for statement in policy.document.statements:
                yield from rule.check_statement(statement, policy, graph)
    if rule.implements("check_policy"):
        for policy in graph.policies:
            yield from rule.check_policy(policy, graph)
    if rule.implements("check_principal"):
        for principal in graph.principals:
            yield from rule.check_principal(principal, graph)
    if rule.implements("check_resource"):
        for resource in graph.of_type(*rule.reads):
            yield from rule.check_resource(resource, graph)
    if rule.implements("check_graph"):
        yield from rule.check_graph(graph)


def _distinct(problems: list[Problem]) -> list[Problem]:
    seen: set[tuple[str, str]] = set()
    kept: list[Problem] = []
    for problem in problems:
        key = (problem.place, problem.message)
        if key not in seen:
            seen.add(key)
            kept.append(problem)
    return kept


def open_folder(paths: Sequence[Path]) -> tuple[Tree, Path]:
    """The tree that a scan of the paths may read, and its top."""
    top = find_root(paths)
    return FolderTree(top), top
