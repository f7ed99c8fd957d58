"""Where secrets go: keys and passwords that are made in the code, and keys written into it.

A value remembers which attributes it was read from, through modules, templates and encodings;
so a secret is followed by looking at what stands in an environment, an output or a file. Only
places are kept here, never the secrets themselves.
"""

from __future__ import annotations

import binascii
import functools
import re
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.knowledge.reading import read_data
from iam_preflight.resources import Resource
from iam_preflight.values import (
    Choice,
    Json,
    Known,
    Listing,
    Mapping,
    Reference,
    Text,
    Unknown,
    arms_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions, Value

KEY_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_SECRET = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_AWS_SECRET_NAME = re.compile(r"(?i)secret[-_]?access[-_]?key|aws[-_]?secret")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]{40,}={0,2}\s*")
MAX_TEXT = 1 << 18
"""Longer texts are not searched for keys."""
MAX_DEPTH = 64


class SinkKind(Enum):
    """Where a value ends up, as people say it."""

    ENVIRONMENT = "environment"
    USER_DATA = "user_data"
    PARAMETER = "parameter"
    VAULT = "vault"
    OUTPUT = "output"
    CLUSTER = "cluster"
    CI = "ci"
    FILE = "file"

    def describe(self, sink: Resource) -> str:
        match self:
            case SinkKind.ENVIRONMENT:
                return f"the environment of {sink.block}"
            case SinkKind.USER_DATA:
                return f"the start-up script of {sink.block}"
            case SinkKind.OUTPUT:
                return f"output {sink.name}"
            case SinkKind.CI:
                return f"pipeline variable {sink.block}"
            case _:
                return sink.block


class _Facts(msgspec.Struct):
    attributes: dict[str, dict[str, str]]
    sinks: dict[str, dict[str, SinkKind]]
    stand_ins: tuple[str, ...]


@functools.cache
def _facts() -> _Facts:
    return read_data("secrets.json", _Facts)


def sink_types() -> tuple[str, ...]:
    """Resource types in which secrets are looked for: for `reads` of a rule."""
    return tuple(_facts().sinks)


class Flow(Struct, frozen=True):
    """That a secret made in the code ends up somewhere."""

    source: Resource
    attribute: str
    sink: Resource
    kind: SinkKind
    place: Span
    assumptions: Assumptions = ()

    @property
    def what(self) -> str:
        """`secret access key`, `console password`."""
        return _facts().attributes[self.source.type][self.attribute]


class WrittenKey(Struct, frozen=True):
    """That a key stands in the code: its id, or its secret with or without that."""

    sink: Resource
    kind: SinkKind
    place: Span
    has_secret: bool
    assumptions: Assumptions = ()
    is_made_up: bool = False
    """A key of documentation, or one that is none: what stands in for the real one here."""


class ConfiguredKey(Struct, frozen=True):
    """That a provider or backend signs in with a key that its own configuration gives it."""

    attribute: str
    place: Span
    is_made_up: bool
    """Whether it is no key that AWS could have issued."""


class Secrets:
    """Every place to which a secret goes; worked out once."""

    def __init__(self, graph: Graph) -> None:
        self.flows: tuple[Flow, ...] = ()
        self.written: tuple[WrittenKey, ...] = ()
        flows: dict[tuple[object, ...], Flow] = {}
        written: list[WrittenKey] = []
        for kind, sink, attribute in sinks_of(graph):
            value = sink.get(attribute)
            if value is None:
                continue
            for flow in _flows(value, kind, sink, graph):
                key = (id(flow.sink), id(flow.source), flow.attribute, flow.place)
                flows.setdefault(key, flow)
            written.extend(_written(value, kind, sink))
        self.flows = tuple(flows.values())
        self.written = tuple(written)

    def of(self, source: Resource) -> tuple[Flow, ...]:
        """Where the secrets of one resource go."""
        return tuple(flow for flow in self.flows if flow.source is source)


