"""The pipeline: files, values, resources, graph, rules, findings, decisions.

The only module that knows all stages. Data flows one way through it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from iam_preflight.collector import no_collection
from iam_preflight.decisions import Decided, Grounds, Outcome, decide
from iam_preflight.discovery import (
    FolderTree,
    Workspace,
    find_root,
    path_matches,
    take_inventory,
)
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.faults import KeptTo
from iam_preflight.knowledge.age import age_problem
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.settings import Settings
from iam_preflight.timing import TIMEOUT, OutOfTime, alarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from iam_preflight.baseline import Entry
    from iam_preflight.comments import Ignore
    from iam_preflight.diff import Change
    from iam_preflight.discovery import Inventory, Tree
    from iam_preflight.findings import Finding
    from iam_preflight.graph.model import Coverage, Graph, Policy, Principal
    from iam_preflight.registry import Registry
    from iam_preflight.resources import Resource
    from iam_preflight.rules import Rule
    from iam_preflight.source import SourceFile
    from iam_preflight.terraform.load import HclReader
    from iam_preflight.terraform.read_ahead import ReadAhead

Subject: TypeAlias = "Policy | Principal | Resource | None"
"""What a rule looks at; None is the graph as a whole."""

TEST_FOLDERS = ("**/test", "**/tests", "**/example", "**/examples")


def _today() -> dt.date:
    return dt.datetime.now(dt.timezone.utc).date()


class ScanOptions(Struct, frozen=True):
    """What the user asked for, beside the paths."""

    settings: Settings = field(default_factory=Settings)
    settings_folder: str = ""
    """The folder of the settings file, from the scan's root: `exclude` starts there."""
    assignments: tuple[tuple[str, str], ...] = ()
    """`("var", "NAME=VALUE")` and `("file", path)`, in the order of the command line."""
    module_map: Mapping[str, str] = field(default_factory=dict)
    """Folders of Terraform modules by their source."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """`TF_VAR_…` and `TF_WORKSPACE`."""
    plans: tuple[str, ...] = ()
    """Plans, beside those among the scanned files."""
    parameters: tuple[str, ...] = ()
    terraform_workspace: str = ""
    hcl_reader: HclReader = "tree-sitter"
    today: dt.date = field(default_factory=_today)
    """The day on which ignores expire and dates are judged."""
    account_context: tuple[SourceFile, ...] = ()
    """Snapshots of what the accounts already hold."""
    baseline: tuple[Entry, ...] = ()
    base: Tree | None = None
    """The version whose ignores alone count; None: those of the scanned files."""
    base_name: str = ""
    timeout: float = TIMEOUT
    """Seconds for the evaluation of one root or stack, and for one rule."""
    jobs: int = 1
    """In how many processes to parse and run rules, where that pays; 0: as the machine has it."""
    ahead: ReadAhead | None = None
    """Another process that has begun to parse already."""
    progress: Callable[[str], None] = lambda _stage: None
    """Told what is being done, often."""

    def leaves_out(self, path: str) -> bool:
        """Whether the settings keep a file from being scanned by itself."""
        folder = f"{self.settings_folder}/" if self.settings_folder else ""
        inside = path.removeprefix(folder)
        patterns = (*self.settings.exclude, *(TEST_FOLDERS if self.settings.ignore_tests else ()))
        return path.startswith(folder) and any(path_matches(one, inside) for one in patterns)


class Report(Struct, frozen=True):
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
    graph: Graph
    change: Change | None = None
    """How it differs from another version, where two were compared."""

    @property
    def shown(self) -> Iterator[Finding]:
        return (decided.finding for decided in self.findings if decided.is_shown)


def scan(
    paths: Sequence[Path],
    registry: Registry,
    options: ScanOptions,
    top: Path | None = None,
    tree: Tree | None = None,
) -> Report:
    """Scans files and folders on disk, or in another tree that stands for it.

    Raises `UsageError` for a path that does not exist.
    """
    top = find_root(paths) if top is None else top
    workspace = Workspace(FolderTree(top) if tree is None else tree)
    inventory = take_inventory(workspace, top, paths, options.leaves_out)
    return scan_inventory(workspace, inventory, registry, options, str(top))


def scan_changed(
    paths: Sequence[Path],
    registry: Registry,
    options: ScanOptions,
    top: Path,
    tree: Tree | None = None,
) -> Report:
    """Scans the root modules and stacks that changed files belong to, each as a whole."""
    from iam_preflight.membership import Map

    workspace = Workspace(FolderTree(top) if tree is None else tree)
    changed = [path.resolve().relative_to(top).as_posix() for path in paths]
    kept = [path for path in changed if not options.leaves_out(path)]
    inventory = Map(workspace.tree, options.leaves_out).inventory_for(kept)
    return scan_inventory(workspace, inventory, registry, options, str(top))


def read_graph(
    paths: Sequence[Path], registry: Registry, options: ScanOptions, top: Path
) -> tuple[Graph, list[Problem]]:
    """The graph of files and folders on disk, without judging it, and what was not read."""
    workspace = Workspace(FolderTree(top))
    inventory = take_inventory(workspace, top, paths, options.leaves_out)
    graph = load_graph(workspace, inventory, registry, options)
    return graph, distinct(workspace.problems)


def scan_inventory(
    workspace: Workspace,
    inventory: Inventory,
    registry: Registry,
    options: ScanOptions,
    root: str,
    base: Sequence[Entry] | None = None,
) -> Report:
    """Scans the files of an inventory. `base` are the findings of the base of a change."""
    from iam_preflight.graph.model import Coverage

    started = time.perf_counter()
    with no_collection(), contextlib.ExitStack() as ends:
        if options.ahead is not None:
            ends.callback(options.ahead.close)  # nobody may have asked it for anything
        graph = load_graph(workspace, inventory, registry, options)
        options.progress("checking")
        findings = list(run_rules(registry, graph, workspace, options, ends))
        decided, faults = judge(findings, workspace.sources, graph, registry, options, base)
        coverage = Coverage()
        with KeptTo(".", faults, "not counted what is covered"):
            coverage = graph.coverage()
    workspace.problems.extend(faults)
    stale = age_problem(options.today)
    if stale is not None:
        workspace.problems.append(stale)
    return Report(
        findings=tuple(decided),
        problems=tuple(sorted(distinct(workspace.problems), key=Problem.sort_key)),
        coverage=coverage,
        rules=registry.rules,
        root=root,
        files=len({*inventory.terraform, *workspace.code, *_files(graph)}),
        seconds=time.perf_counter() - started,
        graph=graph,
    )


def _files(graph: Graph) -> Iterator[str]:
    return (one.header.path for one in graph.resources if not one.is_recorded)


def judge(
    findings: list[Finding],
    sources: Iterable[SourceFile],
    graph: Graph,
    registry: Registry,
    options: ScanOptions,
    base: Sequence[Entry] | None = None,
    read_ignores: Callable[[SourceFile], list[Ignore]] | None = None,
) -> tuple[list[Decided], list[Problem]]:
    """The decisions about findings, and what is wrong with the ignores in the files.

    Findings that nothing could be decided about are shown.
    """
    faults: list[Problem] = []
    with KeptTo(".", faults, "nothing was ignored, merged or taken for known"):
        return _judge(findings, sources, graph, registry, options, base, read_ignores)
    worst_first = sorted(findings, key=lambda finding: finding.severity, reverse=True)
    return [Decided(finding) for finding in worst_first], faults


def _judge(
    findings: list[Finding],
    sources: Iterable[SourceFile],
    graph: Graph,
    registry: Registry,
    options: ScanOptions,
    base: Sequence[Entry] | None,
    read_ignores: Callable[[SourceFile], list[Ignore]] | None,
) -> tuple[list[Decided], list[Problem]]:
    from iam_preflight.baseline import Known
    from iam_preflight.comments import ignores_in
    from iam_preflight.locate import Locator
    from iam_preflight.suppressions import Suppressions, approved_in

    sources = sorted(sources, key=lambda source: source.path)
    approved = None
    if options.base is not None:
        approved = approved_in(options.base, sources, options.base_name)
    ignores = Suppressions(
        sources, registry, options.settings, options.today, approved, read_ignores or ignores_in
    )
    roots = {resource.deployment.path for resource in graph.resources}
    grounds = Grounds(
        settings=options.settings,
        registry=registry,
        ignores=ignores,
        known=Known(options.baseline if base is None else base, roots),
        known_as=Outcome.BASELINE if base is None else Outcome.UNCHANGED,
        environments=Locator(graph),
    )
    decided = decide(findings, grounds)
    live = {resource.header.path for resource in graph.resources}
    return decided, [*grounds.faults, *ignores.problems(live)]


def is_wanted_by(registry: Registry) -> Callable[[str], bool]:
    """Whether a type of resource matters to any rule or to the graph."""
    wanted = {name for rule in registry for name in rule.reads}
    types = resource_types()
    return lambda name: name in wanted or types.is_relevant(name)


def load_graph(
    workspace: Workspace, inventory: Inventory, registry: Registry, options: ScanOptions
) -> Graph:
    """Reads everything and joins it."""
    from iam_preflight.graph.build import build_graph

    is_wanted = is_wanted_by(registry)
    code = _with_pipelines(
        _resources(workspace, inventory, options, is_wanted), workspace, inventory
    )
    resources = _counted(_with_account(code, workspace, options), options.progress)
    graph = None
    with KeptTo(".", workspace.problems, "not joined"):
        graph = build_graph(resources, options.settings, options.today)
    if graph is None:
        graph = build_graph((), options.settings, options.today)
    workspace.problems.extend(graph.faults)
    graph.missing_modules = tuple(
        problem for problem in workspace.problems if problem.kind is ProblemKind.UNRESOLVED_MODULE
    )
    graph.sources = tuple(workspace.sources)
    graph.secrets = workspace.secrets
    graph.switched_off = tuple(workspace.switched_off)
    return graph


def _counted(resources: Iterator[Resource], progress: Callable[[str], None]) -> Iterator[Resource]:
    count = 0
    for count, resource in enumerate(resources, 1):
        if count % 200 == 0:
            progress(f"reading: {count} resources")
        yield resource
    progress(f"joining {count} resources")


def _resources(
    workspace: Workspace,
    inventory: Inventory,
    options: ScanOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    plans, templates = _told_apart(workspace, inventory, options)
    if inventory.terraform or plans:
        from iam_preflight.terraform.load import TerraformOptions, load_terraform

        ahead = _read_ahead(workspace, inventory, options)
        terraform_options = TerraformOptions(
            workspace=options.terraform_workspace,
            module_map=options.module_map,
            environment=options.environment,
            assignments=options.assignments,
            plans=plans,
            timeout=options.timeout,
            reader=options.hcl_reader,
            ahead=ahead,
            progress=options.progress,
        )
        try:
            with KeptTo(".", workspace.problems, "Terraform is not analysed"):
                yield from load_terraform(
                    workspace, inventory.terraform, terraform_options, is_wanted
                )
        finally:
            if ahead is not None:
                ahead.close()
    if templates and (options.parameters or any(_may_be_template(workspace, templates))):
        from iam_preflight.cloudformation.load import TemplateOptions, load_templates

        template_options = TemplateOptions(options.parameters, options.timeout)
        with KeptTo(".", workspace.problems, "CloudFormation is not analysed"):
            yield from load_templates(workspace, templates, template_options, is_wanted)
    _note_what_is_neither(workspace, inventory)


def _read_ahead(
    workspace: Workspace, inventory: Inventory, options: ScanOptions
) -> ReadAhead | None:
    """Another process that parses HCL: one that has begun, else a new one where that pays."""
    if options.ahead is not None or options.jobs == 1 or options.hcl_reader != "tree-sitter":
        return options.ahead
    from iam_preflight.terraform.read_ahead import read_files

    return read_files(workspace.tree, inventory.terraform, options.jobs)


def _may_be_template(workspace: Workspace, paths: Iterable[str]) -> Iterator[bool]:
    """For each file whether it is worth it to load the front end of CloudFormation."""
    from iam_preflight.cloudformation.sniffing import in_utf8, may_be_template

    for path in paths:
        source = workspace.source(path)
        yield source is not None and may_be_template(in_utf8(source.data))


def _told_apart(
    workspace: Workspace, inventory: Inventory, options: ScanOptions
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The plans and the likely templates among YAML and JSON files."""
    from iam_preflight.terraform.sniffing import is_plan

    plans = dict.fromkeys(options.plans)
    templates: list[str] = []
    for path in inventory.templates:
        source = workspace.source(path) if path.endswith(".json") else None
        if source is not None and is_plan(source.data):
            plans[path] = None
        elif path not in plans:
            templates.append(path)
    return tuple(plans), tuple(templates)


