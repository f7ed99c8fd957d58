"""One place decides: severity, then each instance by itself, then merging, then folding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam_preflight.decisions import Decided, Outcome
from iam_preflight.findings import Confidence, Finding, Persona, Place, Severity
from iam_preflight.registry import Registry
from iam_preflight.rules import Rule
from iam_preflight.scan import Report, ScanOptions
from iam_preflight.settings import Settings
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Statement


class _Test(Rule, abstract=True):
    """Speaks about every Allow.

    ## What it checks
    ## Why it matters
    ## How to fix
    """

    name = "test"
    severity = Severity.HIGH
    practice = 2

    def check_statement(
        self, statement: Statement, policy: Policy, graph: Graph
    ) -> Iterator[Finding]:
        if statement.is_allow and policy.use.value == "identity":
            yield self.finding(
                "found", on=policy, at=statement.actions[0].span, causes=(statement.span,)
            )


class Strong(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-001"


class Weak(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-002"
    severity = Severity.LOW
    yields_to = ("TEST-001",)


class Weakest(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-003"
    severity = Severity.LOW
    yields_to = ("TEST-002",)


class Mutual(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-004"
    yields_to = ("TEST-005",)


class Other(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-005"
    yields_to = ("TEST-004",)


class Potential(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-009"
    yields_when_milder_to = ("TEST-001",)


class Unsure(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-006"
    confidence = Confidence.LOW


class Hygiene(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-007"
    persona = Persona.PEDANTIC


class Naming(_Test):
    """Says in its messages which instance they are about, and two things of each.

    ## What it checks
    ## Why it matters
    ## How to fix
    """

    id = "TEST-008"

    def check_statement(
        self, statement: Statement, policy: Policy, graph: Graph
    ) -> Iterator[Finding]:
        for what in ("reads", "writes"):
            yield self.finding(
                f"{policy.address} {what}", on=policy, at=statement.actions[0].span, evidence="s3"
            )


POLICY = """\
resource "aws_iam_role_policy" "%s" {
  role   = "r"
  %s
  policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "s3:*", Resource = "*" }] })
}
"""


def policy(name: str = "p", extra: str = "") -> str:
    return POLICY % (name, extra)


def scanned(text: str, *rules: Rule, **settings: object) -> Report:
    options = ScanOptions(settings=Settings(**settings))  # type: ignore[arg-type]
    return scan_files({"main.tf": text}, Registry(rules), options)


def told(report: Report) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(d.finding.rule, d.outcome.value, d.finding.also) for d in report.findings]


def test_weaker_rule_on_the_same_cause_is_only_mentioned() -> None:
    report = scanned(policy(), Strong(), Weak(), Weakest())
    assert told(report) == [("TEST-001", "shown", ("TEST-002", "TEST-003"))]


def test_milder_finding_does_not_speak_for_a_graver_one() -> None:
    grave = type("Grave", (Weak,), {"severity": Severity.CRITICAL, "__doc__": Weak.__doc__})
    assert told(scanned(policy(), Strong(), grave())) == [
        ("TEST-002", "shown", ()),
        ("TEST-001", "shown", ()),
    ]


@pytest.mark.parametrize(
    ("severity", "count"), [(Severity.MEDIUM, 1), (Severity.HIGH, 2), (Severity.CRITICAL, 2)]
)
def test_potential_finding_is_only_spoken_for_by_a_graver_one(
    severity: Severity, count: int
) -> None:
    less = type("Less", (Potential,), {"severity": severity, "__doc__": _Test.__doc__})
    assert len(told(scanned(policy(), Strong(), less()))) == count


def test_rules_that_yield_to_each_other_do_not_both_vanish() -> None:
    assert len(told(scanned(policy(), Mutual(), Other()))) == 1


def test_ignoring_the_stronger_finding_does_not_bring_the_weaker_up() -> None:
    text = policy(extra="# iam-preflight: ignore[TEST-001] known")
    assert told(scanned(text, Strong(), Weak())) == [("TEST-001", "suppressed", ("TEST-002",))]


def test_ignoring_the_weaker_rule_takes_it_out_of_the_mention() -> None:
    text = policy(extra="# iam-preflight: ignore[TEST-002] known")
    assert told(scanned(text, Strong(), Weak())) == [
        ("TEST-001", "shown", ()),
        ("TEST-002", "suppressed", ()),
    ]


def test_hidden_finding_speaks_for_nobody() -> None:
    hidden = type("Hidden", (Strong,), {"persona": Persona.AUDITOR, "__doc__": Strong.__doc__})
    assert told(scanned(policy(), hidden(), Weak())) == [
        ("TEST-001", "hidden", ()),
        ("TEST-002", "shown", ()),
    ]


def test_instances_of_one_place_are_one_finding() -> None:
    text = policy(extra='for_each = toset(["a", "b"])')
    (decided,) = scanned(text, Strong()).findings
    assert decided.finding.addresses == (
        'aws_iam_role_policy.p["a"]',
        'aws_iam_role_policy.p["b"]',
    )
    assert len(decided.instances) == 2


def test_instances_are_one_finding_whatever_their_messages_call_them() -> None:
    text = policy(extra='for_each = toset(["a", "b", "c"])')
    found = scanned(text, Naming()).findings
    assert [decided.finding.message for decided in found] == [
        'aws_iam_role_policy.p["a"] reads',
        'aws_iam_role_policy.p["a"] writes',
    ]
    assert [len(decided.finding.addresses) for decided in found] == [3, 3]


def test_instances_of_one_address_in_several_roots_are_one_finding() -> None:
    files = {
        "modules/store/main.tf": policy(),
        "a/main.tf": 'module "store" { source = "../modules/store" }',
        "b/main.tf": 'module "store" { source = "../modules/store" }',
    }
    found = scan_files(files, Registry([Naming()])).findings
    assert [len(decided.instances) for decided in found] == [2, 2]


@pytest.mark.parametrize(
    ("persona", "shown"),
    [
        ("regular", ["TEST-001"]),
        ("pedantic", ["TEST-001", "TEST-007"]),
        ("auditor", ["TEST-001", "TEST-006", "TEST-007"]),
    ],
)
def test_persona_decides_what_is_shown(persona: str, shown: list[str]) -> None:
    report = scanned(policy(), Strong(), Unsure(), Hygiene(), persona=persona)
    assert sorted(finding.rule for finding in report.shown) == shown
    hidden = [d for d in report.findings if d.outcome is Outcome.HIDDEN]
    assert len(hidden) == 3 - len(shown)
    assert all("--persona" in d.reason for d in hidden)


def test_severity_of_a_rule_can_be_set() -> None:
    report = scanned(policy(), Strong(), severities={"TEST-001": "info"})
    assert [finding.severity for finding in report.shown] == [Severity.INFO]


ROLE = """\
resource "aws_iam_role" "%s" {
  name               = "%s"
  assume_role_policy = "{}"
}
"""


class OnRole(_Test):
    __doc__ = _Test.__doc__
    id = "TEST-008"
    leads_to = ""

    def check_statement(self, *_: object) -> Iterator[Finding]:
        return iter(())

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        roles = {role.name.text: role for role in graph.roles}
        target = roles.get(self.leads_to)
        steps = () if target is None else (Place(target.resource.header, "then"),)
        role = roles["app-dev"]
        yield self.finding("found", on=role, at=role.resource.header, steps=steps)


class IntoProduction(OnRole):
    __doc__ = _Test.__doc__
    leads_to = "app-prod"


class Sideways(OnRole):
    __doc__ = _Test.__doc__
    leads_to = "other-dev"


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        (OnRole(), Severity.LOW),
        (Sideways(), Severity.LOW),
        (IntoProduction(), Severity.HIGH),
    ],
)
def test_severity_is_lowered_by_environment_but_not_of_a_way_out_of_it(
    rule: Rule, severity: Severity
) -> None:
    names = ("app-dev", "other-dev", "app-prod")
    text = "".join(ROLE % (name.replace("-", "_"), name) for name in names)
    (decided,) = scanned(text, rule, lower_in={"dev": 2}).findings
    assert decided.finding.severity is severity


def test_findings_come_worst_first_then_by_place() -> None:
    report = scanned(policy("b") + policy("a"), Strong(), Weak())
    order = [(d.finding.severity, d.finding.primary.span.start) for d in report.findings]
    assert order == sorted(order, key=lambda one: (-one[0], one[1]))


def test_a_plain_decision_shows() -> None:
    (decided,) = scanned(policy(), Strong()).findings
    assert Decided(decided.finding).is_shown
