"""Records what real Terraform makes of the cases in tests/terraform/cases.

    IAM_PREFLIGHT_TF_MIRROR=FOLDER python support/record_terraform_answers.py

Needs `terraform` on the PATH and the AWS provider in the mirror folder. Also writes a plan as a
fixture to fixtures/plans, without what names the machine.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests/terraform"))

import terraform_oracle as oracle  # noqa: E402


def main() -> None:
    if oracle.terraform() is None or oracle.mirror() is None:
        sys.exit(f"terraform is not on the PATH, or {oracle.MIRROR_VARIABLE} names no folder")
    with tempfile.TemporaryDirectory() as folder:
        oracle.write_expressions(Path(folder))
        expressions = oracle.expressions()
        values = oracle.console_values(Path(folder), [f"e{i}" for i in range(len(expressions))])
        write("expressions", [[e, values[f"e{i}"]] for i, e in enumerate(expressions)])
    with tempfile.TemporaryDirectory() as folder:
        write("policy_documents", oracle.document_answers(Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        write("configurations", oracle.configuration_answers(Path(folder)))


def write(name: str, answers: Any) -> None:
    entries = list(answers.items()) if isinstance(answers, dict) else answers
    lines = [
        f"{json.dumps(entry[0])}: {json.dumps(entry[1], sort_keys=True)}"
        if isinstance(answers, dict)
        else json.dumps(entry)
        for entry in entries
    ]
    opening, closing = ("{", "}") if isinstance(answers, dict) else ("[", "]")
    path = oracle.CASES / f"{name}.answers.json"
    path.write_text(f"{opening}\n" + ",\n".join(lines) + f"\n{closing}\n", "utf-8")
    print(f"{len(entries)} answers: {path}")


if __name__ == "__main__":
    main()
