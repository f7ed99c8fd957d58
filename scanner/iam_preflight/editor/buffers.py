"""What the editor has open: the text of each file, whether it is saved or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types
from msgspec import Struct

from iam_preflight.editor.positions import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable


class Buffer(Struct):
    """One open file."""

    uri: str
    version: int
    data: bytes

    def apply(self, changes: Iterable[types.TextDocumentContentChangeEvent], version: int) -> None:
        """The editor's changes, in their order: of a range, or of the whole text."""
        for change in changes:
            new = change.text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
            if isinstance(change, types.TextDocumentContentChangePartial):
                lines = Lines(self.data)
                start = lines.offset(change.range.start)
                end = max(start, lines.offset(change.range.end))
                self.data = self.data[:start] + new + self.data[end:]
            else:
                self.data = new
        self.version = version
