"""Checks the names of CloudFormation types against the schemas of both sides.

    pip install cfn-lint
    terraform providers schema -json > schema.json      # in a folder that requires hashicorp/aws
    python support/check_cloudformation_names.py schema.json

Says which types, properties and attributes of `cloudformation_names.json` do not exist, and which
types that carry policies or roles have no entry. What a newer provider brought in is listed apart.
Exits with 1 when something does not exist.
"""

from __future__ import annotations

import importlib.resources
import json
import sys
from pathlib import Path
from typing import Any

from iam_preflight.cloudformation.names import snake_case
from iam_preflight.knowledge.resource_types import resource_types

DATA = Path(__file__).parent.parent / "scanner" / "iam_preflight" / "knowledge" / "data"
PROVIDER = "registry.terraform.io/hashicorp/aws"
WRITTEN_FOR_US = {"instance_profile", "resource_arn"}
"""Attributes that are in a block of the provider's, or in a newer provider."""


class Schemas:
    """The registry's schemas, as cfn-lint ships them, and the provider's."""

    def __init__(self, provider: Path) -> None:
        self.resources = json.loads(provider.read_text("utf-8"))["provider_schemas"][PROVIDER][
            "resource_schemas"
        ]
        self.folder = importlib.resources.files("cfnlint") / "data" / "schemas"
        text = (self.folder / "providers" / "us-east-1.json").read_text("utf-8")
        self.files: dict[str, str] = json.loads(text)

    def has_property(self, native: str, path: str) -> bool:
        name = f"{self.files[native]}.json"
        schema = json.loads((self.folder / "resources" / name).read_text("utf-8"))
        node: dict[str, Any] = schema
        for step in path.split("."):
            node = _resolved(node, schema)
            if "items" in node:
                node = _resolved(node["items"], schema)
            options = [node, *node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
            found = [
                one["properties"][step] for one in options if step in one.get("properties", {})
            ]
            if not found:
                # free-form JSON may hold anything
                return "properties" not in node
            node = found[0]
        return True

    def attributes(self, resource_type: str) -> set[str] | None:
        found = self.resources.get(resource_type)
        if found is None:
            return None
        block = found["block"]
        return {*block.get("attributes", {}), *block.get("block_types", {})}


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        node = schema.get("definitions", {}).get(node["$ref"].rpartition("/")[2], {})
    return node


def check(facts: dict[str, Any], schemas: Schemas) -> tuple[list[str], list[str]]:
    """What does not exist, and what cannot be checked."""
    wrong: list[str] = []
    unknown: list[str] = []
    for native, entry in facts["types"].items():
        if native not in schemas.files:
            unknown.append(f"{native}: not in the registry")
            continue
        own = schemas.attributes(entry["type"]) if entry["type"] else set()
        if own is None:
            unknown.append(f"{native}: {entry['type']} is not in this provider")
        for path, target in entry.get("attributes", {}).items():
            if not schemas.has_property(native, path):
                wrong.append(f"{native}: there is no property {path}")
            is_own = target and target != "*" and not target.startswith(".")
            if is_own and own and target not in own | WRITTEN_FOR_US:
                wrong.append(f"{native}: {entry['type']} has no attribute {target} ({path})")
        for rule in entry.get("derived", ()):
            source = rule.get("each") or rule["from"]
            if not schemas.has_property(native, source):
                wrong.append(f"{native}: there is no property {source}")
            there = schemas.attributes(rule["type"])
            if there is None:
                unknown.append(f"{native}: {rule['type']} is not in this provider")
                continue
            named = [rule.get("own"), rule.get("item"), rule.get("statement")]
            named += [*rule.get("attributes", {}).values(), *rule.get("copy", {}).values()]
            wrong += [
                f"{native}: {rule['type']} has no attribute {name}"
                for name in named
                if name and name not in there | WRITTEN_FOR_US
            ]
            wrong += [
                f"{native}: there is no property {name}"
                for name in rule.get("copy", {})
                if not schemas.has_property(native, name)
            ]
    return wrong, unknown


def unlisted(facts: dict[str, Any], schemas: Schemas) -> list[str]:
    """Types that carry policies or roles, have no entry, and look as if they had a counterpart."""
    types = resource_types()
    found: list[str] = []
    for native in sorted({*types.policy, *types.role} & schemas.files.keys()):
        _, service, name = native.split("::")
        guess = f"aws_{service.lower()}_{snake_case(name)}"
        is_known = guess in types.policy or guess in types.role
        if native not in facts["types"] and guess in schemas.resources and is_known:
            found.append(f"{native}: may be {guess}")
    return found


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    facts = json.loads((DATA / "cloudformation_names.json").read_text("utf-8"))
    schemas = Schemas(Path(sys.argv[1]))
    wrong, unknown = check(facts, schemas)
    for title, lines in (
        ("cannot be checked", unknown),
        ("have no entry", unlisted(facts, schemas)),
        ("do not exist", wrong),
    ):
        print(f"{title}: {len(lines)}")
        for line in lines:
            print(f"  {line}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
