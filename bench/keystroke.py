"""How long new diagnostics take after a keystroke, and whether memory stays where it is.

    python bench/keystroke.py FOLDER FILE [--edits 1000]

Drives the real server over standard input and output: types a policy statement into FILE (from
the top of FOLDER), character by character, takes it out again, and waits after each keystroke for
the diagnostics of that version.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.lsp.client import LanguageClient

if TYPE_CHECKING:
    from collections.abc import Iterator

STATEMENT = """
data "aws_iam_policy_document" "typed" {
  statement {
    sid       = "Typed"
    actions   = ["s3:GetObject", "iam:PassRole", "lambda:*"]
    resources = ["*"]
  }
}

resource "aws_iam_policy" "typed" {
  name   = "typed"
  policy = data.aws_iam_policy_document.typed.json
}
"""


class Editor:
    def __init__(self) -> None:
        self.client = LanguageClient("bench", "1")
        self.shown: dict[tuple[str, int], asyncio.Event] = {}

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def shown(params: types.PublishDiagnosticsParams) -> None:
            if params.version is not None:
                self.event(params.uri, params.version).set()

    def event(self, uri: str, version: int) -> asyncio.Event:
        return self.shown.setdefault((uri, version), asyncio.Event())

    async def start(self, folder: Path, debounce: int) -> None:
        await self.client.start_io(sys.executable, "-m", "iam_preflight", "lsp")
        await self.client.initialize_async(
            types.InitializeParams(
                capabilities=types.ClientCapabilities(),
                root_uri=folder.as_uri(),
                initialization_options={"debounce": debounce},
            )
        )
        self.client.initialized(types.InitializedParams())

    @property
    def pid(self) -> int:
        return self.client._server.pid  # noqa: SLF001  pygls has no public name for it


def keystrokes(text: str) -> Iterator[str]:
    """Texts to be, each one keystroke after the last, for ever."""
    at = text.rindex("\n}") + 2 if "\n}" in text else len(text)
    counts = (*range(1, len(STATEMENT) + 1), *range(len(STATEMENT) - 1, -1, -1))
    for count in itertools.cycle(counts):
        yield text[:at] + STATEMENT[:count] + text[at:]


def memory(pid: int) -> float:
    """Megabytes that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(folder: Path, file: Path, edits: int, debounce: int, pause: float) -> None:
    editor = Editor()
    await editor.start(folder, debounce)
    uri, text = file.as_uri(), file.read_text()
    started = time.perf_counter()
    editor.client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "terraform", 0, text))
    )
    await editor.event(uri, 0).wait()
    print(f"opened: {time.perf_counter() - started:.2f} s, {memory(editor.pid):.0f} MB")
    times: list[float] = []
    used = processor(editor.pid)
    for version, content in enumerate(itertools.islice(keystrokes(text), edits), 1):
        started = time.perf_counter()
        change = types.TextDocumentContentChangeWholeDocument(content)
        editor.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version=version, uri=uri), [change]
            )
        )
        await editor.event(uri, version).wait()
        times.append(time.perf_counter() - started)
        await asyncio.sleep(pause)
        if version % 100 == 0:
            print(f"{version:6} edits: {memory(editor.pid):.0f} MB")
    times.sort()
    print(
        f"{len(times)} keystrokes: median {statistics.median(times) * 1000:.0f} ms, "
        f"95 % within {times[int(len(times) * 0.95)] * 1000:.0f} ms, "
        f"processor {(processor(editor.pid) - used) / len(times) * 1000:.0f} ms each"
    )
    await editor.client.shutdown_async(None)
    editor.client.exit(None)
    await editor.client.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file")
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--debounce", type=int, default=40)
    parser.add_argument("--pause", type=int, default=0, help="milliseconds between keystrokes")
    given = parser.parse_args()
    folder = given.folder.resolve()
    asyncio.run(
        measure(folder, folder / given.file, given.edits, given.debounce, given.pause / 1000)
    )


if __name__ == "__main__":
    main()
