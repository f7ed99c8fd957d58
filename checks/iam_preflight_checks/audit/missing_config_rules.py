from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Finding, Framework, Severity
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.graph.config_rules import CONFIG_RULE_TYPES, config_rules
from iam_preflight.knowledge.audit import audit_facts
from iam_preflight.rules import Rule
from iam_preflight.values import arms_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.config_rules import ManagedRule
    from iam_preflight.graph.model import Graph
    from iam_preflight.knowledge.audit import HygieneRule
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions


class MissingConfigRules(Rule):
    """AWS Config rules for IAM are missing, or wait too long.

    ## What it checks
    - A managed rule that is there with a limit that is too long: `ACCESS_KEYS_ROTATED` with a
      `maxAccessKeyAge` above `max_key_age_days` of the settings (90), or
      `IAM_USER_UNUSED_CREDENTIALS_CHECK` with a `maxCredentialUsageAge` above `max_unused_days`
      (30; AWS's default is 90). Single rules, rules of the organization and conformance packs
      are read, with the parameters of a pack.
    - In code that sets up an audit baseline (AUDIT-001 says when) and has Config rules: those
      that find old keys, unused credentials, policies that allow everything, keys of the root
      user, console users without MFA and a weak password policy, as far as they are missing.
      Security Hub's standards of AWS and CIS check the same.

    `external_controls: [config]` says that another repository has the rules. A conformance pack
    whose template is elsewhere makes the confidence low.

    ## Why it matters
    Keys and users outlive those who made them. A rule that looks every day finds them; a person
    who looks once a year does not.

    ## How to fix
    Add the rules with these limits, best as rules of the organization.

    ## Example
    ```hcl
    resource "aws_config_config_rule" "unused" {
      name             = "unused-credentials"
      input_parameters = jsonencode({ maxCredentialUsageAge = "30" })
      source {
        owner             = "AWS"
        source_identifier = "IAM_USER_UNUSED_CREDENTIALS_CHECK"
      }
    }
    ```
    ```yaml
    RotatedKeys:
      Type: AWS::Config::ConfigRule
      Properties:
        InputParameters:
          maxAccessKeyAge: 90
        Source:
          Owner: AWS
          SourceIdentifier: ACCESS_KEYS_ROTATED
    ```
    """

    id = "AUDIT-008"
    name = "missing-config-rules"
    severity = Severity.LOW
    practice = 6
    reads = (*audit_facts().control_types, *CONFIG_RULE_TYPES)
    compliance = {
        Framework.CIS: ("1.12", "1.14", "1.11", "1.13", "2.11", "2.12"),
        Framework.NIST: ("AC-2(3)", "IA-5(1)", "CA-7"),
        Framework.ISO: ("A.5.16", "A.5.18"),
        Framework.FSBP: ("IAM.3", "IAM.8", "IAM.22"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP05", "SEC03-BP04"),
    }
    equivalents = {
        "kics": ("800fa019-49dd-421b-9042-7331fdd83fa2",),
        "prowler": ("iam_rotate_access_key_90_days", "iam_user_accesskey_unused"),
    }
    references = (
        "https://docs.aws.amazon.com/config/latest/developerguide/access-keys-rotated.html",
        "https://docs.aws.amazon.com/config/latest/developerguide/iam-user-unused-credentials-check.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        held = config_rules(graph)
        for wanted in audit_facts().config_rules:
            if not wanted.parameter:
                continue
            limit = int(getattr(graph.settings, wanted.setting))
            for rule in held.with_identifier(wanted.identifier):
                yield from self._too_long(rule, wanted, limit)
        baseline = baseline_of(graph)
        if baseline is None or not held.resources or held.standards or provides(graph, "config"):
            return
        present = {rule.identifier for rule in held.managed}
        missing = [one for one in audit_facts().config_rules if one.identifier not in present]
        if not missing:
            return
        subject = held.resources[0]
        confidence = baseline.absence("config")
        yield self.finding(
            f"no AWS Config rule finds {'; '.join(one.flaw for one in missing)}",
            on=subject,
            at=subject.header,
            confidence=Confidence.LOW if held.unread else confidence,
            hint=f"add {', '.join(one.identifier for one in missing)}",
            evidence=" ".join(one.identifier for one in missing),
        )

    def _too_long(self, rule: ManagedRule, wanted: HygieneRule, limit: int) -> Iterator[Finding]:
        value = rule.parameter(wanted.parameter)
        if value is None:
            if wanted.aws_default > limit:
                yield self._late(rule, wanted, wanted.aws_default, limit, rule.place, ())
            return
        for assumptions, arm in arms_of(value):
            days = number_of(arm)
            if days is not None and days > limit:
                yield self._late(rule, wanted, days, limit, arm.span, assumptions)

    def _late(
        self,
        rule: ManagedRule,
        wanted: HygieneRule,
        days: float,
        limit: int,
        place: Span,
        assumptions: Assumptions,
    ) -> Finding:
        return self.finding(
            f"{wanted.identifier} finds {wanted.flaw} after {days:g} days, not after {limit}",
            on=rule.resource,
            at=place,
            related=((rule.resource.header, "the rule"),),
            hint=f"set {wanted.parameter} to {limit}",
            evidence=wanted.parameter,
            assumptions=assumptions,
        )
