"""Which findings an ignore in the code covers, and which ignores are worth nothing.

An ignore counts when it names the rule, gives a reason, has not expired, and stands at the
finding's element, at something around it, at the resource, or at a module call (parent stack)
on the way to it. Every ignore that does not count is said with its place (SCAN-904): none of
them breaks a build by itself, but what it was to hide is shown.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.comments import MARKS, ignores_in
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.faults import KeptTo
from iam_preflight.source import SourceFile
from iam_preflight.stretches import Stretches

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator

    from iam_preflight.comments import Ignore
    from iam_preflight.discovery import Tree
    from iam_preflight.findings import Finding
    from iam_preflight.registry import Registry
    from iam_preflight.settings import Settings
    from iam_preflight.source import Span

LONGEST_NAME = 40
"""Characters that are shown of what was taken for the name of a rule."""
MODULES = ".terraform/"
"""Below here is other people's code: nobody can tidy an unused ignore there."""


class Approved:
    """The ignores of an earlier version: a change cannot exempt itself."""

    def __init__(self, sources: Iterable[SourceFile], name: str) -> None:
        self.name = name
        self._left = Counter(
            ignore.identity() for source in sources for ignore in ignores_in(source)
        )

    def take(self, ignore: Ignore) -> bool:
        """Whether the earlier version has the ignore, each of its copies counting once."""
        identity = ignore.identity()
        if self._left[identity] <= 0:
            return False
        self._left[identity] -= 1
        return True


def approved_in(tree: Tree, sources: Iterable[SourceFile], name: str) -> Approved:
    """What an earlier version says in the files that have ignores now."""
    earlier: list[SourceFile] = []
    for source in sources:
        if not any(mark in source.data for mark in MARKS):
            continue
        try:
            earlier.append(SourceFile(source.path, tree.read(source.path)))
        except OSError:
            continue
    return Approved(earlier, name)


class _Active(Struct, frozen=True):
    """An ignore that counts, with the rules it names by their ids."""

    ignore: Ignore
    scope: Span
    rules: tuple[str, ...]
    order: int
    """Its number in its file: of those that cover a finding the first is used."""


class Suppressions:
    """The ignores of the files of a scan."""

    def __init__(
        self,
        sources: Iterable[SourceFile],
        registry: Registry,
        settings: Settings,
        today: dt.date,
        approved: Approved | None = None,
        read: Callable[[SourceFile], list[Ignore]] = ignores_in,
    ) -> None:
        self._registry = registry
        self._locked = registry.ids_named(settings.locked)
        self._today = today
        self._approved = approved
        self._by_file: dict[str, list[_Active]] = {}
        self._scopes: dict[str, dict[str, Stretches[_Active]]] = {}
        """By file, then by rule."""
        self._used: set[tuple[int, str]] = set()
        self._refused: list[tuple[Ignore, str]] = []
        self._faults: list[Problem] = []
        for source in sources:
            with KeptTo(source.path, self._faults, "ignores are not read, and hide nothing"):
                for ignore in read(source):
                    self._add(ignore)

    def _add(self, ignore: Ignore) -> None:
        """Keeps an ignore that counts; of one that does not, why."""
        if ignore.fault:
            self._refused.append((ignore, ignore.fault))
            return
        if ignore.until is not None and ignore.until < self._today:
            message = f"expired on {ignore.until}: what it hid is shown again"
            self._refused.append((ignore, message))
            return
        rules: list[str] = []
        for name in ignore.rules:
            rule = self._registry.find_installed(name)
            if rule is None:
                shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
                near = self._near(shown)
                self._refused.append((ignore, f"there is no rule {shown!r}{near}"))
            elif rule.id in self._locked:
                message = f"{rule.id} is locked in the settings: no comment can ignore it"
                self._refused.append((ignore, message))
            else:
                rules.append(rule.id)
        if not rules:
            return
        if ignore.scope is None:
            self._refused.append((ignore, "nothing follows that it could be about"))
            return
        if self._approved is not None and not self._approved.take(ignore):
            message = f"not in {self._approved.name}: it counts once it has been merged"
            self._refused.append((ignore, message))
            return
        beside = self._by_file.setdefault(ignore.place.path, [])
        beside.append(_Active(ignore, ignore.scope, tuple(rules), len(beside)))

    def _near(self, name: str) -> str:
        from iam_preflight.typed import nearest

        return nearest(name, (rule.id for rule in self._registry.installed))

    # ---- answers

    def find(self, finding: Finding) -> Ignore | None:
        """The ignore that covers a finding; it counts as used from then on."""
        if not self._by_file:
            return None
        by_path: dict[str, list[Span]] = {}
        for place in _places(finding):
            by_path.setdefault(place.path, []).append(place)
        for path, places in by_path.items():
            scopes = self._scopes_in(path).get(finding.rule)
            if scopes is None:
                continue
            covering = [
                active
                for place in places
                for active in scopes.around(place.start, place.end)
                if active.scope.contains(place)
            ]
            if covering:
                first = min(covering, key=lambda active: active.order)
                self._used.add((id(first.ignore), finding.rule))
                return first.ignore
        return None

    def _scopes_in(self, path: str) -> dict[str, Stretches[_Active]]:
        """What the ignores of a file cover, by rule; the first of those that cover the same."""
        if path not in self._scopes:
            firsts: dict[str, dict[Span, _Active]] = {}
            for active in self._by_file.get(path, ()):
                for rule in active.rules:
                    firsts.setdefault(rule, {}).setdefault(active.scope, active)
            self._scopes[path] = {
                rule: Stretches((scope.start, scope.end, active) for scope, active in own.items())
                for rule, own in firsts.items()
            }
        return self._scopes[path]

    def problems(self, live: Iterable[str]) -> Iterator[Problem]:
        """What is wrong with the ignores in the files; unused ones only of `live` files."""
        yield from self._faults
        for ignore, message in self._refused:
            yield _problem(ignore, message)
        if not self._registry.is_complete:
            return
        paths = {path for path in live if MODULES not in path}
        for path in sorted(paths & self._by_file.keys()):
            for active in self._by_file[path]:
                for rule in active.rules:
                    if (id(active.ignore), rule) not in self._used:
                        yield _problem(active.ignore, f"{rule} finds nothing here: remove it")


def _problem(ignore: Ignore, message: str) -> Problem:
    place = ignore.place
    return Problem(ProblemKind.BAD_IGNORE, f"ignore: {message}", place.path, place)


def _places(finding: Finding) -> Iterator[Span]:
    """Where an ignore may stand: the element, what causes it, the resource, calls to it."""
    yield finding.primary.span
    yield from finding.causes
    for place in finding.related:
        if any(cause.contains(place.span) for cause in finding.causes):
            yield place.span
    yield finding.resource.header
    yield finding.resource.span
    yield from finding.resource.calls
