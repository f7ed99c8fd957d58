"""`aws accessanalyzer list-findings` and `list-findings-v2`: who from outside has access already.

https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_ListFindings.html

One resource of the type `accessanalyzer_finding` for each active finding, with `kind`
(`ExternalAccess`, `UnusedIAMRole` …), `resource`, `resource_type`, `is_public`, `principal` (the
texts of the outside principals) and `actions`. Version 2 lists no principals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.account.export import (
    Export,
    Recorder,
    items_at,
    json_of,
    latest,
    word,
)
from iam_preflight.dates import moment
from iam_preflight.values import Known, Listing, Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.resources import Resource
    from iam_preflight.source import SourceFile
    from iam_preflight.values import Value

FORMAT = "access analyzer findings"
TYPE = "accessanalyzer_finding"


def recognises(keys: frozenset[str]) -> bool:
    return "findings" in keys


def read(source: SourceFile) -> Export:
    """The findings in a file."""
    top = json_of(source)
    findings = list(items_at(top, "findings"))
    accounts = {word(one, "resourceOwnerAccount") for one in findings}
    resources = tuple(
        _finding(one, Recorder(source, word(one, "resourceOwnerAccount")))
        for one in findings
        if word(one, "status") in ("", "ACTIVE")
    )
    until = latest([moment(word(one, "analyzedAt")) for one in findings])
    subject = " ".join(sorted({_kind(one) for one in findings}))
    return Export(
        source,
        FORMAT,
        ", ".join(sorted(accounts)),
        resources,
        subject=subject,
        is_cut=bool(word(top, "nextToken") or word(top, "NextToken")),
        until=until,
    )


def _kind(finding: Mapping) -> str:
    return word(finding, "findingType") or "ExternalAccess"


def _finding(finding: Mapping, recorder: Recorder) -> Resource:
    principals = tuple(Known(text, finding.span) for text in _principals(finding))
    public = finding.get("isPublic")
    action = finding.get("action")
    attributes: dict[str, Value] = {
        "kind": Known(_kind(finding), finding.span),
        "resource": Known(word(finding, "resource"), finding.span),
        "resource_type": Known(word(finding, "resourceType"), finding.span),
        "is_public": public if isinstance(public, Known) else Known(value=False, span=finding.span),
        "principal": Listing(principals, finding.span),
        "actions": action if isinstance(action, Listing) else Listing((), finding.span),
    }
    return recorder.resource(TYPE, f"finding {word(finding, 'id')}", finding.span, attributes)


def _principals(finding: Mapping) -> Iterator[str]:
    held = finding.get("principal")
    if isinstance(held, Mapping):
        for value in held.entries.values():
            if isinstance(value, Known):
                yield str(value.value)
