"""Writes everything that is made from the code: rule pages, tables, modules, schemas, `--help`.

python support/generate.py           write it
python support/generate.py --check   say what is out of date, and exit with 1 if anything is
"""

from __future__ import annotations

import argparse
import ast
import inspect
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import click
import msgspec

from iam_preflight import declarative, settings
from iam_preflight.cli import cli
from iam_preflight.findings import Framework
from iam_preflight.graph import exported
from iam_preflight.registry import load_rules
from iam_preflight.reporters import model
from iam_preflight.rule_page import rule_page
from iam_preflight.rules import PRACTICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.registry import Registry
    from iam_preflight.rules import Rule

ROOT = Path(__file__).parents[1]
SCHEMA = "https://json-schema.org/draft/2020-12/schema"
BEGIN, END = "<!-- begin generated: {} -->", "<!-- end generated: {} -->"
FENCES = {"terraform": "hcl", "cloudformation": "yaml"}
MAX_EXAMPLE = 60
"""A fixture of more lines is not shown in the page."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    is_check = parser.parse_args().check
    texts = dict(generated())
    stale = [path for path, text in texts.items() if not _is_same(path, text)]
    orphans = [path for path in sorted((ROOT / "docs/rules").glob("*.md")) if path not in texts]
    for path in (*stale, *orphans):
        print(f"{'out of date' if is_check else 'wrote'}: {path.relative_to(ROOT)}")
    if is_check:
        return 1 if stale or orphans else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path], encoding="utf-8", newline="\n")
    for path in orphans:
        path.unlink()
    return 0


def _is_same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with its text."""
    registry = load_rules()
    docs = ROOT / "docs"
    for rule in registry:
        yield docs / "rules" / f"{rule.id}.md", page(rule)
    yield docs / "rules" / "README.md", index(registry)
    yield docs / "settings.md", settings_page()
    yield docs / "cli.md", cli_page()
    yield docs / "modules.md", modules_page()
    custom = docs / "custom-rules.md"
    yield custom, replaced(custom.read_text(encoding="utf-8"), "keys", declaration_keys())
    schemas: dict[str, Any] = {
        "custom-rules": declarative.RuleFile,
        "settings": settings.Settings,
        "report": model.Report,
        "graph": exported.GraphData,
    }
    for name, kind in schemas.items():
        yield docs / f"{name}.schema.json", schema(name, kind)
    readme = ROOT / "README.md"
    yield readme, replaced(readme.read_text(encoding="utf-8"), "rules", practice_table(registry))


# ---------------------------------------------------------------- modules


def modules_page() -> str:
    """Every package of the scanner with its modules, by the first lines of their docstrings."""
    top = ROOT / "scanner" / "iam_preflight"
    parts = [
        "# Modules",
        "",
        "What each module of the scanner is for. [architecture.md](architecture.md) tells how they",
        "stand to each other, and why.",
    ]
    for folder in (top, *sorted(path.parent for path in top.rglob("*/__init__.py"))):
        modules = sorted(path for path in folder.glob("*.py") if not path.name.startswith("__"))
        name = ".".join(folder.relative_to(top.parent).parts)
        parts += ["", f"## `{name}`", "", _first_line(folder / "__init__.py"), ""]
        for path in modules:
            link = f"[{path.stem}](../{path.relative_to(ROOT).as_posix()})"
            parts.append(f"- {link}: {_first_line(path)}")
    return "\n".join(parts) + "\n"


def _first_line(path: Path) -> str:
    page = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return page.partition("\n")[0]


# ---------------------------------------------------------------- rules


def page(rule: Rule) -> str:
    """The rule's page, then what it finds and what it leaves alone, from its fixtures."""
    parts = [rule_page(rule).rstrip(), ""]
    for language, fence in FENCES.items():
        for kind, title in (("bad", "It finds"), ("good", "It leaves alone")):
            example = _example(rule.id, language, kind)
            if example:
                name = "Terraform" if language == "terraform" else "CloudFormation"
                parts += [f"## {title}: {name}", f"```{fence}", example, "```", ""]
    return "\n".join(parts)


def _example(rule_id: str, language: str, kind: str) -> str:
    """The shortest fixture of a kind that is one file in the usual language."""
    folder = ROOT / "fixtures" / "rules" / rule_id / language
    files = sorted(folder.glob(f"{kind}_*.tf" if language == "terraform" else f"{kind}_*.yaml"))
    texts = [file.read_text(encoding="utf-8").strip() for file in files]
    shown = min(texts, key=lambda text: len(text.splitlines()), default="")
    if len(shown.splitlines()) > MAX_EXAMPLE:
        return ""
    return shown.replace("# iam-preflight: expect[", "# found below: [")


def index(registry: Registry) -> str:
    """All rules by practice, with compliance and peers."""
    parts = ["# Rules", "", "By practice. `iam-preflight explain ID` shows a page offline.", ""]
    for practice, title in PRACTICES.items():
        rules = [rule for rule in registry if rule.practice == practice]
        if not rules:
            continue
        parts += [f"## {practice}. {title}", "", *_rows(rules), ""]
    parts += ["## By framework", ""]
    for framework in Framework:
        parts += [f"### {framework.value}", "", *_controls(registry, framework), ""]
    return "\n".join(parts)


