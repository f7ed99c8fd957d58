"""What a template is, and its sections.

A YAML or JSON document is a template when it has `Resources` and either says its format version
or has a resource with a type such as `AWS::IAM::Role`. A file that cannot be parsed is a problem
only when it says that it is a template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.cloudformation.sniffing import claims_to_be_template, in_utf8, may_be_template
from iam_preflight.errors import Problem, ProblemKind
from iam_preflight.source import SourceFile
from iam_preflight.templatetext import TemplateError, read_documents
from iam_preflight.values import Known, Mapping, Value, is_null, items_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.source import Span
    from iam_preflight.templatetext import RawDocument


class Template(Struct, frozen=True):
    """One template: `path` is its file, with `#2` and so on for further documents of it."""

    path: str
    source: SourceFile
    root: Mapping
    duplicates: tuple[Problem, ...] = ()

    def section(self, name: str) -> Mapping | None:
        value = self.root.get(name)
        return value if isinstance(value, Mapping) else None

    @property
    def transforms(self) -> Iterator[tuple[str, Value]]:
        """The macros that the whole template goes through: their names, and how they are written.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-section-structure.html
        """
        for _, item in items_of(self.root.get("Transform")):
            name = item.get("Name") if isinstance(item, Mapping) else item
            text = text_of(name)
            if text is not None:
                yield text, item

    @property
    def directory(self) -> str:
        return self.source.path.rpartition("/")[0]


def read_templates(source: SourceFile, problems: list[Problem]) -> Iterator[Template]:
    """The templates in a file; what is wrong with it is noted only when it means to be one."""
    data = in_utf8(source.data)
    if not may_be_template(data):
        return
    if data is not source.data:
        source = SourceFile(source.path, data)
    count = 0
    try:
        for document in read_documents(source):
            if is_template(document.root):
                count += 1
                yield template_from(document, source, count)
            elif (place := _misshapen(document.root)) is not None:
                message = "Resources is not a mapping"
                problems.append(Problem(ProblemKind.SYNTAX, message, source.path, place))
    except TemplateError as error:
        if claims_to_be_template(data):
            kind = ProblemKind.LIMIT if error.is_limit else ProblemKind.SYNTAX
            problems.append(Problem(kind, error.message, source.path, error.span))


def template_from(document: RawDocument, source: SourceFile, number: int = 1) -> Template:
    assert isinstance(document.root, Mapping)
    path = source.path if number == 1 else f"{source.path}#{number}"
    duplicates = tuple(
        Problem(
            ProblemKind.EVALUATION,
            f'"{key}" is written twice in one mapping: the last one counts',
            source.path,
            span,
        )
        for key, span in document.duplicates
    )
    return Template(path, source, document.root, duplicates)


def is_template(root: Value) -> bool:
    if not isinstance(root, Mapping):
        return False
    resources = root.get("Resources")
    if not isinstance(resources, Mapping):
        return False
    if "AWSTemplateFormatVersion" in root.entries:
        return True
    return any(
        name.startswith("Fn::") or _has_type(resources.entries[name]) for name in resources.entries
    )


def _misshapen(root: Value) -> Span | None:
    """The place of the resources of what says that it is a template, where they are none."""
    if not isinstance(root, Mapping) or "AWSTemplateFormatVersion" not in root.entries:
        return None
    resources = root.get("Resources")
    if resources is None or is_null(resources):
        return None  # a template yet to be written: nothing is passed over
    return resources.span


def _has_type(resource: Value) -> bool:
    match resource:
        case Mapping(entries={"Type": Known(value=str(text))}):
            return "::" in text
        case _:
            return False
