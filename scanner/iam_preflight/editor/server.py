"""The language server: what an editor asks, and who answers it.

Works with pygls 2: its predecessor speaks an older protocol package (`lsprotocol` 2023) under
other names, and checkov, cfn-lint and the rest of what people install beside this one are
content with either.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lsprotocol import types
from pygls import uris
from pygls.lsp.server import LanguageServer

from iam_preflight import __version__
from iam_preflight.discovery import find_root
from iam_preflight.editor import answers
from iam_preflight.editor.buffers import Buffer
from iam_preflight.editor.commands import obey
from iam_preflight.editor.document import Document
from iam_preflight.editor.hover import hover
from iam_preflight.editor.options import Options, options_from
from iam_preflight.editor.pages import Pages
from iam_preflight.editor.positions import Lines
from iam_preflight.editor.project import Project
from iam_preflight.editor.session import Session
from iam_preflight.registry import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight.findings import Edit
    from iam_preflight.registry import Registry

Result = TypeVar("Result")

RETRIGGER = "editor.action.triggerSuggest"
TRIGGERS = ('"', ":", "/", "'")


class Server(LanguageServer):
    """State of a running server. Files belong to sessions, one for each repository."""

    def __init__(self) -> None:
        super().__init__("iam-preflight", __version__)
        self.options = Options()
        self.rules: Registry = load_rules()
        self.pages = Pages(self.rules)
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="analysis")
        self.buffers: dict[str, Buffer] = {}
        self._sessions: dict[Path, Session] = {}
        self._uris: dict[Path, str] = {}
        """The name by which the editor knows an open file."""
        self._tops: dict[Path, Path] = {}

    # ---- files

    def session_of(self, uri: str) -> tuple[Session, str] | None:
        """The session that a file belongs to, and its path there."""
        name = uris.to_fs_path(uri) if uri.startswith("file:") else None
        if not name:
            return None
        file = Path(name)
        try:
            os.fsencode(file)
            folder = file.parent.resolve()
        except (OSError, ValueError):
            return None
        top = self._tops.get(folder)
        if top is None:
            existing = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
            top = self._tops[folder] = find_root([existing])
        if top == top.parent:  # the whole disk, which takes minutes to go through
            return None
        if top not in self._sessions:
            self._sessions[top] = self._start(top)
        return self._sessions[top], (folder / file.name).relative_to(top).as_posix()

    def _start(self, top: Path) -> Session:
        def uri_of(path: str) -> str:
            return self._uris.get(top / path) or (top / path).as_uri()

        def publish(path: str, diagnostics: list[types.Diagnostic], version: int | None) -> None:
            buffer = self.buffers.get(uri_of(path))
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(
                    uri_of(path), diagnostics, version if buffer is not None else None
                )
            )

        project = Project(top, self.rules, self.options.preferences())
        debounce = max(0, self.options.debounce) / 1000
        return Session(project, self.pages, self.executor, publish, uri_of, debounce)

    @property
    def sessions(self) -> tuple[Session, ...]:
        return tuple(self._sessions.values())

    def document(self, uri: str) -> Document | None:
        buffer = self.buffers.get(uri)
        found = self.session_of(uri) if buffer is not None else None
        if buffer is None or found is None:
            return None
        return Document(*found, buffer)

    def remember(self, uri: str, path: Path) -> None:
        self._uris[path] = uri

    def forget(self, path: Path) -> None:
        self._uris.pop(path, None)

    def session_at(self, top: Path) -> Session:
        if top not in self._sessions:
            self._sessions[top] = self._start(top)
        return self._sessions[top]

    def uri_of(self, session: Session, path: str) -> str:
        file = session.project.top / path
        return self._uris.get(file) or file.as_uri()

    # ---- settings

    def configure(self, options: Options) -> None:
        self.options = options
        for session in self.sessions:
            session.debounce = max(0, options.debounce) / 1000
            preferences = options.preferences()
            if preferences != session.project.preferences:
                self.executor.submit(session.project.prefer, preferences)
                session.refresh()

    # ---- edits

    def workspace_edit(self, session: Session, edits: Iterable[Edit]) -> types.WorkspaceEdit | None:
        """Edits of the engine for the editor; None where they are no longer of this text."""
        changes: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            source = edit.span.source
            uri = self.uri_of(session, source.path)
            buffer = self.buffers.get(uri)
            if buffer is not None and buffer.data != source.data:
                return None
            lines = Lines(source.data)
            place = types.Range(lines.position(edit.span.start), lines.position(edit.span.end))
            text = edit.replacement
            if b"\r\n" in source.data:
                text = text.replace("\r\n", "\n").replace("\n", "\r\n")
            changes.setdefault(uri, []).append(types.TextEdit(place, text))
        if self.client_capabilities.workspace is None or not self._takes_versions():
            return types.WorkspaceEdit(changes=changes)
        return types.WorkspaceEdit(
            document_changes=[
                types.TextDocumentEdit(
                    types.OptionalVersionedTextDocumentIdentifier(
                        uri=uri, version=self.buffers[uri].version if uri in self.buffers else None
                    ),
                    list(several),
                )
                for uri, several in changes.items()
            ]
        )

    def _takes_versions(self) -> bool:
        workspace = self.client_capabilities.workspace
        edit = workspace.workspace_edit if workspace is not None else None
        return bool(edit is not None and edit.document_changes)


def make_server() -> Server:
    """A server with everything that it can do."""
    server = Server()
    _follow_files(server)
    _answer(server)
    obey(server)
    return server


# ---------------------------------------------------------------- files


def _follow_files(server: Server) -> None:
    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.options = options_from(params.initialization_options)

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        await _watch(server)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def opened(params: types.DidOpenTextDocumentParams) -> None:
        given = params.text_document
        data = given.text.encode("utf-8", "replace")
        server.buffers[given.uri] = Buffer(given.uri, given.version, data)
        _changed(server, given.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(params: types.DidChangeTextDocumentParams) -> None:
        buffer = server.buffers.get(params.text_document.uri)
        if buffer is not None:
            buffer.apply(params.content_changes, params.text_document.version)
            _changed(server, buffer.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def saved(params: types.DidSaveTextDocumentParams) -> None:
        _changed(server, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        found = server.session_of(uri) if server.buffers.pop(uri, None) is not None else None
        if found is not None:
            session, path = found
            session.close(path)
            server.forget(session.project.top / path)

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def watched(params: types.DidChangeWatchedFilesParams) -> None:
        for event in params.changes:
            found = server.session_of(event.uri)
            if found is not None and event.uri not in server.buffers:
                session, path = found
                if session.is_about(path):
                    session.touch(path)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configured(params: types.DidChangeConfigurationParams) -> None:
        given = params.settings
        if given:
            server.configure(options_from(given))

    @server.feature(types.SHUTDOWN)
    def shut_down(_params: None) -> None:
        for session in server.sessions:
            session.stop()
        server.executor.shutdown(wait=False, cancel_futures=True)


def _changed(server: Server, uri: str) -> None:
    document = server.document(uri)
    if document is not None:
        session, buffer = document.session, document.buffer
        server.remember(uri, session.project.top / document.path)
        session.edit(document.path, buffer.data, buffer.version)


async def _watch(server: Server) -> None:
    """Asks to be told of files that change outside of the editor, if it can tell."""
    workspace = server.client_capabilities.workspace
    watching = workspace.did_change_watched_files if workspace is not None else None
    if watching is None or not watching.dynamic_registration:
        return
    patterns = ("**/*.{tf,tofu,tfvars,hcl,json,yaml,yml,template,tpl,tftpl}",)
    watchers = [types.FileSystemWatcher(glob_pattern=pattern) for pattern in patterns]
    registration = types.Registration(
        id="files",
        method=types.WORKSPACE_DID_CHANGE_WATCHED_FILES,
        register_options=types.DidChangeWatchedFilesRegistrationOptions(watchers=watchers),
    )
    await server.client_register_capability_async(types.RegistrationParams([registration]))


# ---------------------------------------------------------------- questions


def _answer(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hovered(params: types.HoverParams) -> types.Hover | None:
        document = server.document(params.text_document.uri)
        if document is None:
            return None

        def find() -> types.Hover | None:
            for cursor in document.cursors(params.position):
                found = hover(cursor)
                if found is not None:
                    text, span = found
                    content = types.MarkupContent(types.MarkupKind.Markdown, text)
                    return types.Hover(content, cursor.analysis.ranges.range(span))
            return None

        return await document.session.ask(find)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    async def lenses(params: types.CodeLensParams) -> list[types.CodeLens]:
        document = server.document(params.text_document.uri)
        if document is None or not server.options.code_lens:
            return []
        return await document.session.ask(lambda: list(answers.lenses(document)), is_about_all=True)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_LINK)
    async def links(params: types.DocumentLinkParams) -> list[types.DocumentLink]:
        document = server.document(params.text_document.uri)
        return [] if document is None else list(answers.links(server, document))

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION,
        types.CompletionOptions(trigger_characters=list(TRIGGERS)),
    )
    async def completed(params: types.CompletionParams) -> types.CompletionList | None:
        document = server.document(params.text_document.uri)
        if document is None:
            return None
        again = types.Command("complete", RETRIGGER) if server.options.is_extension else None
        return answers.completion_list(document.buffer, params.position, again)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(
            code_action_kinds=[types.CodeActionKind.QuickFix, types.CodeActionKind.RefactorRewrite]
        ),
    )
    async def code_actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        document = server.document(params.text_document.uri)
        if document is None:
            return []
        return await document.session.ask(
            lambda: list(answers.code_actions(server, document, params.range))
        )


def serve() -> None:
    """Speaks with an editor over standard input and output until it hangs up."""
    make_server().start_io()
