"""Helpers of these tests: templates as text in, resources and values out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from iam_preflight.cloudformation.load import TemplateOptions, load_templates
from iam_preflight.discovery import Workspace
from iam_preflight.values import Value, arms_of, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource


class Files:
    """A tree of files in memory."""

    def __init__(self, files: dict[str, str | bytes]) -> None:
        self.contents = {
            name: text if isinstance(text, bytes) else textwrap.dedent(text).encode()
            for name, text in files.items()
        }

    def files(self, below: str) -> Iterator[str]:
        return iter(sorted(self.contents))

    def read(self, path: str) -> bytes:
        try:
            return self.contents[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def is_file(self, path: str) -> bool:
        return path in self.contents

    def is_directory(self, path: str) -> bool:
        return any(name.startswith(f"{path}/") for name in self.contents)

    def names(self, directory: str) -> list[str]:
        return sorted(self.contents)


def load_files(
    files: dict[str, str | bytes],
    *parameters: str,
    is_wanted: Callable[[str], bool] = lambda name: not name.startswith("terraform_"),
) -> tuple[list[Resource], list[Problem]]:
    workspace = Workspace(Files(files))
    options = TemplateOptions(tuple(parameters))
    resources = list(load_templates(workspace, sorted(files), options, is_wanted))
    return resources, workspace.problems


def load(text: str | bytes, *parameters: str) -> tuple[list[Resource], list[Problem]]:
    return load_files({"template.yaml": text}, *parameters)


def resources_of(text: str | bytes, *parameters: str) -> dict[str, Resource]:
    """The resources by type and address; only the address where that says which one it is."""
    found, _ = load(text, *parameters)
    by_name: dict[str, Resource] = {}
    for resource in found:
        by_name.setdefault(resource.address, resource)
        by_name[f"{resource.type} {resource.address}"] = resource
    return by_name


def value_of(expression: str, rest: str = "", *parameters: str) -> Value:
    """What an expression evaluates to, as a property; `rest` is more of the template."""
    text = "Resources:\n  It:\n    Type: AWS::IAM::Role\n    Properties:\n"
    text += textwrap.indent(f"Description: {expression.strip()}", " " * 6) + "\n"
    text += textwrap.indent(OTHERS, "  ")
    text += textwrap.dedent(rest)
    resources, _ = load(text, *parameters)
    it = next(resource for resource in resources if resource.address == "It")
    value = it.attributes.entries.get("description")
    assert value is not None, "the property is absent"
    return value


OTHERS = """\
Role: {Type: "AWS::IAM::Role", Properties: {RoleName: ci, Path: /x/}}
Unnamed: {Type: "AWS::IAM::Role"}
Bucket: {Type: "AWS::S3::Bucket", Properties: {BucketName: logs}}
Queue: {Type: "AWS::SQS::Queue"}
Log: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: app}}
"""


def shown(value: Value) -> str | list[tuple[list[str], str]]:
    """A value as people see it; with alternatives, each with what it assumes."""
    arms = [([str(a) for a in given], show(arm)) for given, arm in arms_of(value)]
    return arms[0][1] if len(arms) == 1 and not arms[0][0] else arms
