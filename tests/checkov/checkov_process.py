"""Starts the real checkov with the pack, and reads what it says."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACK = ROOT / "checks" / "checkov_pack"
SOURCES = (ROOT / "scanner", ROOT / "checks")
SENTINEL = "CKV_IAMP_SCAN_000"
OURS = ("--check", "CKV_IAMP_*")


@dataclass(frozen=True, order=True)
class Record:
    check: str
    file: str
    resource: str
    """Without what checkov leaves out of some addresses: the type of CloudFormation, `data.`."""
    result: str = "FAILED"
    severity: str = ""


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str
    folder: Path

    @property
    def records(self) -> list[Record]:
        return sorted(self._records())

    def of(self, result: str) -> set[Record]:
        return {record for record in self.records if record.result == result}

    @property
    def failed(self) -> set[tuple[str, str, str]]:
        """`(rule, file, resource)` of what fails."""
        return {(one.check, one.file, one.resource) for one in self.of("FAILED")}

    def _records(self) -> Iterator[Record]:
        for report in documents(self.out):
            for name in ("passed_checks", "failed_checks", "skipped_checks"):
                for record in report.get("results", {}).get(name, ()):
                    yield self._record(record)

    def _record(self, record: dict[str, Any]) -> Record:
        resource = record["resource"]
        if "::" in resource:
            resource = resource.rpartition(".")[2]
        file = Path(os.path.realpath(self.folder / record["file_abs_path"]))
        return Record(
            check=record["check_id"],
            file=file.relative_to(self.folder.resolve()).as_posix(),
            resource=resource,
            result=record["check_result"]["result"],
            severity=str(record["severity"]),
        )


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The reports in what checkov prints: a JSON document a folder, a list where it is several."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        yield from document if isinstance(document, list) else [document]
        text = text[end:]


@dataclass(frozen=True)
class Checkov:
    python: Path

    def run(
        self,
        folder: Path,
        *arguments: str,
        json_output: bool = True,
        pack: tuple[str, ...] = ("--external-checks-dir", str(PACK)),
        before: tuple[Path, ...] = (),
        **variables: str,
    ) -> Run:
        """Runs it in a folder; `before` are folders that are searched for modules first."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CHECKOV_", "CKV_", "BC_", "PYTHON", "TF_"))
        }
        path = os.pathsep.join(map(str, (*before, *SOURCES)))
        environment = {**inherited, "PYTHONPATH": path, "LOG_LEVEL": "ERROR", **variables}
        command = [str(self.python), str(self.python.with_name("checkov")), "--skip-download"]
        command += ["--framework", "terraform", "terraform_plan", "cloudformation"]
        command += [*pack, *(("--output", "json") if json_output else ()), *arguments]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=folder, env=environment
        )
        return Run(done.returncode, done.stdout, done.stderr, folder)
