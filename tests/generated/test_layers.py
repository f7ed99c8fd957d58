"""The direction of imports, which docs/architecture.md draws: no arrow goes back."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from test_links import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SCANNER = ROOT / "scanner"
CHECKS = ROOT / "checks"
FRONT_ENDS = ("terraform", "cloudformation", "pipelines", "account")
BACK_ENDS = ("reporters", "commands", "editor", "github", "scan", "cli", "decisions")
MODULES = {
    ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
    for root in (SCANNER, CHECKS)
    for path in sorted(root.rglob("*.py"))
}


def imported(tree: ast.AST, *, at_load: bool) -> Iterator[str]:
    """What a module imports; `at_load` leaves out what only functions and type checkers need."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield from (
                    inner if (inner := f"{module}.{name.name}") in MODULES else module
                    for name in names
                )
            case ast.FunctionDef() if at_load:
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) if at_load:
                continue
            case _:
                yield from imported(node, at_load=at_load)


def trees() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_bytes()) for name, path in MODULES.items()}


TREES = trees()


def uses(inside: tuple[str, ...], forbidden: tuple[str, ...]) -> list[str]:
    """Imports of forbidden modules, anywhere in the modules inside of some packages."""
    return [
        f"{name} imports {other}"
        for name, tree in TREES.items()
        if _is_in(name, inside)
        for other in imported(tree, at_load=False)
        if _is_in(other, forbidden)
    ]


def _is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(
        name == package or name.startswith(f"{package}.")
        for bare in packages
        for package in (f"iam_preflight.{bare}", bare)
    )


@pytest.mark.parametrize(
    ("inside", "forbidden"),
    [
        (("values", "source"), ("policy", "graph", *FRONT_ENDS, *BACK_ENDS)),
        (("knowledge",), ("graph", *FRONT_ENDS, *BACK_ENDS)),
        (("policy",), ("graph", *FRONT_ENDS, *BACK_ENDS)),
        (FRONT_ENDS, ("graph", "rules", *BACK_ENDS)),
        (("graph",), ("rules", *FRONT_ENDS, *BACK_ENDS)),
        (("iam_preflight_checks",), ("discovery", *FRONT_ENDS, *BACK_ENDS)),
        (("reporters",), FRONT_ENDS),
    ],
    ids=lambda names: names[0],
)
def test_no_layer_imports_what_comes_after_it(
    inside: tuple[str, ...], forbidden: tuple[str, ...]
) -> None:
    assert uses(inside, forbidden) == []


def test_no_module_needs_itself_to_be_loaded() -> None:
    needs = {
        name: {other for other in imported(tree, at_load=True) if other in MODULES}
        for name, tree in TREES.items()
    }
    loaded: set[str] = set()
    while ready := {name for name, own in needs.items() if name not in loaded and own <= loaded}:
        loaded |= ready
    assert sorted(needs.keys() - loaded) == []