def sinks_of(graph: Graph) -> Iterator[tuple[SinkKind, Resource, str]]:
    """Every attribute of every resource in which secrets are looked for."""
    for name, attributes in _facts().sinks.items():
        for resource in graph.of_type(name):
            for attribute, kind in attributes.items():
                yield kind, resource, attribute


# ---------------------------------------------------------------- secrets that are made here


def _flows(value: Value, kind: SinkKind, sink: Resource, graph: Graph) -> Iterator[Flow]:
    for given, reference, place in references_in(value):
        deployment = reference.deployment or sink.deployment.path
        source = graph.lookup.at(deployment, reference.address, Resource)
        if source is None:
            continue
        known = _facts().attributes.get(source.type, {})
        # a whole resource has its secrets with it
        names = (reference.attribute,) if reference.attribute else tuple(known)
        for name in names:
            if name in known and _is_there(source, name):
                yield Flow(source, name, sink, kind, place, given)


def _is_there(source: Resource, attribute: str) -> bool:
    """With a PGP key AWS's answer is kept encrypted, and under another name."""
    return attribute == "ses_smtp_password_v4" or source.get("pgp_key") is None


def references_in(
    value: Value, given: Assumptions = (), depth: int = 0
) -> Iterator[tuple[Assumptions, Reference, Span]]:
    """Every attribute that a value holds or carries, and where it stands in it."""
    if depth > MAX_DEPTH:
        return
    match value:
        case Unknown():
            for reference in (value.reference, *value.carries):
                if reference is not None:
                    yield given, reference, value.span
        case Text(parts=parts):
            for part in parts:
                if isinstance(part, Unknown):
                    yield from references_in(part, given, depth + 1)
        case Mapping(reference=Reference(attribute="") as reference):
            yield given, reference, value.span
        case Listing(items=items, rest=rest):
            for item in (*items, *(() if rest is None else (rest,))):
                yield from references_in(item, given, depth + 1)
        case Mapping(entries=entries, rest=rest):
            for name in entries:
                yield from references_in(entries[name], given, depth + 1)
            if rest is not None:
                yield from references_in(rest, given, depth + 1)
        case Choice():
            for more, arm in arms_of(value, given):
                yield from references_in(arm, more, depth + 1)
        case Json(value=inner):
            yield from references_in(inner, given, depth + 1)
        case Known():
            return


def configured_key(resource: Resource, graph: Graph) -> ConfiguredKey | None:
    """The key that a provider or backend is given; one that is real, or made here, before others.

    With endpoints of its own it speaks to something else than AWS, which takes made-up keys.
    """
    made_up: ConfiguredKey | None = None
    for attribute in ("secret_key", "access_key"):
        value = resource.get(attribute)
        if value is None:
            continue
        text = text_of(value) or ""
        is_real = has_key_id(text) or has_secret(attribute, text, is_beside_id=True)
        if is_real or _is_made_here(value, resource, graph):
            return ConfiguredKey(attribute, value.span, is_made_up=False)
        if text and made_up is None and resource.get("endpoints") is None:
            made_up = ConfiguredKey(attribute, value.span, is_made_up=True)
    return made_up


def _is_made_here(value: Value, resource: Resource, graph: Graph) -> bool:
    keys = graph.of_type("aws_iam_access_key")
    return any(
        graph.lookup.at(resource.deployment.path, reference.address, Resource) in keys
        for _, reference, _ in references_in(value)
    )


# ---------------------------------------------------------------- keys that are written here


