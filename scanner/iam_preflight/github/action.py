"""The scanning step of action.yml: `python -I -m iam_preflight.github.action`.

It runs the command line in a process of its own, so that whatever happens to that is a verdict,
and says with outputs what came of it. The gate is another step: what is between the two may fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

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
JSON, SARIF, BASELINE = "report.json", "report.sarif", "baseline.json"
TOKEN = "IAM_PREFLIGHT_TOKEN"  # noqa: S105  the name of a variable


class Step(Struct, frozen=True):
    """One run of the step."""

    context: Context
    inputs: Inputs
    environment: Mapping[str, str]
    stream: TextIO

    def run(self) -> int:
        """Scans, and sets the outputs; gives the exit code that the gate will have."""
        self._refuse_code_of_strangers()
        folder = Path(tempfile.mkdtemp(prefix="iam-preflight-", dir=self.context.temporary))
        outputs = {"reports": str(folder)}
        try:
            base = self._base()
        except UsageError as fault:
            # without the base's settings and ignores a change would judge itself
            text = f"the base of the change is not there: {fault} (set fetch-depth: 2 or more)"
            workflow.error(text, self.stream)
            return self._told(NOT_ANALYSED, outputs)
        code = self._scan(tuple(self._arguments(folder, base)))
        report = _report(folder / JSON)
        if report is None and code in (0, 1, 3):
            code = NOT_ANALYSED
        if base is not None:
            outputs["base"] = base.commit
        if report is not None:
            outputs |= {"json-file": str(folder / JSON), **_counts(report)}
            outputs["sarif-file"] = str(self._sarif(folder / SARIF))
        return self._told(code, outputs)

    def _refuse_code_of_strangers(self) -> None:
        """Rules are run; with `pull_request_target` a stranger's would be, beside the secrets."""
        is_given = any(word.partition("=")[0] == "--rules" for word in self.inputs.args)
        if is_given and self.context.event_name == "pull_request_target":
            raise UsageError("input args: --rules is not for pull_request_target")

    def _told(self, code: int, outputs: dict[str, str]) -> int:
        verdict = {"verdict": VERDICTS[code], "exit-code": str(code)}
        workflow.set_outputs(verdict | outputs, self.environment)
        return code

    # ---- what a change is compared with, and judged by

    def _base(self) -> history.Base | None:
        """The base of a change, fetched if need be. Raises `UsageError` where it cannot be had."""
        if self.context.event.pull_request is None and self.context.event.merge_group is None:
            return None
        repository = Repository(self._root())
        base = history.base_of(self.context, repository)
        if base is None:
            return None
        if not history.is_here(repository, base.commit):
            token = self.environment.get(TOKEN, "")
            history.fetch(self.context, repository, base.commit, token)
        repository.commit(base.commit)
        if self.inputs.is_comparing and not history.is_traceable(repository, base):
            text = "where the change began is not in the clone: it is compared with the newest base"
            workflow.notice(f"{text} (fetch-depth: 0 at the checkout helps)", self.stream)
        return base

    # ---- the scan

    def _root(self) -> Path:
        """The repository that the first path is in, which may be below the workspace, not above."""
        workspace = self.context.workspace.resolve()
        start = workspace / self._paths()[0]
        try:
            top = Repository(start if start.is_dir() else start.parent).top
        except UsageError:
            return workspace
        return top if workspace in (top, *top.parents) else workspace

    def _paths(self) -> tuple[str, ...]:
        return (*self.inputs.paths, *self.inputs.plan) or (".",)

    def _arguments(self, folder: Path, base: history.Base | None) -> Iterator[str]:
        """Values are joined to their options: none can be taken for an option itself.

        A change is judged by the settings, ignores and known findings of its base.
        """
        inputs, paths = self.inputs, self._paths()
        is_comparing = base is not None and inputs.is_comparing
        if base is not None and is_comparing:
            yield from ("diff", base.commit)
            yield from (f"--path={path}" for path in paths)
            yield from ("--settings-from=base", "--suppressions-from=base")
            if base.is_exact:
                yield "--exact"
        else:
            yield "scan"
            if base is not None:
                yield f"--settings-from={base.commit}"
                yield f"--suppressions-from={base.commit}"
            yield from self._baseline(folder, base)
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
        if not is_comparing:
            yield from ("--", *paths)

    def _baseline(self, folder: Path, base: history.Base | None) -> Iterator[str]:
        """The baseline file: that of the base, if there is one, lest a change adds to it."""
        if not self.inputs.baseline:
            return
        if base is None:
            yield f"--baseline={self.inputs.baseline}"
            return
        root = self._root()
        file = (self.context.workspace / self.inputs.baseline).resolve()
        try:
            with Repository(root).tree(base.commit) as tree:
                known = tree.read(file.relative_to(root).as_posix())
        except (OSError, ValueError):
            text = f"the base has no {self.inputs.baseline}: no finding is taken for known"
            workflow.notice(text, self.stream)
            return
        (folder / BASELINE).write_bytes(known)
        yield f"--baseline={folder / BASELINE}"

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
    from iam_preflight.commands.shared.streams import prepare_streams

    prepare_streams()
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
