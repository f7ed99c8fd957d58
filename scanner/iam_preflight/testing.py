"""For those who write rules: scan text, and check rules against fixtures with marked lines.

`<folder>/<RULE-ID>/{terraform,cloudformation}/` holds one file or folder a case:

- `bad_…`: what the rule must find, with `# iam-preflight: expect[RULE-ID]` on the line above
  each expected place (a JSON template has its expectations in `<name>.expect`, `RULE-ID line`);
- `good_…`: what no rule may say anything about.

A folder is scanned as a whole and may carry its own `.iam-preflight.yaml`.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.account.files import find_exports
from iam_preflight.discovery import SKIPPED_DIRECTORIES, Workspace, find_root, inventory_of
from iam_preflight.scan import Report, ScanOptions, scan, scan_inventory
from iam_preflight.settings import FILE_NAME, Settings
from iam_preflight.settings_file import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iam_preflight.findings import Finding
    from iam_preflight.registry import Registry

FORMATS = ("terraform", "cloudformation")
_MARKER = re.compile(r"(?:#|//)\s*iam-preflight:\s*expect\[([A-Z0-9, -]+)\]")

Expectation = tuple[str, str, int]
"""Rule, file name, line."""


# ---------------------------------------------------------------- scanning text


class MemoryTree:
    """Files by path, as `discovery.Tree` wants them, without a disk."""

    closed: Mapping[str, str] = MappingProxyType({})

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {
            path: text.encode() if isinstance(text, str) else text for path, text in files.items()
        }

    def files(self, below: str) -> Iterator[str]:
        start = "" if below in ("", ".") else f"{below}/"
        for path in sorted(self._files):
            folders = path.split("/")[:-1]
            if path.startswith(start) and not SKIPPED_DIRECTORIES.intersection(folders):
                yield path

    def read(self, path: str) -> bytes:
        try:
            return self._files[posixpath.normpath(path)]
        except KeyError:
            raise FileNotFoundError(2, "no such file", path) from None

    def is_file(self, path: str) -> bool:
        return posixpath.normpath(path) in self._files

    def is_directory(self, path: str) -> bool:
        return path in ("", ".") or any(name.startswith(f"{path}/") for name in self._files)

    def names(self, directory: str) -> list[str]:
        start = "" if directory in ("", ".") else f"{directory}/"
        inside = (name[len(start) :] for name in self._files if name.startswith(start))
        return sorted({name.split("/")[0] for name in inside})


def scan_files(
    files: Mapping[str, str | bytes], registry: Registry, options: ScanOptions | None = None
) -> Report:
    """The report of a scan over texts by path: `scan_files({"main.tf": "…"}, load_rules())`."""
    tree = MemoryTree(files)
    options = options if options is not None else ScanOptions()
    inventory = inventory_of(tree, ["."], options.leaves_out)
    return scan_inventory(Workspace(tree), inventory, registry, options, "")


# ---------------------------------------------------------------- fixtures


class Case(Struct, frozen=True):
    """One fixture: a file or folder, good or bad, of one rule in one language."""

    rule: str
    format: str
    path: Path

    @property
    def is_bad(self) -> bool:
        return self.path.name.startswith("bad_")

    @property
    def stem(self) -> str:
        """What it has in common with its twin in another language."""
        return self.path.name.split(".", 1)[0]

    def __str__(self) -> str:
        return f"{self.rule}-{self.format}-{self.path.name}"


def find_cases(folder: Path) -> list[Case]:
    """Every fixture below a folder of rules, in order."""
    return [
        Case(rule.name, name, path)
        for rule in sorted(folder.iterdir())
        if rule.is_dir()
        for name in FORMATS
        if (rule / name).is_dir()
        for path in sorted((rule / name).iterdir())
        if path.suffix != ".expect" and path.name.startswith(("bad_", "good_"))
    ]


def expectations(case: Case) -> set[Expectation]:
    """What the marks of a fixture ask for."""
    files = sorted(case.path.rglob("*")) if case.path.is_dir() else [case.path]
    places: set[Expectation] = set()
    for file in files:
        if not file.is_file() or file.suffix == ".expect":
            continue
        sidecar = file.with_name(f"{file.name}.expect")
        if sidecar.is_file():
            places.update(_sidecar(sidecar, file.name))
        else:
            places.update(_marks(file))
    return places


def _sidecar(sidecar: Path, name: str) -> Iterator[Expectation]:
    for line in sidecar.read_text(encoding="utf-8").splitlines():
        rule, _, number = line.partition(" ")
        if rule:
            yield rule, name, int(number)


def _marks(file: Path) -> Iterator[Expectation]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    for index, line in enumerate(lines):
        for marker in _MARKER.findall(line):
            target = index + 1
            while target < len(lines) and _MARKER.search(lines[target]):
                target += 1
            for rule in marker.split(","):
                yield rule.strip(), file.name, target + 1


class Harness(Struct):
    """Scans fixtures, each once, and says where they differ from their marks."""

    registry: Registry
    about: frozenset[str] = frozenset()
    """Rules that good fixtures must be silent for; empty asks it of all."""
    _reports: dict[Path, Report] = field(default_factory=dict)

    def report(self, case: Case) -> Report:
        held = self._reports.get(case.path)
        if held is None:
            own = case.path / FILE_NAME
            settings = load_settings(own) if own.is_file() else Settings()
            snapshots = find_exports(
                [case.path / path for path in settings.account_context], find_root([case.path])
            )
            options = ScanOptions(settings=settings, account_context=tuple(snapshots))
            if case.path.is_file():
                # by itself: Terraform would take the other fixtures of the folder with it
                files = {case.path.name: case.path.read_bytes()}
                held = scan_files(files, self.registry, options)
            else:
                held = scan([case.path], self.registry, options)
            self._reports[case.path] = held
        return held

    def found(self, case: Case, rules: set[str]) -> set[Expectation]:
        """Where the rules speak, those named under `also` included."""
        return {
            (rule, Path(finding.primary.span.path).name, finding.primary.span.line)
            for finding in self.report(case).shown
            for rule in (finding.rule, *finding.also)
            if rule in rules
        }

    def faults(self, case: Case) -> list[str]:
        """What is wrong with a fixture or its rule; empty when they agree."""
        faults = [f"{p.place}: not read: {p.message}" for p in self.report(case).problems]
        if not case.is_bad:
            return faults + [
                f"should be silent: {describe(finding)}"
                for finding in self.report(case).shown
                if not self.about or finding.rule in self.about
            ]
        marked = expectations(case)
        rules = {case.rule} | {rule for rule, _, _ in marked}
        if case.rule not in {rule for rule, _, _ in marked}:
            faults.append(f"a bad fixture marks its own rule: expect[{case.rule}]")
        found = self.found(case, rules)
        for rule, name, line in sorted(marked - found):
            faults.append(f"{name}:{line}: {rule} is expected and does not speak")
        for rule, name, line in sorted(found - marked):
            faults.append(f"{name}:{line}: {rule} speaks and is not expected")
        return faults

    def verdicts(self, case: Case) -> list[tuple[str, str, str]]:
        """What the rule says about a fixture, places aside: twins must agree on it."""
        return sorted(
            (case.rule, str(finding.severity), str(finding.confidence))
            for finding in self.report(case).shown
            if case.rule in (finding.rule, *finding.also)
        )


def describe(finding: Finding) -> str:
    return f"{finding.primary.span} {finding.rule} {finding.message}"