def _note_what_is_neither(workspace: Workspace, inventory: Inventory) -> None:
    noted = {problem.path for problem in workspace.problems}
    for path in inventory.named:
        if path not in workspace.code and path not in noted:
            workspace.problems.append(_why_neither(path, workspace.source(path)))


def _why_neither(path: str, source: SourceFile | None) -> Problem:
    if source is not None and path.lower().endswith(".json"):
        from iam_preflight.jsontext import JsonError, read_json

        try:
            read_json(source)
        except JsonError as error:
            message = f"not JSON: {error.message}"
            return Problem(ProblemKind.SYNTAX, message, path, error.span)
    message = "neither a CloudFormation template nor a Terraform plan"
    return Problem(ProblemKind.UNREADABLE, message, path)


def _with_pipelines(
    resources: Iterator[Resource], workspace: Workspace, inventory: Inventory
) -> Iterator[Resource]:
    """Resources, and after them the pipeline jobs that may deploy them; none without any."""
    is_empty = True
    for resource in resources:
        is_empty = False
        yield resource
    if not is_empty:
        from iam_preflight.pipelines.load import load_pipelines

        with KeptTo(".", workspace.problems, "pipelines are not analysed"):
            yield from load_pipelines(workspace, inventory.templates)


def _with_account(
    resources: Iterator[Resource], workspace: Workspace, options: ScanOptions
) -> Iterator[Resource]:
    """Resources of the code, and after them what the accounts already hold."""
    yield from resources
    if options.account_context:
        from iam_preflight.account.load import load_account

        options.progress("reading the account context")
        max_days = options.settings.max_context_days
        with KeptTo(".", workspace.problems, "the account context is not analysed"):
            yield from load_account(
                options.account_context, options.today, max_days, workspace.problems
            )


