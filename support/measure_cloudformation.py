"""Says how much of each folder of templates could be worked out, and why not the rest.

    python support/measure_cloudformation.py FOLDER...

Per folder: templates read, policies resolved fully, fully but for what AWS alone decides (the
account, region and partition that are deployed to, generated names), partly, not at all; then the
reasons of the holes, problems by kind, what could not be read, and the time taken.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from iam_preflight.cloudformation.parameters import Given
from iam_preflight.cloudformation.scan import TemplateScan
from iam_preflight.discovery import FolderTree, Workspace, take_inventory
from iam_preflight.graph.model import SETTLED_BY_AWS
from iam_preflight.knowledge.resource_types import resource_types
from iam_preflight.policy.document import Resolution
from iam_preflight.policy.read import read_policy
from iam_preflight.values import blocks_of, holes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.values import Value

MOST_REASONS = 12


def policies_of(resource: Resource) -> Iterator[Value]:
    """Every policy document that a resource carries."""
    for attribute in resource_types().policy.get(resource.type, {}):
        value = resource.get(attribute)
        if value is None:
            continue
        if attribute == "inline_policy":
            for _, block in blocks_of(value):
                inner = block.get("policy")
                if inner is not None:
                    yield inner
        else:
            yield value


def measure(folder: Path) -> None:
    top = folder.resolve()
    workspace = Workspace(FolderTree(top))
    inventory = take_inventory(workspace, top, [top])
    types = resource_types()
    resolutions: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    grammar: list[str] = []
    resources = 0
    started = time.perf_counter()
    scan = TemplateScan(workspace, inventory.templates, Given({}))
    loaded = time.perf_counter() - started
    found = [r for stack in scan.stacks for r in stack.resources(types.is_relevant)]
    for resource in found:
        resources += 1
        for value in policies_of(resource):
            document = read_policy(value)
            holes = {hole.label: hole for hole in holes_of(value)}.values()
            settled = document.resolution is Resolution.PARTLY and all(
                hole.reason in SETTLED_BY_AWS for hole in holes
            )
            outcome = "but for what AWS settles" if settled else document.resolution.value
            resolutions[outcome] += 1
            reasons.update(hole.reason.value for hole in holes)
            grammar.extend(f"{p.span}: {p.message}" for p in document.problems)
    seconds = time.perf_counter() - started
    total = sum(resolutions.values())
    print(f"\n{folder.name}")
    print(f"  files                {len(inventory.templates)}")
    print(
        f"  templates            {sum(1 for p in inventory.templates for _ in scan.templates(p))}"
    )
    print(f"  stacks of their own  {len(scan.stacks)}")
    print(f"  resources            {resources}")
    for outcome in ("full", "but for what AWS settles", "partly", "none"):
        count = resolutions[outcome]
        share = 100 * count / total if total else 0
        print(f"  policies {outcome:25} {count:5}  {share:5.1f} %")
    print(f"  seconds              {loaded:.2f} reading, {seconds:.2f} in all")
    for reason, count in reasons.most_common(MOST_REASONS):
        print(f"    hole: {reason:40} {count}")
    for kind, count in Counter(p.kind.name for p in workspace.problems).items():
        print(f"    problem: {kind:37} {count}")
    for problem in workspace.problems:
        if problem.fails_the_scan:
            print(f"    {problem.place}: {problem.message}")
    for line in grammar[:MOST_REASONS]:
        print(f"    grammar: {line}")


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for argument in sys.argv[1:]:
        measure(Path(argument))


if __name__ == "__main__":
    main()
