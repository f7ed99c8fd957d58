"""One run of the engine over the files of another scanner's graph, laid out on its vertices."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.comments import Origin
from iam_preflight.decisions import Outcome
from iam_preflight.discovery import (
    TEMPLATE_SUFFIXES,
    TERRAFORM_SUFFIXES,
    FolderTree,
    Inventory,
    Workspace,
    find_root,
)
from iam_preflight.errors import ProblemKind, UsageError
from iam_preflight.guest.vertices import Vertices
from iam_preflight.registry import load_rules
from iam_preflight.scan import ScanOptions, scan_inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from iam_preflight.decisions import Decided
    from iam_preflight.findings import Finding
    from iam_preflight.guest.vertices import Attributes, Vertex
    from iam_preflight.scan import Report


class Request(Struct, frozen=True):
    """What the user asked the other scanner for."""

    folders: tuple[str, ...] = ()
    """Folders to scan; none where single files are named."""
    variable_files: tuple[str, ...] = ()
    is_left_out: Callable[[str], bool] = lambda _path: False
    """Whether a file is not to be looked at."""


class Failure(Struct, frozen=True):
    """Why the verdict is not worth what it seems to be."""

    message: str
    rule: str = ""
    """The one rule that it is about; empty: all of them."""
    path: str = ""
    is_total: bool = False
    """Whether nothing at all was judged."""


class Examination(Struct, frozen=True):
    """What was found at which vertices, and what went wrong."""

    found: Mapping[str, Sequence[Vertex]]
    """By rule, each vertex once."""
    failures: tuple[Failure, ...]
    vertices: Vertices


def examine(graph: Iterable[Attributes], request: Request) -> Examination:
    """Judges the files of a graph. It never raises: a host may take a crash for a pass."""
    attributes = list(graph)
    top = ""
    try:
        files = sorted({os.path.realpath(str(one.get("file_path_") or "")) for one in attributes})
        start = _start(files, request)
        top = str(find_root(start)) if start else ""
        vertices = Vertices(attributes, top)
        if not vertices.all:
            return Examination({}, (), vertices)
        report = _judge(files, start, Path(top), request)
        found, lost = _lay_out(report, vertices, request)
        return Examination(found, (*_problems(report, request), *lost), vertices)
    except Exception as error:  # noqa: BLE001  the host would swallow it and report nothing
        message = (
            str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
        )
        return Examination({}, (Failure(message, is_total=True),), Vertices(attributes, top))


def _start(files: Sequence[str], request: Request) -> list[Path]:
    """Where the settings are looked for: the scanned folder that the files are in, or the files.

    Of folders in each other, the innermost that holds as many of the files as any.
    """
    holding = [
        (sum(Path(folder) in Path(file).parents for file in files), len(folder), folder)
        for folder in map(os.path.realpath, request.folders)
    ]
    most, _, best = max(holding, default=(0, 0, ""))
    return [Path(best)] if most else [Path(file) for file in files]


def _judge(files: Sequence[str], start: list[Path], top: Path, request: Request) -> Report:
    from iam_preflight.commands.shared.inputs import SettingsFinder

    registry = load_rules()
    settings, folder = SettingsFinder(top, tuple(start), None, registry).find(None)
    options = ScanOptions(
        settings=settings,
        settings_folder=folder,
        assignments=tuple(("file", _inside(file, top)) for file in request.variable_files),
        environment={
            name: value
            for name, value in os.environ.items()
            if name.startswith("TF_VAR_") or name == "TF_WORKSPACE"
        },
    )
    below = [os.path.relpath(file, top).replace(os.sep, "/") for file in files]
    kept = [path for path in below if not path.startswith("../") and not options.leaves_out(path)]
    terraform = tuple(path for path in kept if path.lower().endswith(TERRAFORM_SUFFIXES))
    templates = tuple(
        path for path in kept if path not in terraform and path.lower().endswith(TEMPLATE_SUFFIXES)
    )
    selected = registry.select(settings.select, settings.ignore)
    workspace = Workspace(FolderTree(top))
    inventory = Inventory(terraform, templates)
    return scan_inventory(workspace, inventory, selected, options, str(top))


def _inside(file: str, top: Path) -> str:
    resolved = Path(file).resolve()
    if top not in resolved.parents:
        raise UsageError(f"the file of variables {file} is outside of {top}")
    return resolved.relative_to(top).as_posix()


def _lay_out(
    report: Report, vertices: Vertices, request: Request
) -> tuple[dict[str, Sequence[Vertex]], list[Failure]]:
    """The vertices of every finding, by rule, and the findings that have none."""
    found: dict[str, dict[int, Vertex]] = defaultdict(dict)
    lost: list[Failure] = []
    for finding in _instances(report.findings):
        placed = vertices.of_resource(finding.resource)
        if not placed:
            if request.is_left_out(vertices.path_of(finding.resource.header)):
                continue
            placed = vertices.near(finding)
        if not placed:
            message = f"{finding.rule} at {finding.primary.span}: {finding.message}"
            lost.append(Failure(message, finding.rule))
        found[finding.rule].update((id(vertex), vertex) for vertex in placed)
    return {rule: tuple(placed.values()) for rule, placed in found.items()}, lost


def _instances(findings: Iterable[Decided]) -> Iterator[Finding]:
    """What is shown, and what the host's own comments hide: the host looks at those itself."""
    for decided in findings:
        is_hosts = decided.ignore is not None and decided.ignore.origin is Origin.CHECKOV
        if decided.outcome is Outcome.SHOWN or is_hosts:
            yield from decided.instances or (decided.finding,)


def _problems(report: Report, request: Request) -> Iterator[Failure]:
    for problem in report.problems:
        if not problem.fails_the_scan:
            continue
        if problem.kind is ProblemKind.RULE_CRASH:
            yield Failure(problem.message, problem.path)
        elif not request.is_left_out(os.path.realpath(Path(report.root, problem.path))):
            yield Failure(f"{problem.place}: {problem.message}", path=problem.path)
