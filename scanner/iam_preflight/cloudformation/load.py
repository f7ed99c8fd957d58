"""The CloudFormation front end's one entry: files in, resources out, problems noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iam_preflight.cloudformation.parameters import PSEUDO, Given, read_parameters
from iam_preflight.cloudformation.stack import Stack
from iam_preflight.cloudformation.template import Template, read_templates
from iam_preflight.resources import Deployment, Framework, Provider
from iam_preflight.values import Known, Listing, Mapping, Reason, Unknown, Value, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.cloudformation.resources import Definition
    from iam_preflight.discovery import Workspace
    from iam_preflight.errors import Problem
    from iam_preflight.resources import Resource
    from iam_preflight.source import Span


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """What the user gives beside the files."""

    parameters: tuple[str, ...] = ()
    """`KEY=VALUE`, or the path of a parameter file; pseudo-parameters (`AWS::Region=eu-west-1`)
    may be given too."""


def load_templates(
    workspace: Workspace,
    files: Sequence[str],
    options: TemplateOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    """Every resource of the wanted types in every file that is a template."""
    scan = _Scan(workspace, files, read_parameters(options.parameters))
    for stack in scan.stacks:
        yield from stack.resources(is_wanted)


class _Scan:
    """The templates of one scan, and what they take from one another."""

    def __init__(self, workspace: Workspace, files: Sequence[str], given: Given) -> None:
        self.workspace = workspace
        self.given = given
        self._noted: set[tuple[str, str]] = set()
        self.templates: list[Template] = []
        for path in files:
            source = workspace.source(path)
            if source is None:
                continue
            for template in read_templates(source, workspace.problems):
                self.templates.append(template)
                workspace.problems.extend(template.duplicates)
        self.stacks = [self._root(template) for template in self.templates]

    def _root(self, template: Template) -> Stack:
        values: dict[str, Value] = {}
        pseudo = {name: text for name, text in self.given.values.items() if name in PSEUDO}
        whole = template.root.span
        for name, text in self.given.values.items():
            values[name] = Known(text, whole)
        deployment = Deployment(template.path, Framework.CLOUDFORMATION, hints=self.given.hints)
        return Stack(template, deployment, _provider(pseudo, whole), self, values, pseudo)

    # ---- surroundings

    def import_value(self, name: Value, span: Span, asking: Stack) -> Value:
        return Unknown(Reason.REMOTE, f"export {show(name)}", span)

    def include(self, location: Value, asking: Stack) -> Value | None:
        return None

    def child(self, definition: Definition, asking: Stack) -> Stack | None:
        return None

    def note(self, problem: Problem) -> None:
        key = (problem.place, problem.message)
        if key not in self._noted:
            self._noted.add(key)
            self.workspace.problems.append(problem)


def _provider(pseudo: dict[str, str], span: Span) -> Provider:
    """What stands for a provider block: the account and region that the user names."""
    settings: dict[str, Value] = {}
    if "AWS::Region" in pseudo:
        settings["region"] = Known(pseudo["AWS::Region"], span)
    if "AWS::AccountId" in pseudo:
        account = Known(pseudo["AWS::AccountId"], span)
        settings["allowed_account_ids"] = Listing((account,), span)
    return Provider("", Mapping(settings, span), span) if settings else Provider()
