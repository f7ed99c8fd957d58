"""How our rules do on the examples that other scanners test themselves with.

The corpus (see `IAM_PREFLIGHT_CORPORA`) holds `labelled/labels.json`: for each file, which rule of
which tool is expected to fail or to pass. `mapping.yaml` beside this module says which of our
rules mean the same, and names every label that is left out with the reason.
`python support/score_labels.py` prints the score and the misses.

A `fail` is recalled when one of the mapped rules speaks, alone or under `also`; a `pass` is silent
when none does. checkov's labels are about one resource: a finding counts when it is on that
resource or its place is inside the resource's block. KICS's are about a file. Each file is scanned
by itself. Labels whose file is not valid HCL are skipped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import yaml

from iam_preflight.findings import Severity
from iam_preflight.registry import Registry, load_rules
from iam_preflight.scan import ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.findings import Finding
    from iam_preflight.scan import Report

MAPPING = Path(__file__).with_name("mapping.yaml")

Persona = Literal["regular", "pedantic", "auditor"]


class Meaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What rules of another tool are in our words; or why they are left out."""

    tool: str
    ids: tuple[str, ...]
    """Their ids; of KICS's the first part of the UUID."""
    ours: tuple[str, ...] = ()
    severity: Literal["info", "low", "medium", "high", "critical"] = "info"
    """Our rule counts from this severity on."""
    says: str = ""
    """A pattern that our message must contain, where one rule of ours is several of theirs."""
    left_out: str = ""


