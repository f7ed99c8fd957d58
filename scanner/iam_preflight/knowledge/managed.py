"""The policies that AWS manages, by ARN in any partition or by name.

https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

import functools
import re
import zlib
from typing import TYPE_CHECKING

import msgspec

from iam_preflight.jsontext import parse_json
from iam_preflight.knowledge.reading import read_bytes, read_data
from iam_preflight.policy.read import read_policy
from iam_preflight.source import SourceFile
from iam_preflight.values import Known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.policy.document import Document

ARN_MARK = ":iam::aws:policy/"

_FULL = re.compile(r"(.+?)_?(FullAccess|ReadWrite|PowerUser|Administrator)(_?[vV]\d+)?")
_READING = ("ReadOnlyAccess", "_ReadOnlyAccess", "ReadOnly")
"""How AWS ends the names of policies for the same thing that give more and less."""
_MADE_TO_MEASURE = ("service-role/", "job-function/")
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_job-functions.html"""


class _Entry(msgspec.Struct, array_like=True, frozen=True):
    path: str
    """`service-role`, `job-function`; empty at the top."""
    version: str
    offset: int
    length: int


class _Index(msgspec.Struct):
    version: str
    date: str
    dictionary: int
    policies: dict[str, _Entry]


class ManagedPolicies:
    """The shipped documents; each is unpacked and read when somebody asks for it, once."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}

    @functools.cached_property
    def _index(self) -> _Index:
        return read_data("managed_policies.json", _Index)

    @functools.cached_property
    def _members(self) -> bytes:
        return read_bytes("managed_policies.bin")

    @property
    def version(self) -> str:
        """Where the documents come from, with its version."""
        return self._index.version

    @property
    def date(self) -> str:
        """The day that the newest of them was changed by AWS, as `2026-09-30`."""
        return self._index.date

    def __iter__(self) -> Iterator[str]:
        """The names, without paths."""
        return iter(self._index.policies)

    def __len__(self) -> int:
        return len(self._index.policies)

    def get(self, arn_or_name: str) -> Document | None:
        """The default version of a policy; None when AWS has no such policy.

        `arn:aws-us-gov:iam::aws:policy/service-role/X` must have its path right, as AWS wants
        it; a bare name may have it or leave it out.
        """
        _, mark, full_name = arn_or_name.rpartition(ARN_MARK)
        path, _, name = full_name.rpartition("/")
        entry = self._index.policies.get(name)
        if entry is None or ((mark or path) and path != entry.path):
            return None
        document = self._documents.get(name)
        if document is None:
            document = self._documents[name] = self._read(name, entry)
        return document

    def arn(self, name: str, partition: str = "aws") -> str | None:
        entry = self._index.policies.get(name)
        if entry is None:
            return None
        path = f"{entry.path}/" if entry.path else ""
        return f"arn:{partition}{ARN_MARK}{path}{name}"

    def reader_beside(self, full_name: str) -> str | None:
        """The name of the policy that only reads what another one gives in full."""
        match = _FULL.fullmatch(full_name.rpartition("/")[2])
        names = (f"{match[1]}{end}" for end in _READING) if match else ()
        return next((name for name in names if name in self._index.policies), None)

    def _read(self, name: str, entry: _Entry) -> Document:
        import json

        members = self._members
        unpack = zlib.decompressobj(-15, zdict=members[: self._index.dictionary])
        packed = members[entry.offset : entry.offset + entry.length]
        text = json.dumps(json.loads(unpack.decompress(packed)), indent=2)
        source = SourceFile(self.arn(name) or name, text.encode())
        return read_policy(parse_json(Known(text, source.whole())))


@functools.cache
def managed_policies() -> ManagedPolicies:
    """The shipped policies, read once."""
    return ManagedPolicies()


def managed_policy(arn_or_name: str) -> Document | None:
    """The document of an AWS-managed policy; None when AWS has no such policy."""
    return managed_policies().get(arn_or_name)


def is_made_to_measure(name: str) -> bool:
    """Whether AWS cuts a policy, named with its path, for the work of one service or job."""
    return name.startswith(_MADE_TO_MEASURE)
