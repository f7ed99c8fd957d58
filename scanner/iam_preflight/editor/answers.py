"""What the server answers about an open file, in the protocol's types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from iam_preflight.editor import actions, describe
from iam_preflight.editor.commands import ASK_FOR_REASON, EXPLAIN_PRINCIPAL
from iam_preflight.editor.completion import MAX_ITEMS, completions, wanted_at
from iam_preflight.editor.cursor import Cursor
from iam_preflight.editor.diagnostics import Diagnostics
from iam_preflight.editor.links import links_in
from iam_preflight.editor.positions import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.editor.actions import Offer
    from iam_preflight.editor.buffers import Buffer
    from iam_preflight.editor.document import Document
    from iam_preflight.editor.server import Server


def lenses(document: Document) -> Iterator[types.CodeLens]:
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


def links(server: Server, document: Document) -> Iterator[types.DocumentLink]:
    data = document.buffer.data
    lines = Lines(data)
    session = document.session
    for link in links_in(document.path, data, session.project.tree, server.pages):
        target = server.uri_of(session, link.target) if link.is_path else link.target
        place = types.Range(lines.position(link.start), lines.position(link.end))
        yield types.DocumentLink(place, target, tooltip=link.tooltip)


def completion_list(
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


def code_actions(
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
