"""Plans among the files of a scan, each joined with the root module that it was made of."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from iam_preflight.faults import KeptTo
from iam_preflight.terraform.plan import read_plan
from iam_preflight.terraform.plan_join import Join, matches
from iam_preflight.terraform.plan_reader import PlanReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.resources import Deployment, Resource
    from iam_preflight.terraform.configuration import Configuration
    from iam_preflight.terraform.plan import Plan


def read_plans(
    workspace: Workspace,
    configuration: Configuration,
    roots: Sequence[str],
    paths: Sequence[str],
    is_wanted: Callable[[str], bool],
    joins: dict[str, Join],
) -> Iterator[Resource]:
    """The resources of plans without a root; the others join `joins` by the folder of theirs."""
    for path in paths:
        with KeptTo(path, workspace.problems):
            plan = read_plan(workspace, path)
            if plan is None:
                continue
            directory = _root_of(configuration, plan, roots)
            if directory is None or directory in joins:
                yield from PlanReader(plan).resources(is_wanted)
            else:
                joins[directory] = Join(plan)


def _root_of(configuration: Configuration, plan: Plan, roots: Sequence[str]) -> str | None:
    """The folder that a plan was made of: of the roots, or beside the plan's file."""
    beside = posixpath.dirname(plan.source.path) or "."
    best, best_score = None, 0.5
    for directory in dict.fromkeys((beside, *roots)):
        module = configuration.module(directory)
        score = matches(plan, module) if module is not None else 0.0
        if score > best_score:
            best, best_score = directory, score
    return best


def only_planned(
    join: Join, deployment: Deployment, seen: set[str], is_wanted: Callable[[str], bool]
) -> Iterator[Resource]:
    """What the plan has and the sources do not: a module that is not here, newer sources."""
    reader = PlanReader(join.plan, deployment)
    for address, planned in join.plan.planned.items():
        if address not in seen and is_wanted(planned.type):
            yield reader.resource(planned)