# ---------------------------------------------------------------- rules


WORTH_SHARING = 60
"""Policies and principals from which on several processes are faster than one."""
TOGETHER = (("ESC",), ("LEAST", "WILD", "MFA"), ("EXT", "CRED", "ROLE"), ("SEG",), ("BOUND",))
"""Families of rules that one process does well to take together: they need the same things worked
out. In the order in which to begin: what takes longest would end last."""


def run_rules(
    registry: Registry,
    graph: Graph,
    workspace: Workspace,
    options: ScanOptions,
    ends: contextlib.ExitStack,
) -> Iterator[Finding]:
    """Every rule on everything it asks for, in the order of the rules.

    `ends` waits for the processes that have been started for it.
    """
    rules = registry.rules

    def judged(number: int) -> list[Finding]:
        return _judged(rules[number], graph, workspace.problems, options.timeout)

    found: dict[int, list[Finding]] = {}
    if options.jobs != 1 and len(graph.policies) + len(graph.principals) >= WORTH_SHARING:
        from iam_preflight.workers import share, workers

        jobs = workers(options.jobs)
        tasks = _tasks(rules)
        if jobs > 1 and len(tasks) > 1:
            _work_out(graph, options.timeout)
            found = share(tasks, jobs, judged, graph, workspace, ends)
    for number in range(len(rules)):
        yield from found[number] if number in found else judged(number)


