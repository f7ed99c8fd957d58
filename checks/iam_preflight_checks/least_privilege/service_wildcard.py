from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.exposure import confidence_in_effect, listed
from iam_preflight.graph.wildcards import on_everything, on_something, unscoped, whole_services
from iam_preflight.knowledge.worth import Worth, gravest, telling
from iam_preflight.policy.effective import admin_probes
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.exposure import Exposure
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Pattern


class ServiceWildcard(Rule):
    """Every action of a service is allowed.

    ## What it checks
    An identity policy that allows all that changes anything in a service: `s3:*`, or several
    wildcards that come to the same (`sqs:*Queue*`, `sqs:*Message*` …), without a condition that
    limits what it is about. One finding for each statement, which names the services.

    On every resource it is high for services that hold identities, keys, secrets, data or code,
    and medium for the others that have sensitive actions. On named resources, such as `s3:*` on
    one bucket, it is low: their owner may need much, but hardly to delete them or to open them to
    others. `"*"` on named resources is medium: nobody means every service.

    With the persona *pedantic*: services without sensitive actions, and named resources of the
    others. `NotAction` is the business of LEAST-005, `"*"` on `"*"` that of LEAST-001. A Deny of
    some of the actions does not make the wildcard good; a Deny of all the sensitive ones does.

    ## Why it matters
    `svc:*` holds what nobody thought of: deleting, opening to other accounts, changing the key,
    and whatever AWS adds to the service next year.

    ## How to fix
    List the actions that are called. Access levels help: reading is `Get*`, `List*` and
    `Describe*`; the changes should be written out.

    ## Example
    ```yaml
    - Effect: Allow
      Action: [sqs:SendMessage, sqs:GetQueueUrl]
      Resource: !GetAtt Orders.Arn
    ```
    """

    id = "LEAST-003"
    name = "service-wildcard"
    severity = Severity.MEDIUM
    practice = 2
    yields_to = ("LEAST-001", "LEAST-006", "LEAST-007", "ESC-001")
    compliance = {
        Framework.NIST: ("AC-6", "AC-6(1)"),
        Framework.ISO: ("A.5.18", "A.8.2"),
        Framework.FSBP: ("IAM.21",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_49", "CKV_AWS_63", "CKV2_AWS_40"),
        "cfn-guard": (
            "IAM_POLICY_NO_STATEMENTS_WITH_FULL_ACCESS",
            "IAM_MANAGEDPOLICY_NO_STATEMENTS_WITH_FULL_ACCESS",
        ),
        "trivy": ("AWS-0345",),
        "semgrep": ("no-iam-star-actions",),
        "cloudsplaining": ("ServiceWildcard",),
        "prowler": (
            "iam_inline_policy_no_full_access_to_cloudtrail",
            "iam_inline_policy_no_full_access_to_kms",
            "iam_policy_no_full_access_to_cloudtrail",
            "iam_policy_no_full_access_to_kms",
        ),
    }
    references = (
        "https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-21",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_understand-policy-summary-access-level-summaries.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        # a block that is repeated for each of a list is one place to edit
        wholes: dict[tuple[str, int, int], tuple[Exposure, list[_Whole]]] = {}
        for exposure in graph.exposures.of(policy):
            if exposure.opening.is_everything:
                yield from self._everything(exposure)
                continue
            found = list(_services(exposure))
            if found:
                place = exposure.statement.span.sort_key()
                wholes.setdefault(place, (exposure, []))[1].extend(found)
        for exposure, found in wholes.values():
            yield self._whole(exposure, found)

    def _whole(self, exposure: Exposure, found: list[_Whole]) -> Finding:
        persona = min(each.persona for each in found)
        found = [each for each in found if each.persona is persona]
        found.sort(key=lambda each: -each.severity)
        worst = found[0]
        patterns = list({p.span: p for each in found for p in each.patterns}.values())
        named = "" if worst.is_broad else ", on named resources"
        services = listed(each.service for each in found)
        written = listed(p.text for each in found for p in each.patterns)
        resource = exposure.opening.resource_pattern()
        return self.finding(
            f"{exposure.who} may use every action of {services}{named}",
            on=exposure.policy,
            at=patterns[0].span,
            label="every action of the service",
            severity=worst.severity,
            confidence=confidence_in_effect(exposure.statement),
            persona=persona,
            related=[
                *((pattern.span, "and of this") for pattern in patterns[1:4]),
                (exposure.resource_place(resource), "on these resources"),
                *exposure.related(),
            ],
            hint=f"list the actions that are called instead of {written}",
            causes=(exposure.statement.span, *(pattern.span for pattern in patterns)),
            assumptions=exposure.assumptions(patterns[0]),
            principal=exposure.holder,
        )

    def _everything(self, exposure: Exposure) -> Iterator[Finding]:
        """`"*"` on resources that are not, or may not be, everything."""
        opening = exposure.opening
        probes = exposure.catalog.expand_all(admin_probes())
        if opening.covers_every_resource() or not unscoped(exposure, probes):
            return
        star = next(p for p in exposure.statement.actions if p.text in ("*", "*:*"))
        yield self.finding(
            f"{exposure.who} may use every action of every service, on named resources",
            on=exposure.policy,
            at=star.span,
            label="every action",
            severity=exposure.severity_as_written(Severity.MEDIUM, probes),
            confidence=confidence_in_effect(exposure.statement),
            related=[
                (exposure.resource_place(opening.resource_pattern()), "on these resources"),
                *exposure.related(),
            ],
            hint=f"list the actions that are called instead of {star.text}",
            causes=(exposure.statement.span, star.span),
            assumptions=exposure.assumptions(star),
            principal=exposure.holder,
        )


class _Whole(Struct, frozen=True):
    """A service that a statement gives as a whole, and how bad that is."""

    service: str
    patterns: tuple[Pattern, ...]
    is_broad: bool
    severity: Severity
    persona: Persona


def _services(exposure: Exposure) -> Iterator[_Whole]:
    catalog = exposure.catalog
    for service, patterns in whole_services(exposure.statement, catalog):
        rest = exposure.opening.about.of_service(service) & telling(catalog)
        broad = on_everything(exposure, rest)
        reached = broad or on_something(exposure, rest)
        if not reached:
            continue
        worth, worst = gravest(reached & catalog.sensitive, catalog)
        persona = Persona.REGULAR
        if not worst:
            severity, persona = Severity.LOW, Persona.PEDANTIC
        elif broad:
            base = Severity.HIGH if worth is Worth.MOST else Severity.MEDIUM
            severity = exposure.severity(base, worst)
        else:
            severity = exposure.severity_as_written(Severity.LOW, worst)
            if worth is not Worth.MOST:
                persona = Persona.PEDANTIC
        yield _Whole(service, patterns, bool(broad), severity, persona)
