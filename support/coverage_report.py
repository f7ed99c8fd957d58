"""How much of the policies in a Terraform tree can be worked out before deploy, and why not more.

    python support/coverage_report.py FOLDER… [--verbose]

Every attribute that holds a policy is read, and every policy document nobody refers to. "Lost"
means an attribute that is written but gave no document, no hole and no problem: a fault of ours.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "scanner"))

from iam_preflight.discovery import FolderTree, Workspace, take_inventory
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.policy.document import Document, Resolution
from iam_preflight.policy.read import read_policy
from iam_preflight.terraform.load import TerraformOptions, load_terraform
from iam_preflight.values import CycleError, Json, Value, blocks_of, is_null

if TYPE_CHECKING:
    from iam_preflight.resources import Resource


@dataclass
class Tally:
    documents: Counter[Resolution] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Of the holes, each label once for each document."""
    faults: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    for folder in options.folders:
        report(folder.resolve(), verbose=options.verbose)


def report(folder: Path, *, verbose: bool) -> None:
    started = time.perf_counter()
    workspace = Workspace(FolderTree(folder))
    inventory = take_inventory(workspace, folder, [folder])
    policies = resource_types().policy
    tally = Tally()
    wanted = {*policies, "aws_iam_role", "aws_iam_policy_document"}
    found = load_terraform(
        workspace, inventory.terraform, TerraformOptions(), lambda name: name in wanted
    )
    for resource in found:
        for where, value in policies_of(resource, dict(policies.get(resource.type, {}))):
            count(tally, where, value)
    total = sum(tally.documents.values())
    shown = ", ".join(f"{tally.documents[r]} {r.value}" for r in Resolution)
    seconds = time.perf_counter() - started
    print(f"{folder.name}: {total} documents: {shown}, {len(tally.lost)} lost ({seconds:.1f} s)")
    for reason, number in tally.reasons.most_common():
        print(f"    {number:5} holes: {reason}")
    for fault, number in tally.faults.most_common(12):
        print(f"    {number:5} faults: {fault}")
    kinds = Counter(problem.kind.name for problem in workspace.problems)
    print(f"    problems: {dict(kinds)}")
    for line in tally.lost:
        print(f"    LOST {line}")
    for line in tally.details if verbose else ():
        print(f"    {line}")


def policies_of(resource: Resource, attributes: dict[str, str]) -> list[tuple[str, Value]]:
    """The policies that a resource carries, and where."""
    found: list[tuple[str, Value]] = []
    for path in attributes:
        *outer, last = path.split(".")
        where = f"{resource.address}.{path} ({resource.header})"
        if path == "inline_policy" and resource.type == "aws_iam_role":
            outer, last = ["inline_policy"], "policy"
        found.extend((where, value) for value in reach(resource, outer, last))
    if resource.type == "aws_iam_policy_document":
        document = resource.attributes.entries.attribute("json", resource.span)
        found.append((f"{resource.address}.json ({resource.header})", document))
    return found


def reach(resource: Resource, outer: list[str], last: str) -> list[Value]:
    if not outer:
        value = get(resource.attributes, last)
        return [] if value is None or is_null(value) else [value]
    found: list[Value] = []
    value = get(resource.attributes, outer[0])
    for _, block in blocks_of(value):
        inner = get(block, last)
        if inner is not None and not is_null(inner):
            found.append(inner)
    return found


def get(mapping: object, name: str) -> Value | None:
    try:
        return mapping.entries.get(name)  # type: ignore[attr-defined, no-any-return]
    except CycleError:
        return None


def count(tally: Tally, where: str, value: Value) -> None:
    document = read_policy(value.value if isinstance(value, Json) else value)
    tally.documents[document.resolution] += 1
    for hole in document.holes:
        tally.reasons[hole.reason.value] += 1
    for problem in document.problems:
        tally.faults[problem.message] += 1
    if is_lost(document):
        tally.lost.append(where)
    if document.resolution is not Resolution.FULL:
        holes = "; ".join(hole.explanation for hole in document.holes[:4])
        tally.details.append(f"{document.resolution.value:7} {where}: {holes}")


def is_lost(document: Document) -> bool:
    return not document.statements and not document.holes and not document.problems


if __name__ == "__main__":
    main()
