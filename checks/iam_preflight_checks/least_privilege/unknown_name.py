from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.name_faults import name_faults
from iam_preflight.knowledge.age import age_problem
from iam_preflight.policy.document import DocumentUse
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.graph.name_faults import NameFault

GUARDS = frozenset({DocumentUse.SCP, DocumentUse.RCP, DocumentUse.BOUNDARY})


class UnknownName(Rule):
    """A policy names what AWS does not have, or joins what does not go together.

    ## What it checks
    Policies of every kind for actions, service prefixes, action patterns and condition keys that
    are not in AWS's service reference, with the nearest name that is. Low in an Allow, where
    something will not work. Medium in a Deny, a permissions boundary or a control policy, where
    something is not guarded.

    Also what AWS refuses when it is deployed: misspelt elements, actions without a service,
    resources that are no ARN, unknown operators, lists in lists, `Principal` where it has no
    place, lacks or names nobody, principals that cannot be one (a group, the name of a role),
    services whose name cannot be one (`codebuild.amazon.com`, `ec2.amazonaws`).

    And what AWS takes, but never matches:

    - an action on resources of which it takes none: `s3:ListBucket` on `arn:aws:s3:::orders/*`,
      `s3:GetObject` on `arn:aws:s3:::orders`, `kms:Decrypt` on an alias, a queue in no account;
    - an ARN that lacks fields, or has a number of 11 digits where an account belongs, in a
      condition too; a user or role as `aws:SourceArn`, which names what a service acts for;
    - `${…}` that is no policy variable (in CloudFormation, `Fn::Sub` is missing), stands under an
      operator that reads none, or in a document without `"Version": "2012-10-17"`;
    - a condition whose operator or values do not fit its key: `Bool` on `aws:SourceArn`, a network
      under `StringEquals` on `aws:SourceIp`, a private network on it, a `*` under `StringEquals` on
      a key of AWS's own, `aws:TagKeys` without `ForAnyValue` or `ForAllValues`, a tag that no
      request for the actions carries, `aws:RequestedRegion` of `eu-west-1` for IAM, whose requests
      go to `us-east-1`. Medium where everything passes an Allow: where the operator
      is negated, `Bool` takes true and false, or `ForAllValues` asks a key of one value, without
      which requests pass.

    With the persona *pedantic*: wildcards in an Allow that cover nothing (`eks:Get*`), and actions
    that AWS only grants on `*`, allowed on something else.

    Names with parts that are not known before deploy are left alone, and so are those that match
    `extra_actions` in the settings, for previews and services of your own.

    ## Why it matters
    AWS takes unknown action names, and what can never match, without a word. A guardrail with a
    typing error looks like one and stops nothing.

    ## How to fix
    Correct the name. If AWS renamed the action, name the new one. Give the action the kind of
    resource that it takes, and the key an operator of its type.

    ## Example
    ```json
    {"Effect": "Deny", "Action": "cloudtrail:StopLoging", "Resource": "*"}
    ```
    Instead:
    ```json
    {"Effect": "Deny", "Action": "cloudtrail:StopLogging", "Resource": "*"}
    ```
    """

    id = "LEAST-014"
    name = "unknown-name"
    severity = Severity.LOW
    practice = 2
    yields_to = ("FED-004", "MFA-002", "SEG-010")
    compliance = {
        Framework.NIST: ("CM-6",),
        Framework.ISO: ("A.8.9",),
        Framework.WELL_ARCHITECTED: ("SEC03-BP02",),
    }
    equivalents = {
        "parliament": (
            "UNKNOWN_ACTION",
            "UNKNOWN_PREFIX",
            "UNKNOWN_CONDITION_FOR_ACTION",
            "MISMATCHED_TYPE",
            "RESOURCE_MISMATCH",
        ),
        "access-analyzer": (
            "INVALID_ACTION",
            "EMPTY_OBJECT_PRINCIPAL",
            "INVALID_SERVICE_IN_ACTION",
            "PRIVATE_IP_ADDRESS",
            "TYPE_MISMATCH_IP_RANGE",
            "FORALLVALUES_WITH_SINGLE_VALUED_KEY",
            "INVALID_ARN_ACCOUNT",
            "MISSING_ARN_FIELD",
            "VARIABLE_UNSUPPORTED_IN_VERSION",
        ),
        "cfn-lint": ("E3510", "E3512"),
    }
    references = (
        "https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        is_old = age_problem(graph.today) is not None
        seen: set[tuple[tuple[str, int, int], str]] = set()
        for policy in graph.policies:
            if policy.is_composed or policy.use is DocumentUse.UNATTACHED:
                continue
            for fault in name_faults(policy, graph):
                key = (fault.place.sort_key(), "" if fault.is_one_a_place else fault.message)
                if key not in seen:
                    seen.add(key)
                    yield self._found(fault, policy, is_old=is_old)

    def _found(self, fault: NameFault, policy: Policy, *, is_old: bool) -> Finding:
        statement = fault.statement
        severity = fault.severity or self.severity
        is_guard = statement is not None and (not statement.is_allow or policy.use in GUARDS)
        if is_guard and fault.severity is None:
            severity = Severity.MEDIUM
        if is_old and statement is not None:
            severity = Severity.INFO
        return self.finding(
            fault.message,
            on=policy,
            at=fault.place,
            severity=severity,
            persona=Persona.PEDANTIC if fault.is_idle and severity is Severity.LOW else None,
            related=fault.related,
            hint=fault.hint,
            causes=(fault.place, *([statement.span] if statement is not None else [])),
            assumptions=statement.assumptions if statement is not None else (),
        )
