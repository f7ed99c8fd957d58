"""What a change adds: findings, trust and access of one version that another does not have.

Both versions are scanned in full, so that a finding counts as new wherever its cause is: in
another file, a variable, or an ignore that is gone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.baseline import entries_of, fingerprint_of
from iam_preflight.decisions import Outcome
from iam_preflight.discovery import Workspace, inventory_of
from iam_preflight.faults import KeptTo
from iam_preflight.new_access import NewAccess, new_access
from iam_preflight.new_paths import NewPath, new_paths
from iam_preflight.new_trust import NewTrust, new_trust
from iam_preflight.scan import scan_inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iam_preflight.baseline import Entry
    from iam_preflight.comments import Ignore
    from iam_preflight.decisions import Decided
    from iam_preflight.discovery import Tree
    from iam_preflight.errors import Problem
    from iam_preflight.findings import Finding
    from iam_preflight.registry import Registry
    from iam_preflight.scan import Report, ScanOptions


class Version(Struct, frozen=True):
    """One side of a comparison."""

    tree: Tree
    name: str
    options: ScanOptions


class Change(Struct, frozen=True):
    """How the head differs from the base, beside the findings that are new."""

    base: str
    head: str
    fixed: tuple[Decided, ...]
    """Findings that the base shows and the head has not."""
    ignores: tuple[Ignore, ...]
    """Ignores that the change adds and that hide something."""
    has_other_settings: bool
    """The settings differ: a finding may have come or gone by that alone."""
    trust: tuple[NewTrust, ...] = ()
    access: tuple[NewAccess, ...] = ()
    paths: tuple[NewPath, ...] = ()


def compare(
    base: Version, head: Version, paths: Sequence[str], registry: Registry, root: str
) -> Report:
    """The report of the head, with what the base has too marked as unchanged."""
    before = _scan(base, paths, registry, root)
    known = entries_of(_known(before))
    after = _scan(head, paths, registry, root, known)
    change = Change(
        base=base.name,
        head=head.name,
        fixed=tuple(_fixed(before, after)),
        ignores=tuple(_added_ignores(before, after)),
        has_other_settings=base.options.settings != head.options.settings,
    )
    graphs = (before.graph, after.graph)
    faults: list[Problem] = []
    with KeptTo(".", faults, "trust is not compared"):
        change = replace(change, trust=tuple(new_trust(*graphs)))
    with KeptTo(".", faults, "access is not compared"):
        change = replace(change, access=tuple(new_access(*graphs)))
    with KeptTo(".", faults, "ways to become an administrator are not compared"):
        change = replace(change, paths=tuple(new_paths(*graphs)))
    return replace(
        after,
        change=change,
        problems=(*after.problems, *faults),
        seconds=before.seconds + after.seconds,
    )


def _scan(
    version: Version,
    paths: Sequence[str],
    registry: Registry,
    root: str,
    base: Sequence[Entry] | None = None,
) -> Report:
    workspace = Workspace(version.tree)
    present = [
        path for path in paths if version.tree.is_directory(path) or version.tree.is_file(path)
    ]
    inventory = inventory_of(version.tree, present, version.options.leaves_out)
    return scan_inventory(workspace, inventory, registry, version.options, root, base)


def _known(report: Report) -> Iterator[Finding]:
    """What the base shows: what it ignores or hides is new when the head shows it."""
    for decided in report.findings:
        if decided.is_shown:
            yield from decided.instances
            yield from decided.folded


def _fixed(before: Report, after: Report) -> Iterator[Decided]:
    """Findings of the base none of whose instances is left in the head.

    An ignore that the head adds does not fix anything, nor does another name for a root.
    """
    roots, new_roots = _roots(after), _roots(after) - _roots(before)
    left = {fingerprint_of(one) for one in _all(after)}
    moved = {one.moved for one in left if one.root in new_roots}
    for decided in before.findings:
        if not decided.is_shown:
            continue
        prints = [fingerprint_of(one) for one in decided.instances]
        if not any(one in left or (one.root not in roots and one.moved in moved) for one in prints):
            yield decided


def _roots(report: Report) -> set[str]:
    return {resource.deployment.path for resource in report.graph.resources}


def _all(report: Report) -> Iterator[Finding]:
    for decided in report.findings:
        yield from decided.instances
        yield from decided.folded


def _added_ignores(before: Report, after: Report) -> Iterator[Ignore]:
    earlier = Counter(_identities(before.findings))
    told: set[int] = set()
    for decided in after.findings:
        ignore = decided.ignore
        if ignore is None or decided.outcome is not Outcome.SUPPRESSED or id(ignore) in told:
            continue
        told.add(id(ignore))
        identity = _identity(ignore)
        if earlier[identity] > 0:
            earlier[identity] -= 1
        else:
            yield ignore


def _identities(findings: Iterable[Decided]) -> Iterator[str]:
    seen: dict[int, Ignore] = {
        id(decided.ignore): decided.ignore for decided in findings if decided.ignore is not None
    }
    yield from map(_identity, seen.values())


def _identity(ignore: Ignore) -> str:
    return hashlib.sha256("\0".join(ignore.identity()).encode("utf-8", "replace")).hexdigest()
