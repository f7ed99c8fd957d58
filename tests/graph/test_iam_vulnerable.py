"""The principals of a deliberately vulnerable configuration against their known verdicts.

`yes`: the configuration proves a way to administrator; `perm`: the permission is there, the
target is not; `module:X`: only with module X switched on; `no`: must not be reported.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from iam_preflight.findings import Severity
from iam_preflight.registry import load_rules
from iam_preflight.scan import Report, ScanOptions, scan

if TYPE_CHECKING:
    from collections.abc import Iterable

CORPORA = os.environ.get("IAM_PREFLIGHT_CORPORA", "")
pytestmark = pytest.mark.skipif(
    not CORPORA, reason="IAM_PREFLIGHT_CORPORA does not name a folder with iam-vulnerable"
)
WAYS = {"ESC-001", "ESC-002", "ESC-003", "ESC-004", "ESC-005"}


class Verdict(NamedTuple):
    principal: str
    kind: str
    expected: str
    worst: Severity | None


def scanned(folder: Path) -> Report:
    return scan([folder], load_rules().select(tuple(WAYS), ()), ScanOptions())


def verdicts(report: Report, expected: Iterable[dict[str, str]]) -> list[Verdict]:
    worst: dict[tuple[str, str], Severity] = {}
    names = {p.address: (p.kind.value, p.name.text) for p in report.graph.principals}
    for finding in report.shown:
        key = names.get(finding.principal)
        if key is not None:
            worst[key] = max(worst.get(key, Severity.INFO), finding.severity)
    return [
        Verdict(t["principal"], t["kind"], t["verdict"], worst.get((t["kind"], t["principal"])))
        for t in expected
    ]


def truth() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(
        (Path(CORPORA) / "iam-vulnerable.truth.json").read_text()
    )
    return found


def table(found: list[Verdict]) -> str:
    lines = [f"{v.expected:<22} {v.worst!s:<9} {v.kind} {v.principal}" for v in found]
    return "\n".join(lines)


def test_every_proved_way_is_found_and_nothing_else() -> None:
    found = verdicts(scanned(Path(CORPORA) / "iam-vulnerable"), truth())
    print(table(found))  # noqa: T201  the table is what one wants to see when it fails
    print(Counter(v.expected for v in found))  # noqa: T201
    assert [v for v in found if v.expected == "yes" and v.worst is None] == []
    assert [v for v in found if v.expected == "no" and v.worst is not None] == []
    potential = [v for v in found if v.expected == "perm" and v.worst is not None]
    assert [v for v in potential if v.worst > Severity.MEDIUM] == []
    switched_off = [v for v in found if v.expected.startswith("module:")]
    assert [v for v in switched_off if (v.worst or Severity.INFO) > Severity.MEDIUM] == []


@pytest.mark.parametrize("module", ["lambda", "ec2", "glue", "sagemaker", "cloudformation"])
def test_ways_of_a_module_are_found_once_it_is_switched_on(module: str, tmp_path: Path) -> None:
    copy = tmp_path / "iam-vulnerable"
    shutil.copytree(Path(CORPORA) / "iam-vulnerable", copy)
    main = copy / "main.tf"
    main.chmod(0o644)
    main.write_text(_switch_on(main.read_text(), module))
    found = verdicts(scanned(copy), truth())
    wanted = [v for v in found if v.expected == f"module:{module}"]
    assert wanted, "the truth names principals of this module"
    assert [v for v in wanted if v.worst is None or v.worst < Severity.HIGH] == []


def _switch_on(text: str, module: str) -> str:
    block = re.compile(rf"^#\s*module \"{module}\" \{{.*?^#\s*\}}", re.MULTILINE | re.DOTALL)
    found = block.search(text)
    assert found, f"module {module} is not in main.tf as a comment"
    live = re.sub(r"^#", "", found.group(), flags=re.MULTILINE)
    return text.replace(found.group(), live)