def _work_out(graph: Graph, timeout: float) -> None:
    """What nearly all families of rules ask, once for all processes.

    What fails here will fail again in a rule, and is told there.
    """
    with contextlib.suppress(Exception), alarm(timeout):
        for principal in graph.principals:
            graph.standing(principal)


def _tasks(rules: Sequence[Rule]) -> list[list[int]]:
    """The numbers of the rules of each family, or of several that belong together."""
    tasks: dict[str, list[int]] = {group[0]: [] for group in TOGETHER}
    first = {family: group[0] for group in TOGETHER for family in group}
    for number, rule in enumerate(rules):
        family = rule.family()
        tasks.setdefault(first.get(family, family), []).append(number)
    return [numbers for numbers in tasks.values() if numbers]


def _judged(rule: Rule, graph: Graph, problems: list[Problem], timeout: float) -> list[Finding]:
    """What one rule finds; one that crashes or does not end is a problem."""
    found: list[Finding] = []
    try:
        with alarm(timeout):
            for _, _, several in run_checks((rule,), graph, problems):
                found += several
    except OutOfTime:
        message = f"rule {rule.id} takes longer than {timeout:g} seconds"
        problems.append(Problem(ProblemKind.LIMIT, message, rule.id))
    return found


def run_checks(
    rules: Iterable[Rule],
    graph: Graph,
    problems: list[Problem],
    is_asked: Callable[[Subject], bool] = lambda _subject: True,
) -> Iterator[tuple[Rule, Subject, list[Finding]]]:
    """What each rule finds at each thing that it looks at, of those that somebody asks about."""
    for rule in rules:
        try:
            for subject, found in _checks_of(rule, graph):
                if is_asked(subject):
                    yield rule, subject, list(_found_by(rule, found, problems))
        except OutOfTime:
            raise
        except Exception as error:  # noqa: BLE001  crashes become SCAN-902 here and below
            problems.append(_crash_of(rule, error))


