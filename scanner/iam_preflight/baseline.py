"""Findings that are known: what identifies one when lines, files and formatting change.

A fingerprint is the rule, the root (folder or template), the address with its indexes
generalised, the principal and the normalised evidence. It holds no line and no file name, so
that moving code within a root keeps it; what moves to a root that was not there before is found
again by the rest of its fingerprint.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from iam_preflight.digests import sha256
from iam_preflight.discovery import read_regular
from iam_preflight.errors import UsageError
from iam_preflight.late_patterns import late
from iam_preflight.writing import open_output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from iam_preflight.findings import Finding
    from iam_preflight.masking import Secrets

FILE_NAME = ".iam-preflight-baseline.json"
VERSION = 1

_INDEX = late(r'\[(?:"(?:[^"\\]|\\.)*"|[^\]"]*)\]')
_NOISE = late(r"[\s\"',;]+")


class Fingerprint(Struct, frozen=True, order=True):
    rule: str
    root: str
    """The root module's folder or the template's file, from the top of the repository."""
    address: str
    """With `[*]` for every index, and the principal after `→` where that is another one."""
    evidence: str
    """A hash: evidence may be long, and should not be read from a baseline file."""

    @property
    def moved(self) -> tuple[str, str, str]:
        """What is left when the root has another name."""
        return (self.rule, self.address, self.evidence)

    @property
    def digest(self) -> str:
        text = f"{self.rule}\0{self.root}\0{self.address}\0{self.evidence}"
        return sha256(text.encode("utf-8", "surrogatepass"))[:20]


def fingerprint_of(finding: Finding) -> Fingerprint:
    address = generalised(finding.address)
    principal = generalised(finding.principal)
    if principal and principal != address:
        address = f"{address} → {principal}"
    evidence = _NOISE.sub("", finding.evidence).encode("utf-8", "surrogatepass")
    digest = sha256(evidence)[:12]
    return Fingerprint(finding.rule, finding.resource.deployment.path, address, digest)


def generalised(address: str) -> str:
    """`module.ci["eu"].aws_iam_role.this[0]` as `module.ci[*].aws_iam_role.this[*]`."""
    return _INDEX.sub("[*]", address) if "[" in address else address


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One known finding."""

    rule: str
    address: str
    root: str
    evidence: str
    message: str = ""
    """For people who read the file."""
    count: int = 1
    """Places with this fingerprint: the same statement may be written twice."""

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.rule, self.root, self.address, self.evidence)


class BaselineFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is stored."""

    version: int
    findings: tuple[Entry, ...]


class Known:
    """A set of known findings that is used up while findings are compared with it.

    Instances of one place share one entry; a second place with the same fingerprint needs a
    second one.
    """

    def __init__(self, entries: Iterable[Entry], roots: Iterable[str] = ()) -> None:
        self._left: Counter[Fingerprint] = Counter()
        self._by_rest: dict[tuple[str, str, str], list[Fingerprint]] = {}
        for entry in entries:
            one = entry.fingerprint
            self._left[one] += entry.count
            self._by_rest.setdefault(one.moved, []).append(one)
        self._roots = frozenset(roots)
        self._taken: dict[tuple[Fingerprint, str, int, int], bool] = {}

    def take(self, finding: Finding) -> bool:
        """Whether a finding is known."""
        if not self._left:
            return False
        fingerprint = fingerprint_of(finding)
        span = finding.primary.span
        key = (fingerprint, span.path, span.start, span.end)
        known = self._taken.get(key)
        if known is None:
            known = self._taken[key] = self._take(fingerprint) or self._take_moved(fingerprint)
        return known

    def _take(self, fingerprint: Fingerprint) -> bool:
        if self._left[fingerprint] <= 0:
            return False
        self._left[fingerprint] -= 1
        return True

    def _take_moved(self, fingerprint: Fingerprint) -> bool:
        """An entry that differs in the root only, whose root is no longer there."""
        others = self._by_rest.get(fingerprint.moved, ())
        return any(self._take(one) for one in others if one.root not in self._roots)


def entries_of(findings: Iterable[Finding], secrets: Secrets | None = None) -> list[Entry]:
    """The findings as baseline entries, sorted; instances of one place are one."""
    places: dict[Fingerprint, set[tuple[str, int, int]]] = {}
    messages: dict[Fingerprint, str] = {}
    for finding in findings:
        fingerprint = fingerprint_of(finding)
        places.setdefault(fingerprint, set()).add(finding.primary.sort_key())
        message = messages.setdefault(fingerprint, finding.message)
        messages[fingerprint] = min(message, finding.message)
    return [
        Entry(
            rule=one.rule,
            address=one.address,
            root=one.root,
            evidence=one.evidence,
            message=secrets.mask(messages[one]) if secrets else messages[one],
            count=len(places[one]),
        )
        for one in sorted(places)
    ]


def read_baseline(path: Path) -> tuple[Entry, ...]:
    """The entries of a baseline file; raises `UsageError`."""
    try:
        held = msgspec.json.decode(read_regular(path), type=BaselineFile)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not a baseline: {error}") from None
    if held.version != VERSION:
        raise UsageError(f"{path}: version {held.version} is not known: write it anew")
    return held.findings


def write_baseline(path: Path, entries: Iterable[Entry]) -> None:
    """One line a finding, sorted, so that changes read well in reviews."""
    import json

    lines = [json.dumps(msgspec.to_builtins(entry), ensure_ascii=False) for entry in entries]
    body = ",\n  ".join(lines)
    text = f'{{"version": {VERSION}, "findings": [\n  {body}\n]}}\n'
    try:
        with open_output(path) as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
