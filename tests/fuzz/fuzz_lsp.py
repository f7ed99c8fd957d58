"""A language server in this process, and what no editor would send it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import threading
import traceback
from typing import TYPE_CHECKING, Any

from fuzz_grammar import ODD_NUMBERS, SECRET, SECRET_NAME, spliced_hcl, spliced_yaml
from fuzz_material import FRAGMENTS
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

    from iam_preflight.registry import Registry

URI = "URI/"
"""Stands for the folder's, which is not known yet when messages are made."""
_NAMES = ("main.tf", "t.yaml", "a/b.tf", "x.json", ".iam-preflight.yaml", "variables.tfvars")
uris = st.one_of(
    st.sampled_from([f"{URI}{name}" for name in _NAMES]),
    st.sampled_from(
        [
            *("", "file:", "file://host/x.tf", "untitled:1", "http://x/main.tf", "//"),
            *(f"{URI}%00.tf", f"{URI}a%0Ab.tf", f"{URI}../../out.tf", f"{URI}%ff.tf", URI),
            *(f"{URI}{'a' * 300}.tf", f"{URI}%2e%2e/%2e%2e/x.tf", f"{URI}a%2Fb.tf", f"{URI}\ud800"),
        ]
    ),
)
numbers = st.one_of(st.integers(0, 40), st.sampled_from(ODD_NUMBERS), st.integers())
columns = st.one_of(st.integers(0, 40), st.integers(-3, 2**33))
_positions = st.fixed_dictionaries({"line": columns, "character": columns})
_ranges = st.fixed_dictionaries({"start": _positions, "end": _positions})
_document = st.fixed_dictionaries({"uri": uris})
_texts = st.one_of(
    spliced_hcl(".tf").map(lambda data: data.decode("utf-8", "replace")),
    spliced_yaml(".yaml").map(lambda data: data.decode("utf-8", "replace")),
    st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(
        lambda parts: (
            b"".join(parts).decode("utf-8", "surrogatepass")
            if all(part != b"\xff" for part in parts)
            else "\ud83d"
        )
    ),
    st.sampled_from(
        [
            "é\U0001f600" * 9 + "\n" * 5,
            "\r\r\n\n\r",
            f'{SECRET}resource "aws_iam_user" "a" {{\n  name = var.{SECRET_NAME}\n}}\n',
        ]
    ),
)
_changes = st.lists(
    st.one_of(
        st.fixed_dictionaries({"range": _ranges, "text": _texts}),
        st.fixed_dictionaries({"text": _texts}),
    ),
    max_size=3,
)
_item = st.fixed_dictionaries(
    {"uri": uris, "languageId": st.just("terraform"), "version": numbers, "text": _texts}
)
_at = st.fixed_dictionaries({"textDocument": _document, "position": _positions})
_settings = st.dictionaries(
    st.sampled_from(
        [
            *("persona", "select", "ignore", "variables", "variableFiles", "moduleMap", "debounce"),
            *("rootsPerModule", "workspace", "codeLens", "isExtension", "iamPreflight"),
        ]
    ),
    st.one_of(
        st.sampled_from(
            ["", "auditor", [], ["x"], ["LEAST-001"], ["a=b", "="], {}, {"a": "../.."}, None, True]
        ),
        st.sampled_from([0, -1, 10**30, 1.5, [1], ["\0"], {"a": 1}, "\ud800"]),
    ),
    max_size=3,
)
_commands = st.fixed_dictionaries(
    {
        "command": st.sampled_from(
            [
                *("iam-preflight.scanWorkspace", "iam-preflight.graph", "iam-preflight.ignore"),
                *("iam-preflight.explainPrincipal", "nonsense"),
            ]
        ),
        "arguments": st.lists(
            st.one_of(uris, numbers, st.sampled_from(["LEAST-001", None, {}, []])), max_size=5
        ),
    }
)


def _method(name: str, params: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"method": st.just(name), "params": params})


_open = _method("textDocument/didOpen", st.fixed_dictionaries({"textDocument": _item}))
_notifications = st.one_of(
    _open,
    _method(
        "textDocument/didChange",
        st.fixed_dictionaries(
            {
                "textDocument": st.fixed_dictionaries({"uri": uris, "version": numbers}),
                "contentChanges": _changes,
            }
        ),
    ),
    _method("textDocument/didSave", st.fixed_dictionaries({"textDocument": _document})),
    _method("textDocument/didClose", st.fixed_dictionaries({"textDocument": _document})),
    _method("workspace/didChangeConfiguration", st.fixed_dictionaries({"settings": _settings})),
    _method(
        "workspace/didChangeWatchedFiles",
        st.fixed_dictionaries(
            {
                "changes": st.lists(
                    st.fixed_dictionaries({"uri": uris, "type": st.integers(0, 4)}), max_size=3
                )
            }
        ),
    ),
    _method("$/cancelRequest", st.fixed_dictionaries({"id": numbers})),
)
_requests = st.one_of(
    *(_method(f"textDocument/{name}", _at) for name in ("hover", "completion")),
    *(
        _method(f"textDocument/{name}", st.fixed_dictionaries({"textDocument": _document}))
        for name in ("codeLens", "documentLink")
    ),
    _method(
        "textDocument/codeAction",
        st.fixed_dictionaries(
            {
                "textDocument": _document,
                "range": _ranges,
                "context": st.just({"diagnostics": []}),
            }
        ),
    ),
    _method("workspace/executeCommand", _commands),
    _method("nonsense", st.none()),
)
_odd = st.one_of(
    *(st.none(), st.booleans(), numbers, uris, st.just([]), st.just({}), st.just("x" * 400)),
)


