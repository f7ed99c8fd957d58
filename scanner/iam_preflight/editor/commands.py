"""Commands of the server, by the names under which a client sends them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls import uris

from iam_preflight.discovery import find_root
from iam_preflight.editor import actions, describe

if TYPE_CHECKING:
    from iam_preflight.editor.document import Document
    from iam_preflight.editor.server import Server

SCAN_WORKSPACE = "iam-preflight.scanWorkspace"
SHOW_GRAPH = "iam-preflight.graph"
EXPLAIN_PRINCIPAL = "iam-preflight.explainPrincipal"
IGNORE = "iam-preflight.ignore"
ASK_FOR_REASON = "iam-preflight.askForReason"
"""A command of the client's, which asks why and then has the server write the comment."""


def obey(server: Server) -> None:
    """Registers the commands."""

    @server.command(SCAN_WORKSPACE)
    async def scan_workspace(*_arguments: object) -> dict[str, int]:
        for folder in server.workspace.folders.values():
            name = uris.to_fs_path(folder.uri)
            if name and Path(name).is_dir():
                server.session_at(find_root([Path(name)]))
        counts: dict[str, int] = {}
        for session in server.sessions:
            for severity, count in (await session.scan_workspace()).items():
                counts[severity] = counts.get(severity, 0) + count
        return counts

    @server.command(SHOW_GRAPH)
    async def show_graph(uri: str) -> str | None:
        """The page with the picture of the file's root."""
        document = server.document(uri)
        if document is None:
            return None
        return await document.session.ask(lambda: _picture(document))

    @server.command(EXPLAIN_PRINCIPAL)
    async def explain(uri: str, address: str) -> str | None:
        """What a principal comes to, as Markdown."""
        document = server.document(uri)
        if document is None:
            return None
        text = await document.session.ask(lambda: _explanation(document, address))
        if text and not server.options.is_extension:
            server.window_show_message(types.ShowMessageParams(types.MessageType.Info, text))
        return text

    @server.command(IGNORE)
    async def ignore(uri: str, rule: str, start: int, reason: str) -> bool:
        """Writes the comment that accepts a finding."""
        document = server.document(uri)
        if document is None:
            return False
        edit = await document.session.ask(lambda: _ignoring(server, document, rule, start, reason))
        if edit is None:
            return False
        answer = await server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit))
        return answer.applied


def _picture(document: Document) -> str | None:
    from iam_preflight.graph.export import as_data
    from iam_preflight.reporters.html_report import write_graph

    for analysis in document.analyses():
        stream = io.StringIO()
        write_graph(as_data(analysis.graph), stream)
        return stream.getvalue()
    return None


def _explanation(document: Document, address: str) -> str | None:
    for analysis in document.analyses():
        for principal in analysis.graph.principals:
            if principal.address == address:
                return describe.principal_text(principal, analysis.graph)
    return None


def _ignoring(
    server: Server, document: Document, rule: str, start: int, reason: str
) -> types.WorkspaceEdit | None:
    for analysis in document.analyses():
        for finding in actions.findings_at(analysis, document.path, start, start):
            offer = actions.ignoring(finding, reason)
            if finding.rule == rule and offer is not None:
                return server.workspace_edit(document.session, offer.edits)
    return None
