"""The language server: what an editor asks, and who answers it.

Works with pygls 2: its predecessor speaks an older protocol package (`lsprotocol` 2023) under
other names, and checkov, cfn-lint and the rest of what people install beside this one are
content with either.
"""

from __future__ import annotations

import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from lsprotocol import types
from msgspec import Struct
from pygls import uris
from pygls.lsp.server import LanguageServer

from iam_preflight import __version__
from iam_preflight.discovery import find_root
from iam_preflight.editor import actions, describe
from iam_preflight.editor.buffers import Buffer
from iam_preflight.editor.completion import MAX_ITEMS, completions, wanted_at
from iam_preflight.editor.cursor import Cursor
from iam_preflight.editor.diagnostics import Diagnostics
from iam_preflight.editor.hover import hover
from iam_preflight.editor.judgement import MAX_ROOTS, Preferences
from iam_preflight.editor.links import links_in
from iam_preflight.editor.pages import Pages
from iam_preflight.editor.positions import Lines
from iam_preflight.editor.project import Project
from iam_preflight.editor.session import Session
from iam_preflight.registry import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.editor.actions import Offer
    from iam_preflight.editor.analysis import Analysis
    from iam_preflight.findings import Edit
    from iam_preflight.registry import Registry

Result = TypeVar("Result")

DEBOUNCE = 0.04
SCAN_WORKSPACE = "iam-preflight.scanWorkspace"
SHOW_GRAPH = "iam-preflight.graph"
EXPLAIN_PRINCIPAL = "iam-preflight.explainPrincipal"
IGNORE = "iam-preflight.ignore"
ASK_FOR_REASON = "iam-preflight.askForReason"
"""A command of the client's, which asks why and then has the server write the comment."""
RETRIGGER = "editor.action.triggerSuggest"
TRIGGERS = ('"', ":", "/", "'")


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
    debounce: int = int(DEBOUNCE * 1000)
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


class Document(Struct, frozen=True):
    """An open file of a project."""

    session: Session
    path: str
    buffer: Buffer

    def analyses(self) -> list[Analysis]:
        """Every analysis that is made of the file as it is now. In the worker."""
        found = self.session.project.analyses.values()
        return [
            analysis
            for analysis in found
            if self.path in analysis.sources
            and analysis.sources[self.path].data == self.buffer.data
        ]

    def cursors(self, position: types.Position) -> Iterator[Cursor]:
        offset = Lines(self.buffer.data).offset(position)
        for analysis in self.analyses():
            yield Cursor(analysis, analysis.sources[self.path], offset)


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
            folder = file.parent.resolve()
        except OSError:
            return None
        top = self._tops.get(folder)
        if top is None:
            existing = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
            top = self._tops[folder] = find_root([existing])
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
    _obey(server)
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
        return await document.session.ask(lambda: list(_lenses(document)), is_about_all=True)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_LINK)
    async def links(params: types.DocumentLinkParams) -> list[types.DocumentLink]:
        document = server.document(params.text_document.uri)
        return [] if document is None else list(_links(server, document))

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION,
        types.CompletionOptions(trigger_characters=list(TRIGGERS)),
    )
    async def completed(params: types.CompletionParams) -> types.CompletionList | None:
        document = server.document(params.text_document.uri)
        if document is None:
            return None
        again = types.Command("complete", RETRIGGER) if server.options.is_extension else None
        return _completions(document.buffer, params.position, again)

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
            lambda: list(_code_actions(server, document, params.range))
        )


def _lenses(document: Document) -> Iterator[types.CodeLens]:
    seen: set[tuple[int, str]] = set()
    for analysis in document.analyses():
        for principal in analysis.graph.principals:
            header = principal.resource.header
            if header.path != document.path:
                continue
            title = describe.headline(principal, analysis.graph)
            if (header.start, title) in seen:
                continue
            seen.add((header.start, title))
            arguments = [document.buffer.uri, principal.address]
            command = types.Command(title, EXPLAIN_PRINCIPAL, arguments=arguments)
            yield types.CodeLens(analysis.ranges.range(header), command)


def _links(server: Server, document: Document) -> Iterator[types.DocumentLink]:
    data = document.buffer.data
    lines = Lines(data)
    session = document.session
    for link in links_in(document.path, data, session.project.tree, server.pages):
        target = server.uri_of(session, link.target) if link.is_path else link.target
        place = types.Range(lines.position(link.start), lines.position(link.end))
        yield types.DocumentLink(place, target, tooltip=link.tooltip)


