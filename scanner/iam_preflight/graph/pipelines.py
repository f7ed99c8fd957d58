"""Pipeline jobs of the repository, the roles that they take, and who can start them."""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from iam_preflight.graph.environments import Environments
from iam_preflight.graph.federation import web_identities
from iam_preflight.graph.model import Principal
from iam_preflight.knowledge.issuers import IssuerKind, Level
from iam_preflight.knowledge.reading import read_data
from iam_preflight.values import items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.federation import WebIdentity
    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span

JOB = "pipeline_job"


class _Facts(msgspec.Struct):
    anybody: frozenset[str]
    collaborators: frozenset[str]


@functools.cache
def _facts() -> _Facts:
    return read_data("pipeline_triggers.json", _Facts)


class Starter(Enum):
    """Who can have a job run, and on whose code."""

    ANYBODY = "anybody, with code that they propose,"
    BYSTANDER = "anybody, with what was accepted,"
    COLLABORATOR = "whoever may open a pull request from a branch"


class Takeover(Struct, frozen=True):
    """That a job with a role is started by somebody who was not asked for."""

    job: Resource
    role: Principal
    trigger: str
    place: Span
    starter: Starter

    @property
    def is_guarded(self) -> bool:
        """Whether reviewers of an environment, or a condition, may stand in the way."""
        return any(self.job.get(name) is not None for name in ("environment", "guard"))


def takeovers(graph: Graph) -> Iterator[Takeover]:
    """Every job that takes a role of the code, by the worst of its triggers."""
    for job in graph.of_type(JOB):
        role = _role_of(job, graph)
        if role is None:
            continue
        found = list(_starts(job, role, graph))
        if found:
            yield min(found, key=lambda one: list(Starter).index(one.starter))


def _role_of(job: Resource, graph: Graph) -> Principal | None:
    """The role that a job takes, where the code makes it and it trusts pipelines."""
    for _, found, _ in graph.lookup.find_all(job.get("role"), Principal, job):
        if found.is_role and any(
            identity.issuer.kind is IssuerKind.CI for identity in web_identities(found.trust, graph)
        ):
            return found
    return None


def _starts(job: Resource, role: Principal, graph: Graph) -> Iterator[Takeover]:
    for _, item in items_of(job.get("triggers")):
        trigger = text_of(item) or ""
        if trigger in _facts().anybody:
            is_theirs = job.get("code_of") is not None
            starter = Starter.ANYBODY if is_theirs else Starter.BYSTANDER
            yield Takeover(job, role, trigger, item.span, starter)
        elif trigger in _facts().collaborators and _admits_proposals(role, graph):
            takeover = Takeover(job, role, trigger, item.span, Starter.COLLABORATOR)
            if not takeover.is_guarded:
                yield takeover


def _admits_proposals(role: Principal, graph: Graph) -> bool:
    """Whether the trust policy lets in jobs on code that nobody accepted yet."""
    return any(
        Level.CONTEXT not in identity.pinned and not identity.is_closed
        for identity in web_identities(role.trust, graph)
        if identity.issuer.kind is IssuerKind.CI
    )


def unapproved(graph: Graph) -> Iterator[tuple[Resource, Principal]]:
    """Jobs in no environment that take a role of the most protected one, from a branch.

    A subject that leaves the branch open lets in more than them, and one that names an
    environment keeps them out.
    """
    environments = Environments(graph.settings)
    for job in graph.of_type(JOB):
        role = _role_of(job, graph) if job.get("environment") is None else None
        if role is None or role.environment is None:
            continue
        if environments.is_most_protected(role.environment) and any(
            identity.issuer.kind is IssuerKind.CI
            and Level.CONTEXT in identity.pinned
            and not identity.is_closed
            and not _asks_for_environment(identity)
            for identity in web_identities(role.trust, graph)
        ):
            yield job, role


def _asks_for_environment(identity: WebIdentity) -> bool:
    return any(
        "environment" in text
        for condition in identity.statement.conditions
        for text in (condition.key_name, *(value.text for value in condition.values))
    )


def keys_beside_roles(graph: Graph) -> Iterator[tuple[Resource, Principal]]:
    """Jobs that sign in with a long-lived key, and a role that their platform could take."""
    jobs = [job for job in graph.of_type(JOB) if job.get("access_key") is not None]
    if not jobs:
        return
    by_platform = {
        identity.issuer.name: role
        for role in graph.roles
        for identity in web_identities(role.trust, graph)
    }
    for job in jobs:
        role = by_platform.get(job.text("platform") or "")
        if role is not None:
            yield job, role
