"""A real server behind standard input and output, and a client that remembers what it was told."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest_lsp = pytest.importorskip("pytest_lsp", reason="needs pytest-lsp (extra `test`)")
types = pytest.importorskip("lsprotocol.types", reason="needs the extra `lsp`")

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_lsp import LanguageClient

CONFIG = pytest_lsp.ClientServerConfig(
    server_command=[sys.executable, "-m", "iam_preflight", "lsp", "--stdio"],
    client_factory=pytest_lsp.make_test_lsp_client,
    server_env={**os.environ, "XDG_CACHE_HOME": tempfile.mkdtemp(prefix="iam-preflight-")},
)
PATIENCE = 30.0


class Editor:
    """Opens, types and saves as an editor does."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.versions: dict[str, int] = {}
        self.texts: dict[str, str] = {}

    @staticmethod
    async def start(client: LanguageClient, folder: Path, **options: Any) -> Editor:
        await client.initialize_session(
            types.InitializeParams(
                capabilities=pytest_lsp.client_capabilities("visual-studio-code"),
                workspace_folders=[types.WorkspaceFolder(folder.as_uri(), folder.name)],
                initialization_options={"debounce": 10, **options},
            )
        )
        return Editor(client)

    def open(self, file: Path, text: str | None = None) -> str:
        if text is None:
            text = file.read_bytes().decode()
        uri = file.as_uri()
        self.versions[uri] = 1
        self.texts[uri] = text
        language = "terraform" if file.suffix == ".tf" else "yaml"
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
        )
        return uri

    def replace(self, uri: str, text: str) -> None:
        """The whole text at once."""
        self.texts[uri] = text
        self._change(uri, [types.TextDocumentContentChangeWholeDocument(text)])

    def splice(self, uri: str, start: int, end: int, new: str) -> None:
        """Replaces characters of the text, as a keystroke or a paste does."""
        text = self.texts[uri]
        place = types.Range(position_in(text, start), position_in(text, end))
        self.texts[uri] = text[:start] + new + text[end:]
        self._change(uri, [types.TextDocumentContentChangePartial(text=new, range=place)])

    def _change(self, uri: str, changes: list[Any]) -> None:
        self.versions[uri] += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version=self.versions[uri], uri=uri), changes
            )
        )

    def save(self, uri: str, file: Path) -> None:
        file.write_bytes(self.texts[uri].encode())
        self.client.text_document_did_save(
            types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri))
        )

    def close(self, uri: str) -> None:
        self.client.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
        )

    async def settled(self, uri: str) -> list[types.Diagnostic]:
        """The diagnostics of the text as it is now: a lens request waits for the analysis."""
        deadline = time.monotonic() + PATIENCE
        await self.client.text_document_code_lens_async(
            types.CodeLensParams(types.TextDocumentIdentifier(uri))
        )
        while uri not in self.client.diagnostics and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return list(self.client.diagnostics.get(uri, ()))

    async def codes(self, uri: str) -> list[str]:
        return sorted(str(one.code) for one in await self.settled(uri))


def position_in(text: str, offset: int) -> types.Position:
    """A place in UTF-16 units, worked out apart from the server's own code."""
    before = text[:offset]
    line = before.count("\n")
    last = before[before.rfind("\n") + 1 :]
    return types.Position(line, len(last.encode("utf-16-le")) // 2)


def text_at(text: str, place: types.Range) -> str:
    """The text of a range."""
    lines = text.split("\n")

    def offset(position: types.Position) -> int:
        units = lines[position.line].encode("utf-16-le")[: position.character * 2]
        ahead = sum(len(line) + 1 for line in lines[: position.line])
        return ahead + len(units.decode("utf-16-le"))

    return text[offset(place.start) : offset(place.end)]
