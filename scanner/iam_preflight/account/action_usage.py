"""Actions that principals have used, gathered from CloudTrail in a format of our own.

```json
{
  "UsageFrom": "2026-08-01T00:00:00Z",
  "UsageUntil": "2026-11-01T00:00:00Z",
  "Principals": [
    {"Arn": "arn:aws:iam::111122223333:role/ci", "Actions": ["s3:GetObject", "s3:PutObject"]}
  ]
}
```

`Arn` is the role or user, not a session. What is not listed was not seen, which says nothing of
actions that the trail does not record. One resource of the type `iam_action_usage` a principal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.account.export import (
    Export,
    ExportError,
    Recorder,
    items_at,
    json_of,
    one_account,
    word,
)
from iam_preflight.dates import moment
from iam_preflight.values import Known, Listing

if TYPE_CHECKING:
    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value

FORMAT = "action usage"
TYPE = "iam_action_usage"


def recognises(keys: frozenset[str]) -> bool:
    return {"UsageUntil", "Principals"} <= keys


def read(source: SourceFile) -> Export:
    """The use in a file; raises `ExportError`."""
    top = json_of(source)
    until = moment(word(top, "UsageUntil"))
    if until is None:
        raise ExportError("UsageUntil is not a date", top.span)
    entries = list(items_at(top, "Principals"))
    account = one_account((word(entry, "Arn") for entry in entries), source)
    recorder = Recorder(source, account)
    resources = []
    for entry in entries:
        listed = entry.get("Actions")
        attributes: dict[str, Value] = {
            "arn": Known(word(entry, "Arn"), entry.span),
            "report_date": Known(until.isoformat(), entry.span),
            "actions": listed if isinstance(listed, Listing) else Listing((), entry.span),
        }
        address = f"{word(entry, 'Arn')} actions"
        resources.append(recorder.resource(TYPE, address, entry.span, attributes))
    return Export(source, FORMAT, account, tuple(resources), until)
