from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.findings import Confidence, Edit, Finding, Fix, Framework, Severity
from iam_preflight.graph.baseline import baseline_of, provides
from iam_preflight.graph.credentials import CredentialKind
from iam_preflight.graph.model import PrincipalKind
from iam_preflight.graph.passwords import POLICY, shortfalls
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph
    from iam_preflight.graph.passwords import Shortfall
    from iam_preflight.resources import Resource

CONTROL = "password-policy"


class WeakPasswordPolicy(Rule):
    """The account's password policy is weak or missing.

    ## What it checks
    That passwords have at least 14 characters with upper and lower case letters, numbers and
    symbols, that the last 24 cannot be used again, that they end after 90 days, and that users
    may change their own. What is not written is AWS's default. One finding names everything
    that falls short; it is low where that is the age alone, because NIST no longer asks for
    passwords to be changed by the calendar.

    Where the code sets up an account's audit services and gives users passwords, it also
    checks that there is a password policy at all. Another repository that has it is declared
    with `external_controls: [password-policy]`. CloudFormation has no resource for the
    password policy.

    ## Why it matters
    A console password can be tried from everywhere. Without a policy AWS is content with eight
    characters, forever.

    ## How to fix
    Set the values below, or better: let people sign in through IAM Identity Center and leave no
    passwords to guess.

    ## Example
    ```hcl
    resource "aws_iam_account_password_policy" "this" {
      minimum_password_length        = 14
      require_uppercase_characters   = true
      require_lowercase_characters   = true
      require_numbers                = true
      require_symbols                = true
      password_reuse_prevention      = 24
      max_password_age               = 90
      allow_users_to_change_password = true
    }
    ```
    """

    id = "CRED-003"
    name = "weak-password-policy"
    severity = Severity.MEDIUM
    practice = 10
    reads = (POLICY,)
    compliance = {
        Framework.CIS: ("1.8", "1.9", "1.7", "2.8", "2.9"),
        Framework.NIST: ("IA-5(1)",),
        Framework.ISO: ("A.5.17",),
        Framework.FSBP: ("IAM.7", "IAM.10"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP01",),
    }
    equivalents = {
        "checkov": (
            "CKV_AWS_9",
            "CKV_AWS_10",
            "CKV_AWS_11",
            "CKV_AWS_12",
            "CKV_AWS_13",
            "CKV_AWS_14",
            "CKV_AWS_15",
        ),
        "trivy": (
            "AWS-0056",
            "AWS-0058",
            "AWS-0059",
            "AWS-0060",
            "AWS-0061",
            "AWS-0062",
            "AWS-0063",
        ),
        "kics": ("1bc1c685", "89806cdc", "ce60d060", "9ef7d25d", "b592ffd4"),
        "terrascan": ("AC_AWS_0134", "AC_AWS_0142", "AC_AWS_0472"),
        "aws-config": ("IAM_PASSWORD_POLICY",),
    }
    references = (
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        policies = graph.of_type(POLICY)
        for policy in policies:
            yield from self._of_policy(policy)
        if not policies:
            yield from self._missing(graph)

    def _of_policy(self, policy: Resource) -> Iterator[Finding]:
        found = list(shortfalls(policy))
        if not found:
            return
        only_age = all(one.is_about_age for one in found)
        listed = ", ".join(one.flaw for one in found)
        yield self.finding(
            f"passwords {listed}",
            on=policy,
            at=found[0].place if len(found) == 1 else policy.header,
            severity=Severity.LOW if only_age else Severity.MEDIUM,
            related=[(one.place, one.flaw) for one in found if one.is_written],
            hint=", ".join(f"set {one.attribute} = {one.wanted}" for one in found),
            evidence=" ".join(one.attribute for one in found),
            assumptions=tuple(given for one in found for given in one.assumptions),
            fix=_fix(policy, found),
        )

    def _missing(self, graph: Graph) -> Iterator[Finding]:
        baseline = baseline_of(graph)
        passwords = graph.credentials.of_kind(CredentialKind.PASSWORD)
        if baseline is None or not passwords or provides(graph, CONTROL):
            return
        if all(one.resource.native_type.startswith("AWS::") for one in passwords):
            return
        signs_in_elsewhere = any(True for _ in graph.of_kind(PrincipalKind.PERMISSION_SET))
        yield self.finding(
            "users have console passwords and the account has no password policy",
            on=baseline.anchor,
            at=baseline.place,
            severity=Severity.LOW if signs_in_elsewhere else None,
            confidence=min(baseline.absence(CONTROL), Confidence.MEDIUM),
            related=((passwords[0].resource.header, "a password"),),
            hint="add an aws_iam_account_password_policy",
            evidence="no password policy",
        )


def _fix(policy: Resource, found: list[Shortfall]) -> Fix | None:
    """The written values, set right; a policy that lacks some is for its author to complete."""
    edits = [
        Edit(one.place, one.wanted)
        for one in found
        if one.is_written and policy.span.contains(one.place)
    ]
    if len(edits) != len(found):
        return None
    return Fix("set the values that are asked for", tuple(edits))
