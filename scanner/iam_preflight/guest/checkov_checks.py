"""checkov checks, one a rule, that tell checkov what the engine finds.

checkov runs graph checks once a graph, all at the same time in threads, in a process of its own
for each framework or in one for all. The checks of a process share one engine run a graph.

The only module that imports checkov; `checks/checkov_pack` imports it, inside checkov.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkov.common.bridgecrew.integration_features.integration_feature_registry import (
    integration_feature_registry,
)
from checkov.common.bridgecrew.severities import Severities
from checkov.common.checks_infra.registry import get_graph_checks_registry
from checkov.common.graph.checks_infra.base_check import BaseGraphCheck
from checkov.common.runners.base_runner import filter_ignored_paths
from checkov.runner_filter import RunnerFilter

from iam_preflight.guest.examination import Failure, Request, examine
from iam_preflight.registry import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from iam_preflight.guest.examination import Examination
    from iam_preflight.guest.vertices import Attributes, Vertex
    from iam_preflight.rules import Rule

    Results: TypeAlias = tuple[list[Attributes], list[Attributes], list[Attributes]]
    """Vertices that pass, that fail, and that nothing is known about."""

FRAMEWORKS = ("terraform", "cloudformation")
"""checkov's registries of graph checks; Terraform's is that of plans, too."""
PAGES = "https://github.com/iam-preflight/iam-preflight/blob/main/docs"
SENTINEL = "CKV_IAMP_SCAN_000"
PROMISE = "IAM Preflight could analyse everything"

_registering = threading.Lock()
"""checkov loads the pack several times, in threads: each registry gets the checks once."""


def register() -> None:
    """Hands the checks to checkov, once a process."""
    rules = load_rules()
    with _registering:
        engine = Engine()
        fresh = {
            framework: (Sentinel(engine), *(RuleCheck(rule, engine) for rule in rules))
            for framework in FRAMEWORKS
        }
        for framework, checks in fresh.items():
            registry = get_graph_checks_registry(framework)
            known = {check.id for check in registry.checks}
            for check in checks:
                if check.id not in known:
                    RunnerFilter.notify_external_check(check.id)
                    registry.checks.append(check)


class Engine:
    """Runs the engine over a graph when the first check asks, and remembers what came out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[int, tuple[object, Examination]] = {}
        """By the graph's identity; held, so that no other graph can get the same one."""

    def examine(self, graph: Any) -> Examination:
        with self._lock:
            held = self._done.get(id(graph))
            if held is None:
                examination = examine(vertices_of(graph), request_of(_config()))
                for failure in examination.failures:
                    logging.error("IAM Preflight: %s", failure.message)
                held = (graph, examination)
                self._done[id(graph)] = held
            return held[1]


class GuestCheck(BaseGraphCheck):  # type: ignore[misc]  # checkov has no types here
    """What all of ours have in common."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.category = "IAM"

    def run(self, graph_connector: Any) -> Results:
        examination = self.engine.examine(graph_connector)
        passed, failed = self.judge(examination)
        return [one.entity() for one in passed], [one.entity() for one in failed], []

    def judge(self, examination: Examination) -> tuple[list[Vertex], list[Vertex]]:
        """The vertices that pass and those that fail."""
        raise NotImplementedError


class Sentinel(GuestCheck):
    """Fails when the verdict of the other checks is not worth what it seems to be."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.id = SENTINEL
        self.name = PROMISE
        self.severity = Severities["CRITICAL"]
        self.guideline = f"{PAGES}/checkov.md#the-sentinel"
        self._judged: list[Examination] = []

    def judge(self, examination: Examination) -> tuple[list[Vertex], list[Vertex]]:
        failures = examination.failures
        if any(one is examination for one in self._judged):
            # in threads, checkov takes what it has read of the first -d for all others, too
            failures = (Failure("checkov shows the same code again: give it one -d a run"),)
        self._judged.append(examination)
        # the name is the only thing that every output of checkov shows
        self.name = f"{PROMISE}; it could not: {failures[0].message}" if failures else PROMISE
        if failures:
            return [], list(_anchors(examination, failures))
        anchor = examination.vertices.anchor()
        return [anchor] if anchor is not None else [], []


class RuleCheck(GuestCheck):
    """One rule of ours as a check of checkov's."""

    def __init__(self, rule: Rule, engine: Engine) -> None:
        super().__init__(engine)
        self.rule = rule.id
        self.id = f"CKV_IAMP_{rule.id.replace('-', '_')}"
        self.name = rule.title()
        self.severity = Severities[str(rule.severity).upper()]
        self.guideline = f"{PAGES}/rules/{rule.id}.md"

    def judge(self, examination: Examination) -> tuple[list[Vertex], list[Vertex]]:
        failed = list(examination.found.get(self.rule, ()))
        mine = [failure for failure in examination.failures if self._answers_for(failure)]
        held = set(map(id, failed))
        failed += [one for one in _anchors(examination, mine) if id(one) not in held]
        return [], failed

    def _answers_for(self, failure: Failure) -> bool:
        """A failure of its own rule, and any other where the sentinel has not been asked for."""
        if failure.rule:
            return failure.rule == self.rule
        config = _config()
        is_skipped = _is_named(getattr(config, "skip_check", None))
        if failure.is_total and is_skipped:
            return True
        asked = getattr(config, "check", None)
        return bool(asked) and not is_skipped and not _is_named(asked)


def _anchors(examination: Examination, failures: Iterable[Failure]) -> Iterator[Vertex]:
    anchors = (examination.vertices.anchor(failure.path) for failure in failures)
    yield from {id(anchor): anchor for anchor in anchors if anchor is not None}.values()


def _is_named(patterns: list[str] | None) -> bool:
    """Whether the sentinel is among ids, patterns and severities: it is critical."""
    return bool(patterns) and (
        any(pattern in Severities for pattern in patterns or ())
        or bool(RunnerFilter.check_matches(SENTINEL, None, patterns))
    )


# ---------------------------------------------------------------- what checkov knows


def vertices_of(graph: Any) -> Iterator[Attributes]:
    """The attributes of every vertex of a graph of rustworkx or networkx."""
    if hasattr(graph, "node_indexes"):
        yield from (attributes for _, attributes in graph.nodes())
    else:
        yield from (attributes for _, attributes in graph.nodes(data=True))


def _config() -> Any:
    """The command line and the settings file of checkov; None where it is used as a library."""
    return integration_feature_registry.config


def request_of(config: Any) -> Request:
    """What checkov was asked for."""
    folders = tuple(os.path.abspath(one) for one in getattr(config, "directory", None) or ())  # noqa: PTH100
    files = frozenset(os.path.realpath(one) for one in getattr(config, "file", None) or ())
    skipped = list(getattr(config, "skip_path", None) or ())

    def is_left_out(path: str) -> bool:
        if not folders:
            return bool(files) and path not in files
        holding = [one for one in folders if _is_below(path, os.path.realpath(one))]
        return bool(holding) and all(_is_ignored(path, one, skipped) for one in holding)

    return Request(
        folders=folders,
        variable_files=tuple(getattr(config, "var_file", None) or ()),
        is_left_out=is_left_out,
    )


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_ignored(path: str, folder: str, skipped: list[str]) -> bool:
    """Whether checkov passes by a file on its way through a folder; modules are not passed by."""
    here = folder
    for name in Path(path).relative_to(os.path.realpath(folder)).parts:
        names = [name]
        if name != ".terraform":
            filter_ignored_paths(here, names, skipped)
        if not names:
            return True
        here = os.path.join(here, name)  # noqa: PTH118
    return False
