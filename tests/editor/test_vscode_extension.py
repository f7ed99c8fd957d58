"""The VS Code extension: it agrees with the server, builds, passes its tests, and is packaged."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("pygls", reason="needs the extra `lsp`")

from iam_preflight.editor import commands, options

FOLDER = Path(__file__).parents[2] / "editors" / "vscode"
MANIFEST = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
PREFIX = "iamPreflight."
needs_npm = pytest.mark.skipif(
    shutil.which("npm") is None or not (FOLDER / "node_modules").is_dir(),
    reason="needs npm, and `npm ci` in editors/vscode",
)


def npm(*command: str) -> str:
    npm = shutil.which("npm")
    assert npm is not None
    done = subprocess.run(
        [npm, *command], cwd=FOLDER, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_setting_is_one_that_the_server_takes() -> None:
    settings = MANIFEST["contributes"]["configuration"]["properties"]
    declared = {name.removeprefix(PREFIX) for name in settings}
    fields = {field.encode_name for field in msgspec.structs.fields(options.Options)}
    assert declared - {"server.command", "trace.server"} == fields - {"isExtension"}
    for field in msgspec.structs.fields(options.Options):
        if field.encode_name != "isExtension":
            default = json.loads(msgspec.json.encode(getattr(options.Options(), field.name)))
            assert settings[f"{PREFIX}{field.encode_name}"]["default"] == default, field.name


def test_commands_have_the_same_names_on_both_sides() -> None:
    text = (FOLDER / "src" / "names.ts").read_text(encoding="utf-8")
    names = dict(re.findall(r'export const (\w+) = "([^"]+)"', text))
    assert names == {name: getattr(commands, name) for name in names}


def test_lock_file_names_no_host() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"]
    assert not any("resolved" in package for package in lock["packages"].values())


@needs_npm
def test_unit_tests_of_the_extension_pass() -> None:
    assert re.search(r"^(?:#|ℹ) fail 0$", npm("test"), re.MULTILINE)


@needs_npm
def test_one_command_makes_a_package() -> None:
    package = FOLDER / "iam-preflight.vsix"
    package.unlink(missing_ok=True)
    npm("run", "package")
    assert package.stat().st_size > 10_000
