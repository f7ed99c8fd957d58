from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Severity
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.rules import Rule
from iam_preflight.values import arms_of, blocks_of, items_of, number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.baseline import Baseline
    from iam_preflight.graph.model import Graph
    from iam_preflight.resources import Resource
    from iam_preflight.values import Mapping

ANALYZER = "aws_accessanalyzer_analyzer"
ARCHIVE_RULE = "aws_accessanalyzer_archive_rule"
LONGEST = 90
"""Days after which unused access should be known."""


class NoAccessAnalyzer(Rule):
    """IAM Access Analyzer is missing, slow or told to hide what it finds.

    ## What it checks
    - An analyzer of unused access that waits more than 90 days (low).
    - An archive rule without a criterion that narrows it: every new finding is put away unseen;
      or one that puts away whatever is public (medium).
    - In code that sets up an audit baseline (AUDIT-001 says when): no analyzer of external
      access (medium), none of unused access (low).

    `external_controls: [access-analyzer]` says that another repository has them.

    ## Why it matters
    An analyzer of external access says the same day which role, bucket or key was opened to
    somebody outside; one of unused access finds the permissions and keys that can go.

    ## How to fix
    One analyzer of the organization for each kind. Archive by the resource and principal that
    are meant, not by whole classes of findings.

    ## Example
    ```hcl
    resource "aws_accessanalyzer_analyzer" "external" {
      analyzer_name = "external"
      type          = "ORGANIZATION"
    }

    resource "aws_accessanalyzer_analyzer" "unused" {
      analyzer_name = "unused"
      type          = "ORGANIZATION_UNUSED_ACCESS"
      configuration {
        unused_access { unused_access_age = 30 }
      }
    }
    ```
    ```yaml
    UnusedAccess:
      Type: AWS::AccessAnalyzer::Analyzer
      Properties:
        Type: ORGANIZATION_UNUSED_ACCESS
        AnalyzerConfiguration:
          UnusedAccessConfiguration:
            UnusedAccessAge: 30
    ```
    """

    id = "AUDIT-005"
    name = "no-access-analyzer"
    severity = Severity.LOW
    practice = 6
    reads = (*audit_facts().control_types, ANALYZER, ARCHIVE_RULE)
    compliance = {
        Framework.CIS: ("1.20", "1.19", "2.18"),
        Framework.NIST: ("AC-6(7)", "AC-2", "CA-7"),
        Framework.ISO: ("A.5.18", "A.8.16"),
        Framework.FSBP: ("IAM.28",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP04", "SEC03-BP07"),
    }
    equivalents = {
        "kics": (
            "e592a0c5-5bdb-414c-9066-5dba7cdea370",
            "8d29754a-2a18-460d-a1ba-9509f8d359da",
        ),
        "trivy": ("AWS-0175",),
        "prowler": ("accessanalyzer_enabled",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/what-is-access-analyzer.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-filter-keys.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        analyzers = graph.of_type(ANALYZER)
        for analyzer in analyzers:
            yield from self._slow(analyzer)
        for rule in graph.of_type(ARCHIVE_RULE):
            yield from self._hiding(rule)
        baseline = baseline_of(graph)
        if baseline is None or provides(graph, "access-analyzer"):
            return
        kinds = [kind for analyzer in analyzers for kind in _kinds(analyzer)]
        if not any(kind is None or kind in ("ACCOUNT", "ORGANIZATION") for kind in kinds):
            yield self._missing(baseline, "access from outside", Severity.MEDIUM)
        if not any(kind is None or kind.endswith("_UNUSED_ACCESS") for kind in kinds):
            yield self._missing(baseline, "unused access", Severity.LOW)

    def _missing(self, baseline: Baseline, what: str, severity: Severity) -> Finding:
        return self.finding(
            f"no IAM Access Analyzer looks for {what}",
            on=baseline.anchor,
            at=baseline.place,
            severity=severity,
            confidence=baseline.absence("access-analyzer"),
            hint="add an analyzer, or name access-analyzer under external_controls",
            evidence=what,
        )

    def _slow(self, analyzer: Resource) -> Iterator[Finding]:
        for _, configuration in blocks_of(analyzer.get("configuration")):
            for _, unused in blocks_of(configuration.get("unused_access")):
                value = unused.get("unused_access_age")
                days = number_of(value)
                if value is None or days is None or days <= LONGEST:
                    continue
                yield self.finding(
                    f"unused access is reported after {days:g} days only",
                    on=analyzer,
                    at=value.span,
                    hint=f"set it to {LONGEST} days or fewer",
                    evidence="unused_access_age",
                )

    def _hiding(self, rule: Resource) -> Iterator[Finding]:
        filters = [block for _, block in blocks_of(rule.get("filter"))]
        if filters and not _is_only_public(filters):
            return
        what = "whatever is public" if filters else "every finding"
        yield self.finding(
            f"an archive rule hides {what} that IAM Access Analyzer finds",
            on=rule,
            at=filters[0].span if filters else rule.header,
            severity=Severity.MEDIUM,
            hint="archive by resource and principal",
            evidence=what,
        )


def _kinds(analyzer: Resource) -> Iterator[str | None]:
    value = analyzer.get("type")
    if value is None:
        yield "ACCOUNT"
        return
    for _, arm in arms_of(value):
        yield text_of(arm)


def _is_only_public(filters: list[Mapping]) -> bool:
    """Whether being public is all that the filters ask for."""
    for block in filters:
        criterion = text_of(block.get("criteria") or block.get("property"))
        values = [(text_of(item) or "").lower() for _, item in items_of(block.get("eq"))]
        if criterion != "isPublic" or "true" not in values:
            return False
    return True
