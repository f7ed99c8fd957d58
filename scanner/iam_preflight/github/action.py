"""The scanning step of action.yml: `python -I -m iam_preflight.github.action`.

It runs the command line in a process of its own, so that whatever happens to that is a verdict,
and says with outputs what came of it. The gate is another step: what is between the two may fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from iam_preflight.discovery import find_root
from iam_preflight.errors import UsageError
from iam_preflight.github import history, workflow
from iam_preflight.github.context import context_of
from iam_preflight.github.inputs import FORMATS, PREFIX, read_inputs
from iam_preflight.gittree import Repository
from iam_preflight.reporters.json_report import ReportError, read
from iam_preflight.reporters.model import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iam_preflight.github.context import Context
    from iam_preflight.github.inputs import Inputs
    from iam_preflight.reporters.model import Report

USAGE = 2
NOT_ANALYSED = 4
VERDICTS = {
    0: "clean",
    1: "findings",
    USAGE: "usage",
    3: "nothing-to-scan",
    NOT_ANALYSED: "not-analysed",
}
JSON, SARIF = "report.json", "report.sarif"
TOKEN = "IAM_PREFLIGHT_TOKEN"  # noqa: S105  the name of a variable


@dataclass(frozen=True, slots=True)
class Step:
    """One run of the step."""

    context: Context
    inputs: Inputs
    environment: Mapping[str, str]
    stream: TextIO

    def run(self) -> int:
        """Scans, and sets the outputs; gives the exit code that the gate will have."""
        folder = Path(tempfile.mkdtemp(prefix="iam-preflight-", dir=self.context.temporary))
        base = self._base() if self.inputs.is_comparing else None
        code = self._scan(tuple(self._arguments(folder, base)))
        report = _report(folder / JSON)
        if report is None and code in (0, 1, 3):
            code = NOT_ANALYSED
        outputs = {"verdict": VERDICTS[code], "exit-code": str(code), "reports": str(folder)}
        if base is not None:
            outputs["base"] = base.commit
        if report is not None:
            outputs |= {"json-file": str(folder / JSON), **_counts(report)}
            outputs["sarif-file"] = str(self._sarif(folder / SARIF))
        workflow.set_outputs(outputs, self.environment)
        return code

    # ---- what to compare with

    def _base(self) -> history.Base | None:
        """The base, fetched if need be; without it all of the code is judged, which is stricter."""
        try:
            repository = Repository(self._root())
            base = history.base_of(self.context, repository)
            if base is None:
                return None
            if not history.is_here(repository, base.commit):
                token = self.environment.get(TOKEN, "")
                history.fetch(self.context, repository, base.commit, token)
            repository.commit(base.commit)
        except UsageError as fault:
            text = f"nothing to compare with, so all of the code is judged: {fault}"
            workflow.notice(f"{text} (fetch-depth: 2 at the checkout helps)", self.stream)
            return None
        return base

    # ---- the scan

    def _root(self) -> Path:
        """The repository around the paths, which need not be the workspace, but is never above."""
        workspace = self.context.workspace.resolve()
        found = find_root(workspace / path for path in self._paths())
        return found if workspace in (found, *found.parents) else workspace

    def _paths(self) -> tuple[str, ...]:
        return (*self.inputs.paths, *self.inputs.plan) or (".",)

    def _arguments(self, folder: Path, base: history.Base | None) -> Iterator[str]:
        """Values are joined to their options: none can be taken for an option itself."""
        inputs, paths = self.inputs, self._paths()
        if base is not None:
            yield from ("diff", base.commit)
            yield from (f"--path={path}" for path in paths)
            # a change is not judged by what it says itself
            yield from ("--settings-from=base", "--suppressions-from=base")
            if base.is_exact:
                yield "--exact"
        else:
            yield "scan"
            if inputs.baseline:
                yield f"--baseline={inputs.baseline}"
        yield f"--root={self._root()}"
        if inputs.config:
            yield f"--config={inputs.config}"
        if inputs.fail_on:
            yield f"--fail-on={inputs.fail_on}"
        yield from (f"--var-file={file}" for file in inputs.var_files)
        yield from (f"--parameters={one}" for one in inputs.parameters)
        yield "--format=text"
        files = {"json": JSON, "sarif": SARIF, **{name: FORMATS[name] for name in inputs.formats}}
        for name, file in files.items():
            yield from (f"--format={name}", f"--output={folder / file}")
        yield from inputs.args
        if base is None:
            yield from ("--", *paths)

    def _scan(self, arguments: tuple[str, ...]) -> int:
        """The exit code of the command line. Nothing that it prints is a command to the runner."""
        command = [sys.executable, "-I", "-m", "iam_preflight", *arguments]
        kept = {
            name: value
            for name, value in self.environment.items()
            if name != TOKEN and not name.startswith((PREFIX, "GITHUB_", "ACTIONS_"))
        }
        with workflow.only_text(self.stream):
            done = subprocess.run(  # noqa: S603  no shell
                command, check=False, cwd=self.context.workspace, env=kept, stderr=subprocess.STDOUT
            )
        return done.returncode if done.returncode in VERDICTS else NOT_ANALYSED

    def _sarif(self, file: Path) -> Path:
        """Where the SARIF file is: a copy where the caller wants it, or our own."""
        if not self.inputs.sarif_file:
            return file
        try:
            return _copied(file, self.context.workspace.resolve(), self.inputs.sarif_file)
        except (OSError, UsageError) as fault:
            workflow.notice(f"sarif-file {self.inputs.sarif_file}: {fault}", self.stream)
            return file


def _copied(file: Path, workspace: Path, name: str) -> Path:
    """A copy inside of the workspace. The change may have put a link there: it is replaced."""
    target = workspace / name
    folder = target.parent.resolve()
    if folder != workspace and workspace not in folder.parents:
        raise UsageError("it is outside of the workspace")
    folder.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as copy:
        copy.write(file.read_bytes())
    Path(draft).replace(folder / target.name)
    return folder / target.name


def _report(file: Path) -> Report | None:
    try:
        return read(file.read_bytes())
    except (OSError, ReportError):
        return None


def _counts(report: Report) -> dict[str, str]:
    outputs: dict[str, str] = {
        severity: str(getattr(report.counts, severity)) for severity in SEVERITIES
    }
    if report.change is not None:
        outputs |= {"new": str(report.counts.shown), "fixed": str(report.counts.fixed)}
    return outputs


def main() -> None:
    """Ends with 0 whenever there is a verdict, bad as it may be: the gate passes it on."""
    from iam_preflight.commands.shared.streams import use_utf8

    use_utf8()
    environment = dict(os.environ)
    try:
        step = Step(context_of(environment), read_inputs(environment), environment, sys.stdout)
        step.run()
    except UsageError as fault:
        workflow.error(str(fault), sys.stdout)
        outputs = {"verdict": VERDICTS[USAGE], "exit-code": str(USAGE)}
        workflow.set_outputs(outputs, environment)


if __name__ == "__main__":
    main()
