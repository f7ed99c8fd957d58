"""What an editor may set."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from iam_preflight.editor.judgement import MAX_ROOTS, Preferences


class Options(msgspec.Struct, rename="camel", kw_only=True):
    """What an editor may set: initialization options, or the section `iamPreflight`."""

    persona: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    """`NAME=VALUE`."""
    variable_files: tuple[str, ...] = ()
    module_map: dict[str, str] = {}
    parameters: tuple[str, ...] = ()
    workspace: str = ""
    """The Terraform workspace."""
    roots_per_module: int = MAX_ROOTS
    debounce: int = 40
    """Milliseconds without a keystroke before the code is looked at."""
    code_lens: bool = True
    is_extension: bool = False
    """The client is our extension: it shows what commands answer, and asks for reasons."""

    def preferences(self) -> Preferences:
        return Preferences(
            persona=self.persona,
            select=self.select,
            ignore=self.ignore,
            assignments=(
                *(("file", path) for path in self.variable_files),
                *(("var", text) for text in self.variables if "=" in text),
            ),
            module_map=self.module_map,
            parameters=self.parameters,
            terraform_workspace=self.workspace,
            roots_per_module=self.roots_per_module,
        )


def options_from(given: Any) -> Options:
    """What a client sent; settings that make no sense are left out."""
    if not isinstance(given, dict):
        given = {} if given is None else _as_dict(given)
    given = given.get("iamPreflight", given)
    kept: dict[str, Any] = {}
    for field in msgspec.structs.fields(Options):
        if isinstance(given, dict) and given.get(field.encode_name) is not None:
            with contextlib.suppress(msgspec.ValidationError, UnicodeError):
                kept[field.name] = msgspec.convert(given[field.encode_name], field.type)
    return Options(**kept)


def _as_dict(given: Any) -> dict[str, Any]:
    """Pygls hands some JSON over as named tuples."""
    fields = getattr(given, "_asdict", None)
    return dict(fields()) if fields is not None else {}