def _replaced(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: _replaced(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], _replaced(draw, value[index]), *value[index + 1 :]]
    return draw(_odd)


@st.composite
def messages(draw: st.DrawFn) -> list[bytes]:
    """The bodies of several messages, some of them broken."""
    bodies = []
    given = [draw(_open), *draw(st.lists(st.one_of(_notifications, _requests), max_size=7))]
    for number, message in enumerate(given):
        message = {"jsonrpc": "2.0", **message}
        if "did" not in message["method"] and "$" not in message["method"]:
            message["id"] = draw(st.sampled_from([number, number, number, str(number), None]))
        if draw(st.integers(0, 3)) == 0:
            message = _replaced(draw, message)
        body = json.dumps(message).encode()
        if draw(st.integers(0, 11)) == 0:
            at = draw(st.integers(0, len(body)))
            body = body[:at] + draw(st.sampled_from([b"", *FRAGMENTS])) + body[at + 3 :]
        bodies.append(body or b" ")
    return bodies


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


class _Answers:
    """What the server writes, message by message."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def close(self) -> None:
        pass

    def bodies(self) -> list[Any]:
        found, rest = [], self.data
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            found.append(json.loads(rest[:size]))
            rest = rest[size:]
        return found


LAST = "the last question"


def converse(bodies: list[bytes], folder: Path, rules: Registry) -> list[Any]:
    """Everything that the server says; it must still answer a question at the end."""
    from iam_preflight.editor import server as module

    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)
    crashes: list[str] = []
    loaded, module.load_rules = module.load_rules, lambda: rules
    try:
        server = module.make_server()
    finally:
        module.load_rules = loaded
    ours = str(module.__file__).rpartition("editor")[0]

    def note(error: BaseException) -> None:
        several = [error, error.__cause__, error.__context__]
        for one in several:
            if one is None:
                continue
            text = "".join(traceback.format_exception(one))
            told = str(getattr(one, "data", None) or "")
            crashes.extend(found for found in (text, told) if ours in found)

    server._report_server_error = lambda error, _source: note(error)
    folder_uri = folder.as_uri() + "/"
    start = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "processId": None,
            "rootUri": folder_uri,
            "capabilities": {},
            "initializationOptions": {"debounce": 0},
        },
    }
    ready = {"jsonrpc": "2.0", "method": "initialized", "params": {}}
    known = [body.replace(URI.encode(), folder_uri.encode()) for body in bodies]
    last = {
        "jsonrpc": "2.0",
        "id": LAST,
        "method": "textDocument/documentLink",
        "params": {"textDocument": {"uri": f"{folder_uri}nothing.tf"}},
    }
    sent = [json.dumps(start).encode(), json.dumps(ready).encode(), *known]
    answers = _Answers()
    asyncio.run(_talk(server, sent, json.dumps(last).encode(), answers, note))
    assert crashes == [], crashes[0]
    told = answers.bodies()
    assert any(one.get("id") == LAST for one in told), "the server has stopped answering"
    return told


async def _talk(server: Any, sent: list[bytes], last: bytes, answers: _Answers, note: Any) -> None:
    from pygls.io_ import StdinAsyncReader, run_async

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda _loop, context: note(context["exception"]) if "exception" in context else None
    )
    server.protocol.set_writer(answers)

    async def hand_over(several: list[bytes]) -> None:
        reader = StdinAsyncReader(io.BytesIO(b"".join(map(framed, several))))
        await run_async(
            threading.Event(), reader, server.protocol, None, server._report_server_error
        )

    await hand_over(sent)
    for session in server.sessions:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(session._idle.wait(), 10)
        if session._task.done() and not session._task.cancelled():
            note(session._task.exception() or AssertionError(f"{__file__}: the session ended"))
    if not server.protocol._shutdown:
        await hand_over([last])
    else:
        answers.write(framed(json.dumps({"id": LAST}).encode()))
    waiting = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
    for session in server.sessions:
        session.stop()
    if waiting:
        await asyncio.wait(waiting, timeout=10)
    server.executor.shutdown(wait=True, cancel_futures=True)
