"""What all formats of exports have in common: files, dates, and resources that point into them.

Nothing here ever calls AWS. A resource of a snapshot has the same type and attributes as one
that code would make; its address is its ARN (or id), its deployment is the account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from iam_preflight.jsontext import JsonError, parse_parts
from iam_preflight.resources import Deployment, Framework, Provider, Resource
from iam_preflight.source import Span
from iam_preflight.values import (
    Fragment,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reference,
    already,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value

_ACCOUNT = re.compile(r"arn:[^:]*:[^:]*:[^:]*:(\d{12}):")


class ExportError(Exception):
    """A file that cannot be used as an export: what is wrong with it, and where."""

    def __init__(self, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


class Export(Struct, frozen=True):
    """What one file turned out to be."""

    source: SourceFile
    format: str
    """As people call it: `authorization details`."""
    account: str
    """The account that it is of; empty where it is of the whole organization."""
    resources: tuple[Resource, ...]
    date: dt.datetime | None = None
    """The report's own date; what is in it is no older. None where it does not tell."""
    subject: str = ""
    """What of the account it is about, where there may be several of one format."""
    is_cut: bool = False
    """It is one page of several."""
    until: dt.datetime | None = None
    """The latest date in it, where it has none of its own: it was not made before."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Makes the resources of one file."""

    source: SourceFile
    account: str
    provider: Provider = field(init=False)
    deployment: Deployment = field(init=False)

    def __post_init__(self) -> None:
        whole = Span(self.source, 0, 0)
        accounts = (Known(self.account, whole),) if self.account else ()
        settings = Mapping({"allowed_account_ids": Listing(accounts, whole)}, whole)
        object.__setattr__(self, "provider", Provider(settings=settings))
        path = f"account {self.account}" if self.account else "organization"
        object.__setattr__(self, "deployment", Deployment(path, Framework.ACCOUNT))

    def resource(
        self,
        kind: str,
        address: str,
        span: Span,
        attributes: dict[str, Value],
        pending: dict[str, Callable[[], Value]] | None = None,
        *,
        header: Span | None = None,
    ) -> Resource:
        """A resource whose `pending` attributes are read when somebody asks for them."""
        entries: dict[str, Callable[[], Value]] = {
            name: already(value) for name, value in attributes.items()
        }
        entries.update(pending or {})
        return Resource(
            address=address,
            type=kind,
            native_type=kind,
            name=address.rpartition("/")[2],
            attributes=Mapping(LazyEntries(entries) if pending else attributes, span),
            span=span,
            header=header or span,
            deployment=self.deployment,
            provider=self.provider,
        )

    def reference(self, text: str, span: Span, address: str, attribute: str = "arn") -> Known:
        """Text that names another resource of the account."""
        return Known(text, span, reference=Reference(address, attribute, self.deployment.path))


def json_at(source: SourceFile, start: int, end: int) -> Value:
    """The JSON between two bytes of a file, each value with its place."""
    span = Span(source, start, end)
    text = source.data[start:end].decode("utf-8", "replace")
    return parse_parts((Fragment(text, span),), span)


def document_at(source: SourceFile, start: int, end: int) -> Value:
    """A policy document between two bytes of a file, placed by statement.

    Lines of snapshots are never shown, so that finer places than statements would not be seen;
    an account has tens of thousands of documents, and this is ten times faster than `json_at`.
    Raises `msgspec.DecodeError`.
    """
    whole = Span(source, start, end)
    parts = msgspec.json.decode(source.data[start:end], type=dict[str, msgspec.Raw])
    entries: dict[str, Value] = {}
    for key, raw in parts.items():
        if key != "Statement" or not bytes(raw).startswith(b"["):
            entries[key] = plain(msgspec.json.decode(raw), whole)
            continue
        pieces = msgspec.json.decode(raw, type=list[msgspec.Raw])
        places = (Span(source, *place) for place in located(source.data, pieces, start))
        statements = zip(pieces, places, strict=True)
        read = tuple(plain(msgspec.json.decode(piece), place) for piece, place in statements)
        entries[key] = Listing(read, whole)
    return Mapping(entries, whole)


def plain(value: Any, span: Span) -> Value:
    """Decoded JSON as a value, all of it with one place."""
    match value:
        case dict():
            return Mapping({key: plain(item, span) for key, item in value.items()}, span)
        case list():
            return Listing(tuple(plain(item, span) for item in value), span)
        case _:
            return Known(value, span)


def located(data: bytes, pieces: Iterable[msgspec.Raw], at: int = 0) -> Iterator[tuple[int, int]]:
    """Where pieces of a file that follow each other stand in it, from a byte on.

    Another list may begin between two pieces: then the next one is looked for from the start.
    """
    for raw in pieces:
        piece = bytes(raw)
        start = data.find(piece, at, at + len(piece) + 256)
        if start < 0:
            start = data.find(piece)
        at = start + len(piece)
        yield start, at


def json_of(source: SourceFile) -> Mapping:
    """The object that a whole file is; raises `ExportError`."""
    try:
        value = json_at(source, 0, len(source.data))
    except JsonError as error:
        raise ExportError(f"not JSON: {error.message}", error.span) from None
    if not isinstance(value, Mapping):
        raise ExportError("holds no JSON object", value.span)
    return value


def keys_of(source: SourceFile) -> frozenset[str]:
    """The names at the top of a JSON file, found without reading what is below."""
    try:
        return frozenset(msgspec.json.decode(source.data, type=dict[str, msgspec.Raw]))
    except msgspec.DecodeError as error:
        raise ExportError(f"not a whole JSON object: {error}") from None


def account_in(arns: Iterable[str]) -> str:
    """The account that ARNs are of; empty without any."""
    for arn in arns:
        found = _ACCOUNT.match(arn)
        if found:
            return found[1]
    return ""


def one_account(arns: Iterable[str], source: SourceFile) -> str:
    """The one account that all ARNs are of; raises `ExportError` where there are several."""
    accounts = {account for arn in arns if (account := account_in([arn]))}
    if len(accounts) > 1:
        raise ExportError(f"mixes accounts {', '.join(sorted(accounts))}", source.whole())
    return next(iter(accounts), "")


def items_at(value: Value | None, key: str) -> Iterator[Mapping]:
    """The objects in a list under a key."""
    listed = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(listed, Listing):
        for item in listed.items:
            if isinstance(item, Mapping):
                yield item


def word(value: Mapping, key: str) -> str:
    """The text under a key; empty where there is none."""
    held = value.get(key)
    return held.value if isinstance(held, Known) and isinstance(held.value, str) else ""


def latest(moments: Sequence[dt.datetime | None]) -> dt.datetime | None:
    return max((one for one in moments if one is not None), default=None)
