"""Parameters: what a template declares, and what the user gives for them.

A default is one possible value. It is used where text needs something to stand there; whatever
decides (a condition, the key of a map) does not take it for the truth. Where `AllowedValues`
are few, all of them are followed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.errors import UsageError
from iam_preflight.source import SourceFile
from iam_preflight.templatetext import TemplateError, read_documents
from iam_preflight.values import (
    Known,
    Listing,
    Mapping,
    Reason,
    Unknown,
    Value,
    bool_of,
    is_null,
    items_of,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.source import Span

MAX_ALLOWED = 16
"""More allowed values than this are not followed one by one."""

PSEUDO = (
    "AWS::AccountId",
    "AWS::NotificationARNs",
    "AWS::NoValue",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
)

_PARTITIONS = (
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
)


class Parameter(Struct, frozen=True):
    """One entry of the Parameters section."""

    name: str
    type: str
    default: Known | None
    allowed: tuple[str, ...]
    is_hidden: bool
    span: Span

    @property
    def is_list(self) -> bool:
        return self.type == "CommaDelimitedList" or "List<" in self.type

    @property
    def is_stored(self) -> bool:
        """The value is the name of an SSM parameter, and AWS puts in what that one holds."""
        return self.type.startswith("AWS::SSM::Parameter::Value")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values to follow one by one; none when there are too many, or no limit."""
        if self.is_list or self.is_stored or not 0 < len(self.allowed) <= MAX_ALLOWED:
            return ()
        return self.allowed

    def value(self, text: str, span: Span) -> Value:
        """A text as the parameter's value: a list where it is one."""
        if not self.is_list:
            return Known(text, span, sensitive=self.is_hidden)
        items = [item.strip() for item in text.split(",")] if text else []
        return Listing(
            tuple(Known(item, span, sensitive=self.is_hidden) for item in items),
            span,
            sensitive=self.is_hidden,
        )

    def hole(self, span: Span) -> Unknown:
        reason = Reason.DATA if self.is_stored else Reason.PARAMETER
        return Unknown(reason, self.name, span, sensitive=self.is_hidden, origin=self.name)


def declared_parameters(section: Mapping | None) -> dict[str, Parameter]:
    if section is None:
        return {}
    declared: dict[str, Parameter] = {}
    for name in section.entries:
        raw = section.entries[name]
        if not isinstance(raw, Mapping):
            continue
        default = raw.get("Default")
        if isinstance(default, Listing):
            texts = [text_of(item) or "" for item in default.items]
            default = Known(",".join(texts), default.span)
        allowed = [text_of(item) for _, item in items_of(raw.get("AllowedValues"))]
        declared[name] = Parameter(
            name=name,
            type=text_of(raw.get("Type")) or "String",
            default=default if isinstance(default, Known) and not is_null(default) else None,
            allowed=tuple(text for text in allowed if text is not None),
            is_hidden=bool_of(raw.get("NoEcho")) is True,
            span=section.key_span(name),
        )
    return declared


def partition_of(region: str) -> tuple[str, str]:
    """The partition and URL suffix of a region."""
    for prefix, partition, suffix in _PARTITIONS:
        if region.startswith(prefix):
            return partition, suffix
    return "aws", "amazonaws.com"


def pseudo_parameter(name: str, span: Span, given: dict[str, str]) -> Value | None:
    """A pseudo-parameter; None when there is none of that name.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html
    """
    if name in given:
        return Known(given[name], span)
    region = given.get("AWS::Region")
    match name:
        case "AWS::Partition" if region is not None:
            return Known(partition_of(region)[0], span)
        case "AWS::URLSuffix":
            return Known(partition_of(region or "")[1], span)
        case "AWS::Partition":
            return Unknown(Reason.PARTITION, name, span)
        case "AWS::Region":
            return Unknown(Reason.REGION, name, span)
        case "AWS::AccountId":
            return Unknown(Reason.ACCOUNT, name, span)
        case "AWS::StackName" | "AWS::StackId":
            return Unknown(Reason.COMPUTED, name, span)
        case "AWS::NotificationARNs":
            return Listing((), span, Unknown(Reason.COMPUTED, name, span))
        case _:
            return None


# ---------------------------------------------------------------- what the user gives


class Given(Struct, frozen=True):
    """Parameter values from the command line, by name, and what may tell the environment."""

    values: dict[str, str]
    hints: tuple[str, ...] = ()


def read_parameters(options: Iterable[str]) -> Given:
    """`KEY=VALUE`, or files in any of the forms that AWS's own tools take; later ones win.

    Raises `UsageError` for a file that cannot be read or is in none of those forms.
    """
    values: dict[str, str] = {}
    hints: list[str] = []
    for option in options:
        name, equals, text = option.partition("=")
        if equals and not Path(option).is_file():
            if not name.strip():
                raise UsageError(f"--parameters {option}: expected KEY=VALUE or a file")
            values[name.strip()] = text
            continue
        path = Path(option.removeprefix("file://"))
        hints.append(path.stem)
        values.update(_parameter_file(path))
    return Given(values, tuple(hints))


def _parameter_file(path: Path) -> Iterator[tuple[str, str]]:
    try:
        source = SourceFile(path.as_posix(), path.read_bytes())
        documents = list(read_documents(source))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except TemplateError as error:
        raise UsageError(f"{error.span}: {error.message}") from None
    if len(documents) != 1:
        raise UsageError(f"{path}: expected one list or object of parameters")
    root = documents[0].root
    if isinstance(root, Mapping) and isinstance(root.get("Parameters"), Mapping | Listing):
        root = root.entries["Parameters"]
    match root:
        case Mapping(entries=entries):
            for name in entries:
                yield name, _parameter_text(entries[name], path)
        case Listing(items=items):
            for item in items:
                yield _parameter_item(item, path)
        case _:
            raise UsageError(f"{path}: expected a list or an object of parameters")


def _parameter_item(item: Value, path: Path) -> tuple[str, str]:
    if isinstance(item, Mapping):
        name = text_of(item.get("ParameterKey"))
        value = item.get("ParameterValue")
        if name is not None:
            if value is None:
                raise UsageError(f"{item.span}: {name} has no ParameterValue")
            return name, _parameter_text(value, path)
    name, equals, text = (text_of(item) or "").partition("=")
    if not equals:
        raise UsageError(f"{item.span}: expected ParameterKey and ParameterValue, or KEY=VALUE")
    return name, text


def _parameter_text(value: Value, path: Path) -> str:
    if isinstance(value, Listing):
        return ",".join(text_of(item) or "" for item in value.items)
    text = "" if is_null(value) else text_of(value)
    if text is None:
        raise UsageError(f"{path}: a parameter must be text: {value.span}")
    return text
