"""`aws iam get-service-last-accessed-details`: which services and actions a principal has used.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetServiceLastAccessedDetails.html

The answer does not say whose it is, so the recipe in `docs/account-context.md` keeps the `Arn`
that was asked for beside it. One resource of the type `iam_service_last_accessed` for each file:

- `arn`, `report_date`
- `services`   by namespace, each with `last_used` (empty: never) and its tracked `actions`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.account.export import (
    Export,
    ExportError,
    Recorder,
    account_in,
    items_at,
    json_of,
    word,
)
from iam_preflight.dates import moment
from iam_preflight.values import Known, Mapping

if TYPE_CHECKING:
    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value

FORMAT = "service last accessed details"
TYPE = "iam_service_last_accessed"


def recognises(keys: frozenset[str]) -> bool:
    return "ServicesLastAccessed" in keys


def read(source: SourceFile) -> Export:
    """The report in a file; raises `ExportError`."""
    top = json_of(source)
    arn = word(top, "Arn")
    account = account_in([arn])
    if not account:
        raise ExportError("does not say whose use it is: Arn is missing", top.span)
    status = word(top, "JobStatus")
    if status and status != "COMPLETED":
        raise ExportError(f"the job was {status}: ask again for its result", top.span)
    date = moment(word(top, "JobCompletionDate") or word(top, "JobCreationDate"))
    services: dict[str, Value] = {}
    for service in items_at(top, "ServicesLastAccessed"):
        actions: dict[str, Value] = {
            word(action, "ActionName"): Known(word(action, "LastAccessedTime"), action.span)
            for action in items_at(service, "TrackedActionsLastAccessed")
        }
        entry: dict[str, Value] = {
            "last_used": Known(word(service, "LastAuthenticated"), service.span),
            "actions": Mapping(actions, service.span),
        }
        services[word(service, "ServiceNamespace").lower()] = Mapping(entry, service.span)
    attributes: dict[str, Value] = {
        "arn": Known(arn, top.span),
        "report_date": Known(date.isoformat() if date is not None else "", top.span),
        "services": Mapping(services, top.span),
    }
    resource = Recorder(source, account).resource(TYPE, f"{arn} use", top.span, attributes)
    cut = top.get("IsTruncated")
    is_cut = isinstance(cut, Known) and cut.value is True
    return Export(source, FORMAT, account, (resource,), date, subject=arn, is_cut=is_cut)
