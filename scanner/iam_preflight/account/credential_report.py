"""`aws iam get-credential-report`: who has passwords and keys, how old, when last used.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html

Both forms are read: the CSV, and the JSON of the command line with the CSV in base64. Only the
JSON says when the report was made; for the CSV the latest date in it stands for that.

Each row is a resource of the type `iam_credential_report` with the columns as attributes, and
the date of the report as `report_date`.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from typing import TYPE_CHECKING

from iam_preflight.account.export import (
    Export,
    ExportError,
    Recorder,
    json_of,
    latest,
    one_account,
    word,
)
from iam_preflight.dates import moment
from iam_preflight.source import Span
from iam_preflight.values import Known

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value

FORMAT = "credential report"
TYPE = "iam_credential_report"
_COLUMNS = frozenset({"user", "arn", "password_enabled", "mfa_active", "access_key_1_active"})


def recognises(keys: frozenset[str]) -> bool:
    return "Content" in keys and "ReportFormat" in keys


def is_report(source: SourceFile) -> bool:
    """Whether a CSV file is one, by its first line."""
    return source.data.lstrip(b"\xef\xbb\xbf").startswith(b"user,arn,user_creation_time")


def read(source: SourceFile) -> Export:
    """The report in a CSV or JSON file; raises `ExportError`."""
    if is_report(source):
        return _read_rows(source, source.data)
    top = json_of(source)
    try:
        data = base64.b64decode(word(top, "Content"), validate=True)
    except binascii.Error:
        raise ExportError("its content is not whole base64") from None
    return _read_rows(source, data, moment(word(top, "GeneratedTime")))


def _read_rows(source: SourceFile, data: bytes, made: dt.datetime | None = None) -> Export:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExportError("not UTF-8 text") from None
    try:
        rows = list(csv.DictReader(io.StringIO(text)))
    except csv.Error as error:
        raise ExportError(f"not as AWS writes credential reports: {error}") from None
    if not rows or not rows[0].keys() >= _COLUMNS:
        raise ExportError("lacks the columns of a credential report")
    if any(None in row or None in row.values() for row in rows):
        raise ExportError("its last rows are cut off: a row lacks columns")
    account = one_account((row["arn"] for row in rows), source)
    recorder = Recorder(source, account)
    places = _lines(source) if is_report(source) else None
    date = made or latest([moment(text) for row in rows for text in row.values()])
    resources = tuple(
        recorder.resource(
            TYPE,
            f"{row['arn']} credentials",
            span,
            {
                **{name: _value(text, span) for name, text in row.items()},
                "report_date": Known(date.isoformat() if date is not None else "", span),
            },
        )
        for row in rows
        for span in [next(places, source.whole()) if places is not None else source.whole()]
    )
    return Export(source, FORMAT, account, resources, date)


def _value(text: str, span: Span) -> Value:
    match text.lower():
        case "true":
            return Known(value=True, span=span)
        case "false":
            return Known(value=False, span=span)
        case _:
            return Known(text, span)


def _lines(source: SourceFile) -> Iterator[Span]:
    """The places of the rows: a report has no line breaks inside of fields."""
    starts = source.line_starts
    for index, start in enumerate(starts[1:], 1):
        end = starts[index + 1] if index + 1 < len(starts) else len(source.data)
        stripped = source.data[start:end].rstrip(b"\r\n")
        if stripped:
            yield Span(source, start, start + len(stripped))
