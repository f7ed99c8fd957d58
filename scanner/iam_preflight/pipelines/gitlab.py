"""GitLab CI/CD: the jobs that sign in to AWS with an identity token.

The role is what `--role-arn` or `AWS_ROLE_ARN` says. Templates, includes and `extends` are not
followed; what `default` and the top level say is.

https://docs.gitlab.com/ci/cloud_services/aws/
https://docs.gitlab.com/ci/yaml/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iam_preflight import yamltext
from iam_preflight.pipelines.job import Job, composed, value_of, variables
from iam_preflight.values import Known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from yaml import Node

    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile, Span
    from iam_preflight.values import Value

_KEYWORDS = frozenset({"default", "include", "stages", "variables", "workflow", "image", "cache"})
_ROLE_ARN = re.compile(r"--role-arn[ =]+[\"']?([^\s\"']+)")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_PROPOSED = re.compile(r"merge_request_event|CI_MERGE_REQUEST|external_pull_request")
MERGE_REQUEST = "merge_request_event"


def jobs(sources: Sequence[SourceFile], problems: list[Problem]) -> Iterator[Resource]:
    """The jobs of a `.gitlab-ci.yml` that sign in to AWS."""
    for source in sources:
        if b"id_tokens" not in source.data:
            continue
        root = composed(source, problems)
        for key, body in yamltext.pairs(root):
            name = yamltext.text(key) or ""
            if name not in _KEYWORDS and yamltext.is_mapping(body):
                yield from _job(source, root, key, body)


def _job(source: SourceFile, root: Node | None, key: Node, body: Node) -> Iterator[Resource]:
    asks = any(
        yamltext.child(node, "id_tokens") is not None
        for node in (body, root, yamltext.child(root, "default"))
    )
    known = {
        **variables(yamltext.child(root, "variables")),
        **variables(yamltext.child(body, "variables")),
    }
    role = _role(source, body, known)
    if role is None or not asks:
        return
    job = Job(
        source,
        yamltext.text(key) or "",
        yamltext.span_of(source, key),
        yamltext.span_of(source, body),
        "GitLab",
        list(_triggers(source, root, body)),
        {"role": role},
    )
    environment = yamltext.child(body, "environment")
    named = yamltext.child(environment, "name") or environment
    if named is not None:
        text = yamltext.text(named) or ""
        job.attributes["environment"] = Known(text, yamltext.span_of(source, named))
    yield job.resource()


def _role(source: SourceFile, body: Node, known: dict[str, str]) -> Value | None:
    """The role that a script, or the variable that the SDKs read, names."""
    for key, value in yamltext.pairs(yamltext.child(body, "variables")):
        if yamltext.text(key) == "AWS_ROLE_ARN":
            return value_of(source, value, known, _VARIABLE)
    for section in ("before_script", "script"):
        for line in yamltext.items(yamltext.child(body, section)):
            found = _ROLE_ARN.search(yamltext.text(line) or "")
            if found is not None:
                span = yamltext.span_of(source, line)
                name = _VARIABLE.fullmatch(found[1])
                text = known.get(name[1], "") if name is not None else found[1]
                return Known(text, span) if text else None
    return None


def _triggers(source: SourceFile, root: Node | None, body: Node) -> Iterator[tuple[str, Span]]:
    """Merge requests, where a rule of the job (or of the workflow) lets them start it."""
    rules = yamltext.child(body, "rules")
    if rules is None:
        rules = yamltext.child(root, "workflow", "rules")
    for rule in yamltext.items(rules):
        condition = yamltext.child(rule, "if")
        is_left_out = yamltext.text(yamltext.child(rule, "when")) == "never"
        text = yamltext.text(condition) or ""
        if condition is not None and _PROPOSED.search(text) and not is_left_out:
            yield MERGE_REQUEST, yamltext.span_of(source, condition)
    for node in yamltext.items(yamltext.child(body, "only")):
        if yamltext.text(node) == "merge_requests":
            yield MERGE_REQUEST, yamltext.span_of(source, node)
