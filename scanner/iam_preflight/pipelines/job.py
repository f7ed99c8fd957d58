"""What both kinds of pipelines come to: a job as a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight import yamltext
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.resources import Deployment, Framework, Resource
from iam_preflight.values import Fragment, Known, Listing, Mapping, Reason, Text, Unknown

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping as MappingABC

    from yaml import Node

    from iam_preflight.source import SourceFile, Span
    from iam_preflight.values import Value

_TYPE = "pipeline_job"


class Job(Struct):
    """A job while it is being read."""

    source: SourceFile
    name: str
    header: Span
    span: Span
    platform: str
    triggers: list[tuple[str, Span]] = field(default_factory=list)
    attributes: dict[str, Value] = field(default_factory=dict)

    def resource(self) -> Resource:
        listed = tuple(Known(text, span) for text, span in self.triggers)
        entries: dict[str, Value] = {
            "name": Known(self.name, self.header),
            "platform": Known(self.platform, self.header),
            "triggers": Listing(listed, self.header),
            **self.attributes,
        }
        return Resource(
            address=f"{self.source.path}:{self.name}",
            type=_TYPE,
            native_type="job",
            name=self.name,
            attributes=Mapping(entries, self.span),
            span=self.span,
            header=self.header,
            deployment=Deployment(self.source.path, Framework.PIPELINE),
        )


def composed(source: SourceFile, problems: list[Problem]) -> Node | None:
    """A file that signs in to AWS as nodes; None, with a problem noted, when it is not YAML."""
    try:
        return yamltext.compose(source)
    except yamltext.YamlError as error:
        kind = ProblemKind.LIMIT if error.is_limit else ProblemKind.SYNTAX
        problems.append(Problem(kind, f"not YAML: {error.message}", source.path, error.span))
        return None


def value_of(
    source: SourceFile, node: Node, known: MappingABC[str, str], expression: re.Pattern[str]
) -> Value:
    """A scalar with expressions: those that name a known variable are filled in, others holes.

    The first group of `expression` is the name.
    """
    span = yamltext.span_of(source, node)
    text = yamltext.text(node) or ""
    parts: list[Fragment | Unknown] = []
    at = 0
    for found in expression.finditer(text):
        if found.start() > at:
            parts.append(Fragment(text[at : found.start()], span))
        name = found[1].strip()
        held = known.get(name)
        if held is None:
            parts.append(Unknown(Reason.VARIABLE, name, span))
        else:
            parts.append(Fragment(held, span))
        at = found.end()
    if at < len(text):
        parts.append(Fragment(text[at:], span))
    texts = [part.text for part in parts if isinstance(part, Fragment)]
    return Known("".join(texts), span) if len(texts) == len(parts) else Text(tuple(parts), span)


def variables(node: Node | None) -> dict[str, str]:
    """The plain texts of a mapping."""
    found = ((yamltext.text(key), yamltext.text(value)) for key, value in yamltext.pairs(node))
    return {key: value for key, value in found if key is not None and value is not None}
