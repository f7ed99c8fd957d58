"""A resource's effective tags: the provider's defaults and its own, as far as they are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.values import Known, Mapping, Unknown, arms_of, text_of

if TYPE_CHECKING:
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span
    from iam_preflight.values import Value


class Tags(Struct, frozen=True):
    values: dict[str, Value]
    key_spans: dict[str, Span]
    is_complete: bool
    """Whether there can be no tags but these."""
    span: Span | None = None
    """Where the resource's own tags are written."""

    def text(self, key: str) -> str | None:
        return text_of(self.values.get(key))

    def find(self, key: str) -> str | None:
        """The key as written, found whatever its case."""
        wanted = key.lower()
        return next((name for name in self.values if name.lower() == wanted), None)


def tags_of(resource: Resource) -> Tags:
    """Default tags of the provider in use, overridden by the resource's own."""
    values: dict[str, Value] = {}
    spans: dict[str, Span] = {}
    is_complete = True
    own = resource.get("tags")
    for source in (resource.provider.default_tags, resource.get("tags_all"), own):
        if source is None:
            continue
        for _, arm in arms_of(source):
            match arm:
                case Mapping(entries=entries, rest=rest):
                    for key in entries:
                        value = entries[key]
                        if not (isinstance(value, Known) and value.value is None):
                            values[key] = value
                            spans[key] = arm.key_span(key)
                    is_complete = is_complete and rest is None
                    is_complete = is_complete and not any("«" in key for key in entries)
                case Unknown():
                    is_complete = False
                case _:
                    continue
    return Tags(values, spans, is_complete, own.span if own is not None else None)
