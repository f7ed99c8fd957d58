"""Issuers of OpenID Connect tokens: whose customers share one, and which claims tell them apart.

What a claim pins is read off the form of its value: `repo:{tenant}/{project}:{context}` says
that `repo:acme/*` pins the customer and leaves the repository open. A hole is fixed text.
"""

from __future__ import annotations

import functools
from enum import Enum, IntEnum
from fnmatch import fnmatchcase

import msgspec

from iam_preflight.knowledge.reading import read_data
from iam_preflight.late_patterns import late

_FIELD = late(r"\{(tenant|project|context|any)\}")
_WILD = late(r"[*?]")

HOLE = "\ue000"
"""What stands for a hole in a value."""


class Level(IntEnum):
    """What a token says about where it comes from, from wide to narrow."""

    TENANT = 0
    """The customer of the issuer: an organization, a group, an account."""
    PROJECT = 1
    """The repository, pipeline, workspace or namespace."""
    CONTEXT = 2
    """The branch, environment or service account."""


ALL_LEVELS = frozenset(Level)
NO_LEVELS: frozenset[Level] = frozenset()


class IssuerKind(Enum):
    CI = "ci"
    CLUSTER = "cluster"
    APP = "app"
    """People who sign in to an application."""
    POOL = "pool"
    """A Cognito identity pool."""
    SERVICE = "service"
    """Anything else."""


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    hosts: tuple[str, ...]
    source: str
    is_shared: bool = False
    """Customers who have nothing to do with each other get tokens from it."""
    kind: IssuerKind = IssuerKind.SERVICE
    audiences: tuple[str, ...] = ()
    claims: dict[str, tuple[str, ...]] = {}
    """Claims that say who it is, with the forms of their values; without any, whatever it is."""
    wide: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    """Claims about what is called, whoever calls it."""
    example: str = ""

    def identifies(self, claim: str) -> bool:
        """Whether a claim says something about who holds the token."""
        if self.claims:
            return bool(self.claims.get(claim))
        return claim not in ("aud", "iss")

    def is_about_called(self, claim: str, value: str) -> bool:
        """Whether a claim, or the part of one that a value shows, is not about who calls."""
        return claim in self.called or value.partition(":")[0] in self.called

    def pins(self, claim: str, value: str) -> frozenset[Level] | None:
        """What a value (`*` and `?` as wildcards) pins; None where no token can have it."""
        forms = self.claims.get(claim)
        if not value.strip("*?") or forms == ():
            return NO_LEVELS
        if forms is None:
            is_fixed = not _WILD.search(value)
            return ALL_LEVELS if is_fixed else frozenset({Level.TENANT, Level.PROJECT})
        found = [pinned for form in forms if (pinned := self._by_form(form, value)) is not None]
        if not found:
            return ALL_LEVELS if HOLE in value else None
        return max(found, key=len)

    def _by_form(self, form: str, value: str) -> frozenset[Level] | None:
        pinned = _fields_of(form, value)
        if pinned is None:
            return None
        levels: dict[Level, bool] = {}
        for name, text in pinned:
            if name != "any":
                level = Level[name.upper()]
                levels[level] = levels.get(level, True) and self._is_fixed(level, text)
        names = {name for name, _ in pinned}
        if levels.get(Level.PROJECT):
            levels.setdefault(Level.TENANT, True)
        if "context" not in form and {"tenant", "project"} & names:
            levels[Level.CONTEXT] = bool(levels.get(Level.PROJECT)) and not self._has_contexts
        return frozenset(level for level, is_fixed in levels.items() if is_fixed)

    @property
    def _has_contexts(self) -> bool:
        return any("{context}" in form for forms in self.claims.values() for form in forms)

    def _is_fixed(self, level: Level, text: str) -> bool:
        before = _WILD.split(text, maxsplit=1)[0]
        if level is not Level.CONTEXT:
            return before == text
        if before == text:
            return text not in self.untrusted
        return bool(before) and before not in self.wide


def _fields_of(form: str, value: str) -> list[tuple[str, str]] | None:
    """What stands in each field of a form; None where the value does not have the form.

    A wildcard may stand for any rest, so that all after it is open. A hole may stand for several
    fields with what is between them.
    """
    pieces = _FIELD.split(form)
    literals, names = pieces[::2], pieces[1::2]
    fields: list[tuple[str, str]] = []
    at = 0
    is_open = is_in_hole = False
    for name, before, after in zip(names, literals[:-1], literals[1:], strict=True):
        if is_open:
            fields.append((name, "*"))
            continue
        if is_in_hole:
            is_in_hole = False
        elif value.startswith(before, at):
            at += len(before)
        elif _begins(before, value[at:]) or _WILD.search(value[:at]):
            fields.append((name, "*"))
            is_open = True
            continue
        else:
            return None
        text = _until(after, value[at:]) if after else value[at:]
        if text is not None:
            fields.append((name, text))
            at += len(text)
            is_open = _begins(after, value[at:]) and not value.startswith(after, at)
        elif HOLE in value[at:]:
            fields.append((name, HOLE))
            is_in_hole = True
        elif _WILD.search(value):
            fields.append((name, value[at:] if _WILD.search(value, at) else "*"))
            is_open = True
        else:
            return None
    return fields


def _until(literal: str, rest: str) -> str | None:
    """What is left before a fixed part, or before the beginning of it and a wildcard."""
    end = rest.find(literal)
    if end >= 0:
        return rest[:end]
    cut = _WILD.search(rest)
    stop = cut.start() if cut is not None else 0
    return next((rest[:i] for i in range(stop) if literal.startswith(rest[i:stop])), None)


def _begins(literal: str, rest: str) -> bool:
    """Whether a wildcard in what is left may stand for (the rest of) a fixed part."""
    cut = _WILD.search(rest)
    return cut is not None and literal.startswith(rest[: cut.start()])


class _File(msgspec.Struct):
    issuers: tuple[Issuer, ...]


@functools.cache
def _issuers() -> tuple[Issuer, ...]:
    return read_data("oidc_issuers.json", _File).issuers


@functools.cache
def issuer_of(url: str) -> Issuer | None:
    """Who issues tokens under a URL (without its scheme), where that is public knowledge."""
    host = url.lower().rstrip("/")
    for issuer in _issuers():
        if any(fnmatchcase(host, pattern) for pattern in issuer.hosts):
            return issuer
    return None


@functools.cache
def cluster_issuer(*, is_eks: bool = True) -> Issuer:
    """What an EKS cluster's issuer is like, or that of a Kubernetes cluster anywhere."""
    clusters = (one for one in _issuers() if one.kind is IssuerKind.CLUSTER)
    return next(one for one in clusters if is_eks or not one.hosts)
