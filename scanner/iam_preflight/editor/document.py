"""An open file, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.editor.cursor import Cursor
from iam_preflight.editor.positions import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lsprotocol import types

    from iam_preflight.editor.analysis import Analysis
    from iam_preflight.editor.buffers import Buffer
    from iam_preflight.editor.session import Session


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