def _rows(rules: list[Rule]) -> Iterator[str]:
    yield "| rule | severity | what | the same elsewhere |"
    yield "| --- | --- | --- | --- |"
    for rule in rules:
        peers = "; ".join(f"{tool} {', '.join(ids)}" for tool, ids in rule.equivalents.items())
        link = f"[{rule.id}]({rule.id}.md)"
        yield f"| {link} | {rule.severity} | {rule.title()} | {peers or '–'} |"


def _controls(registry: Registry, framework: Framework) -> Iterator[str]:
    controls: dict[str, list[str]] = {}
    for rule in registry:
        for control in rule.compliance.get(framework, ()):
            controls.setdefault(control, []).append(f"[{rule.id}]({rule.id}.md)")
    yield "| control | rules |"
    yield "| --- | --- |"
    for control in sorted(controls, key=_natural):
        yield f"| {control} | {', '.join(controls[control])} |"


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts `2.10` after `2.9`."""
    digits = "".join(c if c.isdigit() else f" {c} " for c in text).split()
    return [(int(part), "") if part.isdigit() else (-1, part) for part in digits]


def practice_table(registry: Registry) -> str:
    """The table in the README: a line a practice."""
    lines = ["| practice | rules | for example |", "| --- | ---: | --- |"]
    for practice, title in PRACTICES.items():
        rules = [rule for rule in registry if rule.practice == practice]
        if not rules:
            continue
        worst = max(rules, key=lambda rule: (rule.severity, -len(rule.title())))
        example = f"[{worst.id}](docs/rules/{worst.id}.md): {worst.title()}"
        lines.append(f"| {title} | {len(rules)} | {example} |")
    return "\n".join(lines)


def replaced(text: str, name: str, content: str) -> str:
    """The text with a generated section written anew."""
    begin, end = BEGIN.format(name), END.format(name)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


# ---------------------------------------------------------------- settings and schemas


def attribute_docs(kind: type) -> dict[str, str]:
    """The docstrings below a class's attributes, by attribute."""
    tree = ast.parse(inspect.getsource(sys.modules[kind.__module__]))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    body = next((node.body for node in classes if node.name == kind.__name__), [])
    found: dict[str, str] = {}
    for before, after in itertools.pairwise(body):
        if not (isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[before.target.id] = inspect.cleandoc(str(after.value.value))
    return found


def settings_page() -> str:
    parts = [
        "# Settings",
        "",
        "`.iam-preflight.yaml`, found upwards from the folder around all that is scanned, or given",
        "with `--config`. `iam-preflight init` writes a first one from what the code says about",
        "itself. Editors complete and check it with [settings.schema.json](settings.schema.json).",
        "",
    ]
    defaults = msgspec.to_builtins(settings.Settings())
    for name, text in attribute_docs(settings.Settings).items():
        default = json.dumps(defaults[name], ensure_ascii=False)
        shown = f" Default: `{default}`." if len(default) < 80 else ""
        parts += [f"## `{name}`", "", f"{text}{shown}", ""]
    for kind in (settings.Account, settings.TrustedAccount, settings.TagRequirement):
        parts += [f"## {kind.__name__}", "", inspect.getdoc(kind) or "", "", *_keys(kind)]
        parts.append("")
    return "\n".join(parts)


def declaration_keys() -> str:
    """The keys of a declared rule, and of what it is made of."""
    parts = ["[custom-rules.schema.json](custom-rules.schema.json) lets editors complete them.", ""]
    kinds = (
        declarative.DeclaredRule,
        declarative.Matcher,
        declarative.ActionMatch,
        declarative.ResourceMatch,
        declarative.PrincipalMatch,
        declarative.ConditionMatch,
        declarative.HolderMatch,
    )
    for kind in kinds:
        parts += [f"### {kind.__name__}", "", inspect.getdoc(kind) or "", "", *_keys(kind), ""]
    return "\n".join(parts)


def _keys(kind: type) -> Iterator[str]:
    described = attribute_docs(kind)
    for name in get_type_hints(kind):
        if not name.startswith("__"):
            text = " ".join(described.get(name, "").split())
            yield f"- `{name}`{': ' if text else ''}{text}"


def schema(name: str, kind: Any) -> str:
    """A JSON Schema with the attribute docstrings as descriptions."""
    data = msgspec.json.schema(kind)
    for definition in data["$defs"].values():
        owner = _owner(definition.get("title", ""))
        if owner is None:
            continue
        for attribute, text in attribute_docs(owner).items():
            if attribute in definition.get("properties", {}):
                definition["properties"][attribute]["description"] = " ".join(text.split())
    titled = {"$schema": SCHEMA, "title": f"IAM Preflight {name}", **data}
    return json.dumps(titled, indent=2, ensure_ascii=False) + "\n"


def _owner(title: str) -> type | None:
    for module in (settings, model, exported, declarative):
        found = getattr(module, title, None)
        if isinstance(found, type):
            return found
    return None


# ---------------------------------------------------------------- command line


def cli_page() -> str:
    """What `--help` says, of every command."""
    parts = ["# Command line", ""]
    for names, command in _commands(cli, ("iam-preflight",)):
        context = click.Context(command, info_name=" ".join(names), max_content_width=100)
        context.terminal_width = 100
        parts += [f"## `{' '.join(names)}`", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts)


def _commands(
    command: click.Command, names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield names, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=" ".join(names))
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _commands(inner, (*names, name))


if __name__ == "__main__":
    sys.exit(main())
