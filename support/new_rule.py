"""Begins a rule: its class and its fixture folders, with the next free id of its family.

python support/new_rule.py wildcards pass-role-to-any-role
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from iam_preflight.registry import load_rules

ROOT = Path(__file__).parents[1]

CLASS = '''\
from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Severity
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Statement


class {class_name}(Rule):
    """One line that says what is wrong.

    ## What it checks

    ## Why it matters

    ## How to fix

    ## Example
    """

    id = "{rule_id}"
    name = "{name}"
    severity = Severity.MEDIUM
    practice = {practice}

    def check_statement(
        self, statement: Statement, policy: Policy, graph: Graph
    ) -> Iterator[Finding]:
        raise NotImplementedError
'''


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("family", help="a folder of checks/iam_preflight_checks")
    parser.add_argument("name", help="names the flaw, in kebab-case")
    chosen = parser.parse_args()
    folder = ROOT / "checks" / "iam_preflight_checks" / chosen.family
    family = [rule for rule in load_rules() if f".{chosen.family}." in type(rule).__module__]
    if not family:
        parser.error(f"{folder} holds no rules")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", chosen.name):
        parser.error(f"{chosen.name!r} is not kebab-case")
    prefix = family[0].id.partition("-")[0]
    taken = [int(rule.id.partition("-")[2]) for rule in load_rules() if rule.id.startswith(prefix)]
    rule_id = f"{prefix}-{max(taken) + 1:03}"
    file = folder / f"{chosen.name.replace('-', '_')}.py"
    if file.exists():
        parser.error(f"{file} is there already")
    text = CLASS.format(
        class_name=chosen.name.title().replace("-", ""),
        rule_id=rule_id,
        name=chosen.name,
        practice=family[0].practice,
    )
    file.write_text(text, encoding="utf-8")
    for language in ("terraform", "cloudformation"):
        (ROOT / "fixtures" / "rules" / rule_id / language).mkdir(parents=True)
    print(f"{rule_id}: {file.relative_to(ROOT)}, fixtures/rules/{rule_id}")


if __name__ == "__main__":
    main()