def _found_by(rule: Rule, found: Iterator[Finding], problems: list[Problem]) -> Iterator[Finding]:
    """What a rule finds at one thing; where it crashes there, it goes on with the next."""
    try:
        yield from (one for one in found if _is_told(rule, one))
    except OutOfTime:
        raise
    except Exception as error:  # noqa: BLE001  as above
        problems.append(_crash_of(rule, error))


def _crash_of(rule: Rule, error: Exception) -> Problem:
    message = f"rule {rule.id} failed: {type(error).__name__}: {error}"
    return Problem(ProblemKind.RULE_CRASH, message, rule.id)


def _is_told(rule: Rule, finding: Finding) -> bool:
    """Whether a finding is about the code, or the rule is about accounts as they are."""
    return rule.judges_records or not finding.primary.span.source.is_record


def _checks_of(rule: Rule, graph: Graph) -> Iterator[tuple[Subject, Iterator[Finding]]]:
    def is_judged(resource: Resource) -> bool:
        return rule.judges_records or not resource.is_recorded

    if rule.implements("check_statement"):
        for policy in graph.policies:
            if is_judged(policy.resource):
                for statement in policy.document.statements:
                    yield policy, rule.check_statement(statement, policy, graph)
    if rule.implements("check_policy"):
        for policy in graph.policies:
            if is_judged(policy.resource):
                yield policy, rule.check_policy(policy, graph)
    if rule.implements("check_principal"):
        elsewhere = graph.elsewhere if rule.judges_elsewhere else ()
        for principal in (*graph.principals, *elsewhere):
            if is_judged(principal.resource):
                yield principal, rule.check_principal(principal, graph)
    if rule.implements("check_resource"):
        for resource in graph.of_type(*rule.reads):
            if is_judged(resource):
                yield resource, rule.check_resource(resource, graph)
    if rule.implements("check_graph"):
        yield None, rule.check_graph(graph)


def distinct(problems: Iterable[Problem]) -> list[Problem]:
    """Problems, each said once."""
    seen: set[tuple[str, str]] = set()
    kept: list[Problem] = []
    for problem in problems:
        key = (problem.place, problem.message)
        if key not in seen:
            seen.add(key)
            kept.append(problem)
    return kept