def _written(value: Value, kind: SinkKind, sink: Resource) -> Iterator[WrittenKey]:
    """The key in one attribute: an id and the secret beside it are one."""
    texts = [
        (given, name, _decoded(text), place)
        for given, name, text, place in texts_in(value)
        if len(text) <= MAX_TEXT
    ]
    ids = [(given, place) for given, _, text, place in texts if has_key_id(text)]
    secrets = [
        (given, place)
        for given, name, text, place in texts
        if has_secret(name, text, is_beside_id=bool(ids))
    ]
    for given, place in (secrets or ids)[:1]:
        exact = _exact(place, _SECRET if secrets else KEY_ID)
        yield WrittenKey(sink, kind, exact, bool(secrets), given)
    if not secrets and not ids:
        for given, _, text, place in texts:
            if KEY_ID.search(text):
                exact = _exact(place, KEY_ID)
                yield WrittenKey(sink, kind, exact, False, given, is_made_up=True)
                return


def _exact(place: Span, pattern: re.Pattern[str]) -> Span:
    """Where in a script the key stands; the whole text where that cannot be seen."""
    text = place.source.data[place.start : place.end].decode("utf-8", "surrogateescape")
    found = next((f for f in pattern.finditer(text) if not is_stand_in(f.group())), None)
    if found is None:
        return place
    start = place.start + len(text[: found.start()].encode("utf-8", "surrogateescape"))
    return replace(place, start=start, end=start + len(found.group()))


def texts_in(
    value: Value, name: str = "", given: Assumptions = (), depth: int = 0
) -> Iterator[tuple[Assumptions, str, str, Span]]:
    """Every known text inside a value, under the name that it has there."""
    if depth > MAX_DEPTH:
        return
    match value:
        case Known(value=str(text)):
            yield given, name, text, value.span
        case Text(parts=parts):
            for part in parts:
                if not isinstance(part, Unknown):
                    yield given, name, part.text, part.span
        case Listing(items=items, rest=rest):
            for item in (*items, *(() if rest is None else (rest,))):
                yield from texts_in(item, name, given, depth + 1)
        case Mapping(entries=entries):
            # `{name = "AWS_SECRET_ACCESS_KEY", value = "…"}` names its value itself
            own = entries.get("name") or entries.get("Name")
            called = own.value if isinstance(own, Known) and isinstance(own.value, str) else ""
            for key in entries:
                inner = called if called and key.lower() == "value" else key
                yield from texts_in(entries[key], inner, given, depth + 1)
        case Choice():
            for more, arm in arms_of(value, given):
                yield from texts_in(arm, name, more, depth + 1)
        case Json(value=inner_value):
            yield from texts_in(inner_value, name, given, depth + 1)
        case _:
            return


def has_key_id(text: str) -> bool:
    return any(not is_stand_in(found) for found in KEY_ID.findall(text))


def has_secret(name: str, text: str, *, is_beside_id: bool = False) -> bool:
    """Whether a text is a secret access key, or a script that sets one.

    `secret_key` may be anything's; what looks like a key beside the id of one is AWS's, whatever
    it is called.
    """
    if is_beside_id or _AWS_SECRET_NAME.search(name):
        return any(is_random(found) for found in _SECRET.findall(text))
    for found in _AWS_SECRET_NAME.finditer(text):
        after = text[found.end() : found.end() + 80].split("\n", 1)[0]
        if any(is_random(secret) for secret in _SECRET.findall(after)):
            return True
    return False


def is_random(text: str) -> bool:
    """Whether a text of the length of a secret looks drawn by lot rather than written."""
    if is_stand_in(text) or "/" * 3 in text:
        return False
    counts = Counter(text)
    kinds = [any(map(test, text)) for test in (str.isupper, str.islower, str.isdigit)]
    return all(kinds) and len(counts) >= 16


def is_stand_in(text: str) -> bool:
    """Whether a key is one of documentation, or one that somebody made up."""
    upper = text.upper()
    return any(mark in upper for mark in _facts().stand_ins) or len(set(text[4:])) < 5


def _decoded(text: str) -> str:
    """Base64 as the text that it stands for; anything else as it is."""
    if not _BASE64.fullmatch(text):
        return text
    import base64

    try:
        return base64.b64decode(text, validate=False).decode("utf-8")
    except (binascii.Error, ValueError):
        return text
