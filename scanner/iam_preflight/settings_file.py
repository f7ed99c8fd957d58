"""Reads a settings file; every fault in it is named with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight import yamltext
from iam_preflight.errors import UsageError
from iam_preflight.linear_regex import PatternError, linear_regex
from iam_preflight.settings import Settings
from iam_preflight.source import SourceFile
from iam_preflight.typed import Fault, FaultyFileError, decode, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from iam_preflight.registry import Registry


def load_settings(path: Path, registry: Registry | None = None) -> Settings:
    """The settings in a file; raises `UsageError` that names every fault and its place.

    With a registry, names of rules are checked too.
    """
    try:
        source = SourceFile(str(path), path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    return read_settings(source, registry)


def read_settings(source: SourceFile, registry: Registry | None = None) -> Settings:
    """The settings in the text of a file; see `load_settings`."""
    settings = decode(source, Settings)
    faults = list(_faults(source, settings, registry))
    if faults:
        raise FaultyFileError(faults)
    return settings


def _faults(source: SourceFile, settings: Settings, registry: Registry | None) -> Iterator[Fault]:
    """What types cannot say: names that must be names of something else in the file."""
    root = yamltext.compose(source)

    def fault(message: str, *keys: str) -> Fault:
        node = yamltext.child(root, *keys)
        span = yamltext.span_of(source, node) if node is not None else source.whole()
        return Fault(span, ".".join(keys), message)

    for key, requirement in settings.tags.items():
        try:
            linear_regex(requirement.pattern)
        except PatternError as error:
            yield fault(f"not a pattern that can be used: {error}", "tags", key, "pattern")
    environments = settings.environments
    for name in settings.lower_in:
        if name not in environments:
            near = nearest(name, environments)
            yield fault(f"there is no environment {name!r}{near}", "lower_in", name)
    words = {*environments, *(word for marks in environments.values() for word in marks)}
    lower_words = {word.lower() for word in words}
    for number, account in settings.accounts.items():
        if account.environment and account.environment.lower() not in lower_words:
            near = nearest(account.environment, environments)
            message = f"there is no environment {account.environment!r}{near}"
            yield fault(message, "accounts", number, "environment")
    if registry is None:
        return
    named: dict[str, Iterable[str]] = {
        "select": settings.select,
        "ignore": settings.ignore,
        "locked": settings.locked,
        "severities": settings.severities,
    }
    for key, names in named.items():
        for name in names:
            if not registry.has(name):
                near = nearest(name, registry.names())
                yield fault(f"there is no rule {name!r}{near}", key)
