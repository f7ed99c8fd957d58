"""`iam-preflight rules`: list, test and lint rules, ours and yours."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_preflight.commands.shared.command import ManualCommand
from iam_preflight.errors import UsageError
from iam_preflight.reporters.escape import json_text

if TYPE_CHECKING:
    from iam_preflight.registry import Registry
    from iam_preflight.rules import Rule

FIXTURES = "fixtures"

_rules_option = click.option(
    "--rules",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True),
    help="Load rules of your own from a file or folder.",
)


@click.group("rules", short_help="List, test and lint rules, ours and yours.")
def command() -> None:
    """The rules that are installed, and those you write.

    Rules of your own are YAML or Python files: see docs/custom-rules.md.
    """


@command.command("list", cls=ManualCommand)
@_rules_option
@click.option(
    "--format", "-f", "format_name", type=click.Choice(("text", "json", "markdown")), default="text"
)
def list_rules(rules: tuple[Path, ...], format_name: str) -> None:
    """List every rule: id, severity, practice, name and title."""
    from iam_preflight.registry import load_rules

    registry = load_rules(rules)
    match format_name:
        case "json":
            data = [_facts(rule) for rule in registry]
            click.echo(json_text(json.dumps(data, indent=2, ensure_ascii=False)))
        case "markdown":
            click.echo("| id | severity | practice | what |\n| --- | --- | ---: | --- |")
            for rule in registry:
                click.echo(f"| {rule.id} | {rule.severity} | {rule.practice} | {rule.title()} |")
        case _:
            for rule in registry:
                click.echo(f"{rule.id:<10} {rule.severity!s:<9} {rule.name:<45} {rule.title()}")


def _facts(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title(),
        "severity": str(rule.severity),
        "confidence": str(rule.confidence),
        "persona": str(rule.persona),
        "practice": rule.practice,
        "since": rule.since,
        "preview": rule.is_preview,
        "aliases": list(rule.aliases),
        "compliance": {one.value: list(ids) for one, ids in rule.compliance.items()},
        "equivalents": {tool: list(ids) for tool, ids in rule.equivalents.items()},
        "references": list(rule.references),
    }


@command.command(
    "test",
    cls=ManualCommand,
    notes=(
        (
            "Fixtures",
            """PATH/fixtures/<RULE-ID>/terraform/ and …/cloudformation/ hold files and folders:
bad_… with `# iam-preflight: expect[RULE-ID]` above each line to be found, and good_… in which
no rule may find anything.""",
        ),
    ),
    examples=(("iam-preflight rules test company-rules", "Test the rules of a folder:"),),
)
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@_rules_option
def test_rules(path: Path, rules: tuple[Path, ...]) -> None:
    """Test the rules in PATH against their fixtures. Exit code 1 when one is wrong.

    A PATH without a folder `fixtures` is taken for the fixtures themselves, of installed rules or
    of those given with --rules.
    """
    from iam_preflight.registry import load_rules
    from iam_preflight.testing import Harness, find_cases

    own = (path,) if (path / FIXTURES).is_dir() else ()
    registry = load_rules((*rules, *own))
    folder = _fixtures_of(path)
    cases = find_cases(folder)
    if not cases:
        raise UsageError(f"{folder}: no fixtures: <RULE-ID>/terraform/bad_….tf is expected")
    about = frozenset(rule.id for rule in _chosen(registry, (*rules, *own)))
    harness = Harness(registry, about)
    failed = 0
    for case in cases:
        if registry.get(case.rule) is None:
            raise registry.unknown(case.rule)
        faults = harness.faults(case)
        failed += bool(faults)
        click.echo(f"{'FAIL' if faults else 'ok':<4} {case}")
        for fault in faults:
            click.echo(f"     {fault}")
    click.echo(f"{len(cases)} fixtures, {failed} failed", err=True)
    sys.exit(1 if failed else 0)


@command.command("lint", cls=ManualCommand)
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True))
def lint_rules(path: Path | None) -> None:
    """Look for faults in the rules in PATH, or in all that are installed.

    Faults are those that do not stop a rule from loading: actions that AWS does not have, empty
    sections of its page, missing fixtures. Exit code 1 when there are any.
    """
    from iam_preflight.linting import lint
    from iam_preflight.registry import load_rules

    registry = load_rules(() if path is None else (path,))
    fixtures = None
    if path is not None and path.is_dir():
        fixtures = _fixtures_of(path)
    count = 0
    for rule in _chosen(registry, () if path is None else (path,)):
        where = fixtures if fixtures is not None and fixtures.is_dir() else None
        for fault in lint(rule, registry, where):
            count += 1
            click.echo(f"{rule.id}: {fault}")
    click.echo(f"{count} fault{'' if count == 1 else 's'}", err=True)
    sys.exit(1 if count else 0)


def _chosen(registry: Registry, paths: tuple[Path, ...]) -> list[Rule]:
    """The rules of some files and folders; all, where none are named."""
    if not paths:
        return list(registry)
    from iam_preflight.custom_rules import rule_files, rules_of_file

    files = [file for path in paths for file in rule_files(path)]
    ids = {rule.id for file in files for rule in rules_of_file(file)}
    return [rule for rule in registry if rule.id in ids]


def _fixtures_of(path: Path) -> Path:
    inside = path / FIXTURES
    return inside if inside.is_dir() else path
