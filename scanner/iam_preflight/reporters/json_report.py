"""The report as JSON, for programs, and back.

The shape is published as docs/report.schema.json. Nothing in it depends on the machine or the
clock: the same input gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import msgspec

from iam_preflight.reporters.escape import json_bytes, json_text
from iam_preflight.reporters.model import VERSION, Options, Report

if TYPE_CHECKING:
    from typing import Any


class ReportError(ValueError):
    """The text is not a report of a version that is understood."""


def write(report: Report, stream: TextIO, _options: Options) -> None:
    stream.write(_text(_portable(report)))
    stream.write("\n")


def _text(report: Report) -> str:
    try:
        return json_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    except UnicodeEncodeError:
        # a name with half a character in it, which `json_text` makes harmless
        import json

        return json_text(json.dumps(msgspec.to_builtins(report), indent=2, ensure_ascii=False))


def _portable(report: Report) -> Report:
    """The report without what is only for people on this machine."""
    return msgspec.structs.replace(report, root="", seconds=0, graph=None)


def as_data(report: Report) -> dict[str, Any]:
    """The same as plain data."""
    data: dict[str, Any] = msgspec.to_builtins(_portable(report))
    return data


def read(data: bytes) -> Report:
    """The report that a JSON text holds; raises `ReportError`. For input nobody vouches for."""
    try:
        report = msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"not a report: {error}") from None
    if report.version != VERSION:
        raise ReportError(f"report version {report.version} is not known, only {VERSION}")
    return report