class LabelException(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels that are left out by themselves, or missed, and why."""

    file: str
    """As in the labels, or the end of it; `*` stands for anything."""
    ids: tuple[str, ...]
    reason: str
    resources: tuple[str, ...] = ()
    """Names of the resources, or their addresses; empty: all of the file."""
    expected: Literal["fail", "pass", ""] = ""


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[Meaning, ...]
    labels_left_out: tuple[LabelException, ...]
    known_misses: tuple[LabelException, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    tool: str
    rule: str
    name: str
    framework: str
    is_fail: bool
    file: str
    resource: str
    line: int | None

    @property
    def id(self) -> str:
        """The rule's id as the mapping writes it."""
        return self.rule.split("-")[0] if self.tool == "kics" else self.rule

    @property
    def last_name(self) -> str:
        return self.resource.rpartition(".")[2]

    def __str__(self) -> str:
        verdict = "fail" if self.is_fail else "pass"
        return f"{self.id} {verdict} {self.file} {self.resource}".rstrip()


@dataclass(frozen=True, slots=True)
class Scored:
    label: Label
    meaning: Meaning
    is_right: bool
    heard: tuple[Finding, ...]
    """What the mapped rules said; for a missed fail what others said of the same resource."""
    is_waiting: bool = False
    """It is missed, but not all of the mapped rules are installed."""


@dataclass(slots=True)
class Scorer:
    """Scores the labels of a corpus with the installed rules. Each file is scanned once."""

    corpora: Path
    persona: Persona = "pedantic"
    registry: Registry = field(default_factory=load_rules)
    mapping: Mapping = field(default_factory=lambda: read_mapping(MAPPING))
    _reports: dict[str, Report] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.corpora / "labelled"

    def labels(self) -> list[Label]:
        """Every label whose file can be parsed at all."""
        held = json.loads((self.folder / "labels.json").read_text(encoding="utf-8"))
        return [
            Label(
                tool=one["tool"],
                rule=one["rule_id"],
                name=one["rule_name"],
                framework=one["framework"],
                is_fail=one["expected"] == "fail",
                file=one["file"],
                resource=one["resource"] or "",
                line=one["line"],
            )
            for one in held
            if one["file_valid_hcl"] is not False
        ]

    def meaning(self, label: Label) -> Meaning | None:
        for one in self.mapping.rules:
            if one.tool == label.tool and label.id in one.ids:
                return one
        return None

    def why_left_out(self, label: Label) -> str:
        """The reason for which a label does not count; empty where it counts."""
        meaning = self.meaning(label)
        if meaning is not None and meaning.left_out:
            return meaning.left_out
        found = exception_for(label, self.mapping.labels_left_out)
        return found.reason if found is not None else ""

    def score(self, labels: Iterable[Label] | None = None) -> Iterator[Scored]:
        """Every label that counts, with whether we agree."""
        for label in self.labels() if labels is None else labels:
            meaning = self.meaning(label)
            if meaning is not None and not self.why_left_out(label):
                yield self.judge(label, meaning)

    def judge(self, label: Label, meaning: Meaning) -> Scored:
        everything = list(self.findings(label))
        heard = [one for one in everything if self._answers(one, meaning)]
        is_right = bool(heard) == label.is_fail
        is_waiting = not is_right and not all(self.registry.has(rule) for rule in meaning.ours)
        if label.is_fail and not heard:
            heard = everything
        return Scored(label, meaning, is_right, tuple(heard), is_waiting)

    def _answers(self, finding: Finding, meaning: Meaning) -> bool:
        said = f"{finding.message}; {finding.hint}"
        return (
            finding.rule in meaning.ours
            and finding.severity >= Severity[meaning.severity.upper()]
            and re.search(meaning.says, said, re.IGNORECASE) is not None
        )

    def findings(self, label: Label) -> Iterator[Finding]:
        """What we say about the resource (checkov) or the file (KICS) of a label."""
        report = self.report(label.file)
        place = _Place(label, report)
        for decided in report.findings:
            if decided.is_shown:
                for finding in (decided.finding, *decided.folded):
                    if label.tool == "kics" or place.holds(finding):
                        yield finding

    def report(self, file: str) -> Report:
        held = self._reports.get(file)
        if held is None:
            path = self.folder / file
            options = ScanOptions(settings=Settings(persona=self.persona))
            held = scan_files({path.name: path.read_bytes()}, self.registry, options)
            self._reports[file] = held
        return held


@dataclass(frozen=True)
class _Place:
    """The resource that a label is about."""

    label: Label
    report: Report

    @cached_property
    def addresses(self) -> frozenset[str]:
        resource = self.label.resource
        if "::" in resource:  # `AWS::IAM::Role.Name`
            resource = self.label.last_name
        return frozenset((resource, f"data.{resource}"))

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        return [
            (one.span.start, one.span.end)
            for one in self.report.graph.resources
            if one.address in self.addresses
        ]

    def holds(self, finding: Finding) -> bool:
        if self.addresses.intersection(finding.addresses):
            return True
        places = [finding.primary.span, *finding.causes]
        return any(start <= at.start < end for at in places for start, end in self.spans)


def read_mapping(path: Path) -> Mapping:
    return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Mapping)


def exception_for(label: Label, exceptions: Iterable[LabelException]) -> LabelException | None:
    """The exception that names a label."""
    for one in exceptions:
        pattern = re.escape(one.file).replace(r"\*", ".*")
        if (
            label.id in one.ids
            and re.search(f"(^|/){pattern}$", label.file)
            and (not one.resources or {label.resource, label.last_name} & {*one.resources})
            and one.expected in ("", "fail" if label.is_fail else "pass")
        ):
            return one
    return None


# ---------------------------------------------------------------- sums


@dataclass(slots=True)
class Tally:
    right: int = 0
    total: int = 0

    def add(self, is_right: bool) -> None:
        self.right += is_right
        self.total += 1

    @property
    def share(self) -> float:
        return self.right / self.total if self.total else 1.0

    def __str__(self) -> str:
        return f"{self.right}/{self.total}"


def tally(scored: Iterable[Scored]) -> tuple[Tally, Tally]:
    """Recall of `fail`, silence of `pass`."""
    fails, passes = Tally(), Tally()
    for one in scored:
        (fails if one.label.is_fail else passes).add(one.is_right)
    return fails, passes
