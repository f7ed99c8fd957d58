"""The report as JSON, for programs, and back.

The shape is published as docs/report.schema.json. Nothing in it depends on the machine or the
clock: the same input gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import msgspec

from iam_preflight.reporters.escape import json_text
from iam_preflight.reporters.model import VERSION, Options, Report

if TYPE_CHECKING:
    from typing import Any


class ReportError(ValueError):
    """The text is not a report of a version that is understood."""


def write(report: Report, stream: TextIO, _options: Options) -> None:
    import json

    text = json.dumps(as_data(report), indent=2, ensure_ascii=False)
    stream.write(json_text(text))
    stream.write("\n")


def as_data(report: Report) -> dict[str, Any]:
    """The report without what is only for people on this machine."""
    kept = msgspec.structs.replace(report, root="", seconds=0, graph=None)
    data: dict[str, Any] = msgspec.to_builtins(kept)
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
