"""`--fix` and `--diff`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from iam_preflight.commands.shared.inputs import Prepared
    from iam_preflight.scan import Report, ScanOptions

MAX_ROUNDS = 5
"""A fix may make room for another one; five rounds are plenty, and there is an end."""


def fix(prepared: Prepared, options: ScanOptions) -> Report:
    """Applies fixes until there are none left, and gives the report of what remains."""
    from iam_preflight.fixes import plan_fixes, write_fixes
    from iam_preflight.scan import scan

    report = scan(prepared.paths, prepared.registry, options, prepared.top)
    fixed = 0
    for _ in range(MAX_ROUNDS):
        plan = plan_fixes(report.shown)
        if not plan.fixes:
            break
        write_fixes(plan, prepared.top)
        fixed += len(plan.fixes)
        report = scan(prepared.paths, prepared.registry, options, prepared.top)
    click.echo(f"fixed {fixed} finding{'' if fixed == 1 else 's'}", err=True)
    return report


def draft(prepared: Prepared, options: ScanOptions) -> int:
    """Shows the first round of fixes as a patch; 1 when there is any, 0 otherwise."""
    from iam_preflight.fixes import plan_fixes, unified_diff
    from iam_preflight.reporters.escape import patch_line
    from iam_preflight.reporters.excerpts import without_secrets
    from iam_preflight.scan import scan

    report = scan(prepared.paths, prepared.registry, options, prepared.top)
    plan = plan_fixes(report.shown)
    is_terminal = sys.stdout.isatty()
    known = report.graph.secrets

    def is_secret(line: str) -> bool:
        return known.mask(without_secrets(line)) != line

    for line in unified_diff(plan, is_secret):
        click.echo(patch_line(line) if is_terminal else line, nl=False)
    count = len(plan.fixes)
    click.echo(f"{count} finding{'' if count == 1 else 's'} can be fixed", err=True)
    return 1 if count else 0
