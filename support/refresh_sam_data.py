"""Rewrites what the SAM transform adds: policy templates and connector permissions.

    pip install aws-sam-translator && python support/refresh_sam_data.py

aws-sam-translator (Apache-2.0) is the transform that AWS runs; its policy templates and
connector profiles say which statements a name stands for, which is what is taken over. Writes
`sam_policy_templates.json` and `sam_connectors.json`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "scanner" / "iam_preflight" / "knowledge" / "data"
PACKAGE = "aws-sam-translator"


def read(path: str) -> dict[str, Any]:
    text = (importlib.resources.files("samtranslator") / path).read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def write(name: str, what: str, **sections: dict[str, Any]) -> None:
    head = {
        "source": f"{PACKAGE} {importlib.metadata.version(PACKAGE)}, {what}",
        "licence": "Apache-2.0",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "command": "python support/refresh_sam_data.py",
    }
    text = json.dumps(head, indent=1)[:-2]
    for key, facts in sections.items():
        lines = [f"  {json.dumps(name)}: {json.dumps(facts[name])}" for name in sorted(facts)]
        text += f',\n "{key}": {{\n' + ",\n".join(lines) + "\n }"
        print(f"{name}: {len(facts)} {key}")
    text += "\n}\n"
    json.loads(text)
    (DATA / name).write_text(text, "utf-8")


def main() -> None:
    templates = read("policy_templates_data/policy_templates.json")["Templates"]
    write(
        "sam_policy_templates.json",
        "policy_templates_data/policy_templates.json",
        templates={
            name: {
                "parameters": sorted(template.get("Parameters", {})),
                "statement": template["Definition"]["Statement"],
            }
            for name, template in templates.items()
        },
    )
    profiles = read("model/connector_profiles/profiles.json")
    write(
        "sam_connectors.json",
        "model/connector_profiles/profiles.json",
        connectors={
            f"{source} {target}": {
                "kind": profile["Type"],
                "is_held_by_source": profile["Properties"]["SourcePolicy"],
                "access": profile["Properties"]["AccessCategories"],
            }
            for source, targets in profiles["Permissions"].items()
            for target, profile in targets.items()
        },
        resources={
            name: {
                "role": facts.get("Inputs", {}).get("Role", ""),
                "returns": facts.get("Outputs", {}),
            }
            for name, facts in profiles["CfnResourceProperties"].items()
        },
    )


if __name__ == "__main__":
    main()