def _completions(
    buffer: Buffer, position: types.Position, again: types.Command | None
) -> types.CompletionList | None:
    lines = Lines(buffer.data)
    offset = lines.offset(position)
    found = wanted_at(buffer.data[:offset].decode("utf-8", "replace"))
    if found is None:
        return None
    wanted, typed = found
    # what was typed is ASCII: a byte, a character and a UTF-16 unit are the same
    start = types.Position(position.line, max(0, position.character - len(typed)))
    items: list[types.CompletionItem] = []
    for item in completions(wanted, typed):
        if len(items) == MAX_ITEMS:
            return types.CompletionList(is_incomplete=True, items=items)
        items.append(
            types.CompletionItem(
                label=item.text,
                kind=types.CompletionItemKind.Module
                if item.continues
                else types.CompletionItemKind.EnumMember,
                detail=item.detail,
                filter_text=item.text if item.text.lower().startswith(typed.lower()) else typed,
                text_edit=types.TextEdit(types.Range(start, position), item.text),
                command=again if item.continues else None,
            )
        )
    is_incomplete = ":" not in typed
    return types.CompletionList(is_incomplete=is_incomplete, items=items)


def _code_actions(
    server: Server, document: Document, place: types.Range
) -> Iterator[types.CodeAction]:
    lines = Lines(document.buffer.data)
    start, end = lines.offset(place.start), lines.offset(place.end)
    seen: set[str] = set()
    for analysis in document.analyses():
        cursor = Cursor(analysis, analysis.sources[document.path], start)
        found = actions.findings_at(analysis, document.path, start, end)
        maker = Diagnostics(analysis.ranges, server.pages, lambda path: path)
        for offer in actions.offers(cursor, found):
            if offer.title in seen:
                continue
            action = _code_action(server, document, offer, maker)
            if action is not None:
                seen.add(offer.title)
                yield action


def _code_action(
    server: Server, document: Document, offer: Offer, maker: Diagnostics
) -> types.CodeAction | None:
    edit = server.workspace_edit(document.session, offer.edits)
    if edit is None:
        return None
    action = types.CodeAction(
        title=offer.title,
        kind=types.CodeActionKind.QuickFix
        if offer.is_fix
        else types.CodeActionKind.RefactorRewrite,
        diagnostics=[maker.of_finding(offer.finding)] if offer.finding is not None else None,
        is_preferred=offer.is_preferred or None,
        edit=edit,
    )
    if offer.rule and offer.finding is not None and server.options.is_extension:
        action.edit = None
        span = offer.finding.primary.span
        arguments = [document.buffer.uri, offer.rule, span.start]
        action.command = types.Command(offer.title, ASK_FOR_REASON, arguments=arguments)
    return action


# ---------------------------------------------------------------- commands


def _obey(server: Server) -> None:
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

        def draw() -> str | None:
            from iam_preflight.graph.export import as_data
            from iam_preflight.reporters.html_report import write_graph

            for analysis in document.analyses():
                stream = io.StringIO()
                write_graph(as_data(analysis.graph), stream)
                return stream.getvalue()
            return None

        return await document.session.ask(draw)

    @server.command(EXPLAIN_PRINCIPAL)
    async def explain(uri: str, address: str) -> str | None:
        """What a principal comes to, as Markdown."""
        document = server.document(uri)
        if document is None:
            return None

        def tell() -> str | None:
            for analysis in document.analyses():
                for principal in analysis.graph.principals:
                    if principal.address == address:
                        return describe.principal_text(principal, analysis.graph)
            return None

        text = await document.session.ask(tell)
        if text and not server.options.is_extension:
            server.window_show_message(types.ShowMessageParams(types.MessageType.Info, text))
        return text

    @server.command(IGNORE)
    async def ignore(uri: str, rule: str, start: int, reason: str) -> bool:
        """Writes the comment that accepts a finding."""
        document = server.document(uri)
        if document is None:
            return False

        def find() -> types.WorkspaceEdit | None:
            for analysis in document.analyses():
                for finding in actions.findings_at(analysis, document.path, start, start):
                    offer = actions.ignoring(finding, reason)
                    if finding.rule == rule and offer is not None:
                        return server.workspace_edit(document.session, offer.edits)
            return None

        edit = await document.session.ask(find)
        if edit is None:
            return False
        answer = await server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit))
        return answer.applied


def serve() -> None:
    """Speaks with an editor over standard input and output until it hangs up."""
    make_server().start_io()
