"""The CloudFormation front end's one entry: files in, resources out, problems noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.cloudformation.parameters import read_parameters
from iam_preflight.cloudformation.scan import TemplateScan
from iam_preflight.faults import KeptTo
from iam_preflight.timing import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iam_preflight.discovery import Workspace
    from iam_preflight.resources import Resource


class TemplateOptions(Struct, frozen=True):
    """What the user gives beside the files."""

    parameters: tuple[str, ...] = ()
    """`KEY=VALUE`, or the path of a parameter file; pseudo-parameters (`AWS::Region=eu-west-1`)
    may be given too."""
    timeout: float = TIMEOUT
    """Seconds that the evaluation of one stack may take."""


def load_templates(
    workspace: Workspace,
    files: Sequence[str],
    options: TemplateOptions,
    is_wanted: Callable[[str], bool],
) -> Iterator[Resource]:
    """Every resource of the wanted types in every file that is a template, stack by stack."""
    scan = TemplateScan(workspace, files, read_parameters(options.parameters), options.timeout)
    for stack in scan.stacks:
        with KeptTo(stack.template.path, workspace.problems):
            yield from stack.resources(is_wanted)
