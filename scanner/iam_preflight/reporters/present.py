"""A scan's result as the data that reporters get."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from iam_preflight import __version__
from iam_preflight.baseline import fingerprint_of
from iam_preflight.decisions import Outcome
from iam_preflight.faults import KeptTo
from iam_preflight.knowledge.age import data_date
from iam_preflight.locate import Locator
from iam_preflight.reporters import model
from iam_preflight.reporters.excerpts import excerpts_of
from iam_preflight.rules import PRACTICES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iam_preflight import findings as live
    from iam_preflight.decisions import Decided
    from iam_preflight.diff import Change
    from iam_preflight.errors import Problem
    from iam_preflight.graph.model import Coverage
    from iam_preflight.reporters.model import SeverityName, VerdictName
    from iam_preflight.rules import Rule
    from iam_preflight.scan import Report
    from iam_preflight.source import Span

NEVER = "never"
_NO_PLACE = {"line": 0, "column": 0, "end_line": 0, "end_column": 0}


def present(report: Report, fail_on: str, *, with_graph: bool = False) -> model.Report:
    """The report as data. `fail_on` is a severity or `never`."""
    presenter = _Presenter(report)
    faults: list[Problem] = []
    told: list[model.Finding] = []
    for decided in report.findings:
        with _kept_to(decided, faults):
            told.append(presenter.finding(decided))
    findings = tuple(told)
    change = None
    if report.change is not None:
        with KeptTo(".", faults, "not told how it differs"):
            change = presenter.change(report.change)
    counts = _counts(findings, change)
    graph = None
    if with_graph:
        from iam_preflight.graph.export import as_data

        with KeptTo(".", faults, "the graph is not drawn"):
            graph = as_data(report.graph)
    if faults:
        report = replace(report, problems=(*report.problems, *faults))
    data = model.Report(
        version=model.VERSION,
        tool=model.Tool(version=__version__, data=data_date().isoformat()),
        verdict=verdict(report, fail_on),
        fail_on=fail_on,
        counts=counts,
        coverage=_coverage(report.coverage),
        files=report.files,
        findings=findings,
        problems=tuple(_problem(problem) for problem in report.problems),
        rules=tuple(_rule(rule, presenter.rules_told) for rule in report.rules),
        practices={str(number): title for number, title in PRACTICES.items()},
        change=change,
        root=report.root,
        seconds=report.seconds,
        graph=graph,
    )
    return report.graph.secrets.masked_report(data)


def _kept_to(decided: Decided, faults: list[Problem]) -> KeptTo:
    finding = decided.finding
    return KeptTo(finding.primary.span, faults, f"a finding of {finding.rule} is not told")


def verdict(report: Report, fail_on: str) -> VerdictName:
    """What the exit code says: what could not be analysed beats what was found."""
    if any(problem.fails_the_scan for problem in report.problems):
        return "not-analysed"
    if report.files == 0:
        return "nothing-to-scan"
    if fail_on != NEVER:
        failing = model.SEVERITIES[: list[str](model.SEVERITIES).index(fail_on) + 1]
        if any(str(finding.severity) in failing for finding in report.shown):
            return "findings"
    return "clean"


def _counts(findings: Iterable[model.Finding], change: model.Change | None) -> model.Counts:
    severities = Counter(one.severity for one in findings if one.outcome == "shown")
    outcomes = Counter(one.outcome for one in findings)
    return model.Counts(
        critical=severities["critical"],
        high=severities["high"],
        medium=severities["medium"],
        low=severities["low"],
        info=severities["info"],
        suppressed=outcomes["suppressed"],
        baseline=outcomes["baseline"],
        unchanged=outcomes["unchanged"],
        hidden=outcomes["hidden"],
        fixed=len(change.fixed) if change is not None else 0,
    )


class _Presenter:
    def __init__(self, report: Report) -> None:
        self._locate = Locator(report.graph)
        self._ordinals: Counter[str] = Counter()
        self.rules_told: set[str] = set()
        """Rules that the report has a finding of."""

    def finding(self, decided: Decided, *, is_here: bool = True) -> model.Finding:
        """`is_here` is off for a finding of the base of a change."""
        finding = decided.finding
        self.rules_told.update((finding.rule, *finding.also))
        until = decided.until
        return model.Finding(
            rule=finding.rule,
            severity=_severity(finding.severity),
            # the names of the enums are those of the literals
            confidence=str(finding.confidence),  # type: ignore[arg-type]
            persona=str(finding.persona),  # type: ignore[arg-type]
            message=finding.message,
            address=finding.address,
            addresses=finding.addresses,
            type=finding.resource.native_type,
            root=finding.resource.deployment.path,
            place=_place(finding.primary),
            fingerprint=self._fingerprint(finding),
            outcome=decided.outcome.value,
            reason=decided.reason,
            until=until.isoformat() if until is not None else "",
            also=finding.also,
            principal=finding.principal,
            environment=(self._locate.environment(finding) or "") if is_here else "",
            group=_group(finding),
            hint=finding.hint,
            fix=finding.fix.description if finding.fix is not None else "",
            assumptions=tuple(str(assumption) for assumption in finding.assumptions),
            related=tuple(_place(place) for place in finding.related),
            steps=tuple(_place(place) for place in finding.steps),
            excerpts=_excerpts(finding) if decided.outcome is not Outcome.HIDDEN else (),
        )

    def _fingerprint(self, finding: live.Finding) -> str:
        digest = fingerprint_of(finding).digest
        self._ordinals[digest] += 1
        return f"{digest}:{self._ordinals[digest]}"

    def change(self, change: Change) -> model.Change:
        return model.Change(
            base=change.base,
            head=change.head,
            fixed=tuple(self.finding(decided, is_here=False) for decided in change.fixed),
            access=tuple(
                model.Access(
                    address=one.address,
                    subject=one.subject,
                    message=one.message,
                    action=one.action,
                    resource=one.resource,
                    place=_at(one.place),
                    caller=one.caller,
                    given=one.given,
                    sure=one.is_sure,
                )
                for one in change.access
            ),
            paths=tuple(
                model.Escalation(
                    address=one.principal.address,
                    message=one.message,
                    place=_at(one.principal.resource.header),
                    steps=tuple(_place(step) for step in one.steps),
                )
                for one in change.paths
            ),
            trust=tuple(
                model.Trust(
                    address=one.role.address,
                    who=one.who,
                    kind=one.kind,
                    message=one.message,
                    place=_at(one.place),
                )
                for one in change.trust
            ),
            ignores=tuple(
                model.AddedIgnore(
                    rules=one.rules,
                    reason=one.reason,
                    place=_at(one.place),
                    until=one.until.isoformat() if one.until is not None else "",
                )
                for one in change.ignores
            ),
            other_settings=change.has_other_settings,
        )


def _severity(severity: live.Severity) -> SeverityName:
    return str(severity)  # type: ignore[return-value]  # the names are those of the literal


def _group(finding: live.Finding) -> str:
    cause = finding.causes[0] if finding.causes else finding.primary.span
    return f"{cause.path}:{cause.line}"


def _place(place: live.Place) -> model.Place:
    return _at(place.span, place.label)


def _at(span: Span, label: str = "") -> model.Place:
    first, last = span.first, span.last
    return model.Place(
        file=span.path,
        line=first.line,
        column=first.column,
        end_line=last.line,
        end_column=last.column,
        label=label,
    )


def _excerpts(finding: live.Finding) -> tuple[model.Excerpt, ...]:
    places: list[tuple[Span, str, model.MarkKind]] = [
        (finding.primary.span, finding.primary.label, "primary")
    ]
    places += [(place.span, place.label, "step") for place in finding.steps]
    places += [(place.span, place.label, "related") for place in finding.related]
    return excerpts_of(places)


def _problem(problem: Problem) -> model.Problem:
    span = problem.span
    place = _NO_PLACE
    if span is not None:
        first, last = span.first, span.last
        place = {
            "line": first.line,
            "column": first.column,
            "end_line": last.line,
            "end_column": last.column,
        }
    return model.Problem(
        code=problem.code,
        message=problem.message,
        file=problem.path,
        fails=problem.fails_the_scan,
        **place,
    )


def _coverage(coverage: Coverage) -> model.Coverage:
    return model.Coverage(
        principals=coverage.principals,
        policies=coverage.policies,
        full=coverage.full,
        partly=coverage.partly,
        none=coverage.none,
        unresolved=tuple(
            model.Unresolved(reason=reason, policies=count) for reason, count in coverage.reasons
        ),
        switched_off=sum(count for _, count in coverage.switched_off),
        switches=tuple(
            model.Switch(name=one.switch, root=one.path, blocks=count)
            for one, count in coverage.switched_off
        ),
    )


def _rule(rule: Rule, told: set[str]) -> model.Rule:
    return model.Rule(
        id=rule.id,
        name=rule.name,
        title=rule.title(),
        severity=_severity(rule.severity),
        practice=rule.practice,
        page=rule.page() if rule.id in told else "",
        compliance={framework.value: ids for framework, ids in rule.compliance.items()},
        equivalents=dict(rule.equivalents),
        references=rule.references,
    )
