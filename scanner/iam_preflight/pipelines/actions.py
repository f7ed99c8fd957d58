"""GitHub Actions workflows: the jobs that sign in to AWS.

A workflow that others call has the triggers of those that call it, as far as they are here.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
https://github.com/aws-actions/configure-aws-credentials
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight import yamltext
from iam_preflight.late_patterns import late
from iam_preflight.pipelines.job import Job, composed, value_of, variables
from iam_preflight.values import Known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from yaml import Node

    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile, Span

_MARKS = (b"role-to-assume", b"aws-access-key-id")
_CALLED = "workflow_call"
_SIGN_IN = "aws-actions/configure-aws-credentials"
_CHECKOUT = "actions/checkout"
_EXPRESSION = late(r"\$\{\{\s*(?:env\.)?([^}]*?)\s*\}\}")
_PROPOSED = late(r"\bhead[._]|github\.head_ref|pull_request\.(?:head|number)|refs/pull/")

Triggers = list[tuple[str, "Span"]]


def jobs(sources: Sequence[SourceFile], problems: list[Problem]) -> Iterator[Resource]:
    """The jobs of the workflows of one folder that sign in to AWS.

    What is wrong with others, which matter as far as they call these, is not told.
    """
    signing = [source for source in sources if any(mark in source.data for mark in _MARKS)]
    if not signing:
        return
    roots: dict[str, Node] = {}
    for source in sources:
        root = composed(source, problems if source in signing else [])
        if root is not None:
            roots[source.path] = root
    callers = _callers(sources, roots)
    for source in signing:
        if source.path not in roots:
            continue
        root = roots[source.path]
        triggers = _triggers(source, yamltext.child(root, "on"))
        if any(name == _CALLED for name, _ in triggers):
            triggers.extend(callers.get(source.path.rpartition("/")[2], ()))
        for key, body in yamltext.pairs(yamltext.child(root, "jobs")):
            yield from _job(source, root, key, body, triggers)


def _triggers(source: SourceFile, node: Node | None) -> Triggers:
    """`on: push`, `on: [push, pull_request]` or a mapping."""
    if node is None:
        return []
    nodes = [key for key, _ in yamltext.pairs(node)] or list(yamltext.items(node)) or [node]
    return [
        (name, yamltext.span_of(source, one))
        for one in nodes
        if (name := yamltext.text(one)) is not None
    ]


def _callers(sources: Sequence[SourceFile], roots: dict[str, Node]) -> dict[str, Triggers]:
    """What starts the workflows that call others of the same repository, by file name."""
    found: dict[str, Triggers] = {}
    for source in sources:
        root = roots.get(source.path)
        for _, body in yamltext.pairs(yamltext.child(root, "jobs")):
            called = yamltext.text(yamltext.child(body, "uses")) or ""
            if called.startswith("./"):
                triggers = _triggers(source, yamltext.child(root, "on"))
                found.setdefault(called.rpartition("/")[2], []).extend(triggers)
    return found


def _job(
    source: SourceFile, root: Node | None, key: Node, body: Node, triggers: Triggers
) -> Iterator[Resource]:
    known = {**variables(yamltext.child(root, "env")), **variables(yamltext.child(body, "env"))}
    job = Job(
        source,
        yamltext.text(key) or "",
        yamltext.span_of(source, key),
        yamltext.span_of(source, body),
        "GitHub Actions",
        triggers,
    )
    may_ask = _may_ask_for_tokens(root, body)
    for step in yamltext.items(yamltext.child(body, "steps")):
        uses = yamltext.text(yamltext.child(step, "uses")) or ""
        given = yamltext.child(step, "with")
        if uses.startswith(_SIGN_IN):
            role = yamltext.child(given, "role-to-assume")
            access_key = yamltext.child(given, "aws-access-key-id")
            local = {**known, **variables(yamltext.child(step, "env"))}
            if access_key is not None:
                job.attributes["access_key"] = _scalar(source, access_key)
            elif role is not None and may_ask:
                job.attributes["role"] = value_of(source, role, local, _EXPRESSION)
        elif uses.startswith(_CHECKOUT):
            ref = yamltext.child(given, "ref")
            if ref is not None and _PROPOSED.search(yamltext.text(ref) or ""):
                job.attributes["code_of"] = _scalar(source, ref)
    if not job.attributes.keys() & {"role", "access_key"}:
        return
    environment = yamltext.child(body, "environment")
    named = yamltext.child(environment, "name") or environment
    guard = yamltext.child(body, "if")
    if named is not None:
        job.attributes["environment"] = _scalar(source, named)
    if guard is not None:
        job.attributes["guard"] = _scalar(source, guard)
    yield job.resource()


def _scalar(source: SourceFile, node: Node) -> Known:
    return Known(yamltext.text(node) or "", yamltext.span_of(source, node))


def _may_ask_for_tokens(root: Node | None, body: Node) -> bool:
    """Whether the job, or who calls its workflow, may ask for an identity token."""
    own = yamltext.child(body, "permissions")
    node = own if own is not None else yamltext.child(root, "permissions")
    if node is None:
        return _is_called(root)
    granted = yamltext.text(yamltext.child(node, "id-token")) or yamltext.text(node)
    return granted in ("write", "write-all")


def _is_called(root: Node | None) -> bool:
    events = yamltext.child(root, "on")
    names = [yamltext.text(one) for one in yamltext.items(events)] or [yamltext.text(events)]
    keys = [yamltext.text(key) for key, _ in yamltext.pairs(events)]
    return _CALLED in names or _CALLED in keys
