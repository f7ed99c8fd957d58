from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.exposure import confidence_in_effect
from iam_preflight.graph.key_policies import (
    KeyHolder,
    is_administrator,
    is_key_policy,
    is_on_behalf,
    key_holders,
)
from iam_preflight.graph.trust import is_whole_account
from iam_preflight.policy.scope import Strength
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import PrincipalPattern
    from iam_preflight.policy.openness import Opening

MANAGE = "kms:PutKeyPolicy"
USE = "kms:Decrypt"
GRANT = "kms:CreateGrant"
DIRECT = (KeyHolder.WORKLOAD, KeyHolder.NAMED, KeyHolder.OTHER_ACCOUNT)

NAME_THE_USE = "leave administration to the account's root and name the actions that are used"
FOR_SERVICES = "add the condition Bool kms:GrantIsForAWSResource = true"


class Verdict(NamedTuple):
    """What is wrong with a principal of a statement."""

    severity: Severity
    what: str
    hint: str
    persona: Persona = Persona.REGULAR


class WideKeyPolicy(Rule):
    """A key policy gives the key away.

    ## What it checks
    The policy of a KMS key. High: everyone, or everyone in the account without asking IAM, another
    account, or the role of a workload may administer the key (`kms:*`, `kms:PutKeyPolicy`).
    Medium: a service or a named principal that is no administrator has `kms:*`; everyone in the
    account may decrypt whatever IAM says (`"Principal": "*"` with `kms:CallerAccount` alone); a
    principal may create grants for anybody, without `kms:GrantIsForAWSResource`; nobody may change
    the policy any more. An account that nobody knows before deploy is another one where the policy
    gives it less than the whole key, and the whole key to a different account's root.

    With the persona *pedantic*: one principal both administers the key and decrypts with it.

    Not meant: `"Resource": "*"`, which is the key itself; `kms:*` for the root of the own account,
    which leaves the decision to IAM policies and is AWS's default; named administrators that
    cannot decrypt; `"Principal": "*"` that only a service can use on behalf of the account
    (`kms:CallerAccount` with `kms:ViaService`), as in the policies of AWS's own keys. Roles under
    `admin_roles`, `break_glass_roles` and `security_admins` in the settings are left alone, and so
    is whoever has *admin* in its name.

    ## Why it matters
    A key policy stands above IAM: whoever it names holds the key whatever their other policies
    say. Whoever may change it can read all that the key protects, or destroy it.

    ## How to fix
    Allow `kms:*` to the account's root alone, list for each principal the actions that it uses,
    and limit `kms:CreateGrant` with `kms:GrantIsForAWSResource`.

    ## Example
    ```yaml
    - Effect: Allow
      Principal: { AWS: !GetAtt Worker.Arn }
      Action: [kms:Decrypt, kms:GenerateDataKey]
      Resource: "*"
    ```
    """

    id = "WILD-004"
    name = "wide-key-policy"
    severity = Severity.HIGH
    practice = 8
    yields_to = ("EXT-006", "EXT-007")
    compliance = {
        Framework.NIST: ("SC-12", "AC-5", "AC-6"),
        Framework.ISO: ("A.8.24", "A.5.3"),
        Framework.FSBP: ("KMS.5",),
        Framework.WELL_ARCHITECTED: ("SEC08-BP01",),
    }
    equivalents = {
        "checkov": ("CKV_AWS_33",),
        "kics": ("7ebc9038", "da905474", "f6049677-ec4a-43af-8779-5190b6d03cba"),
        "cfn_nag": ("F76",),
        "regula": ("FG_R00252",),
        "terrascan": ("AC_AWS_0162", "AC_AWS_0481", "AC_AWS_0482"),
        "semgrep": ("aws-kms-key-wildcard-principal",),
        "cfripper": ("KMSKeyWildcardPrincipalRule",),
    }
    references = (
        "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html",
        "https://docs.aws.amazon.com/kms/latest/developerguide/grant-authorization.html",
        "https://docs.aws.amazon.com/kms/latest/developerguide/least-privilege.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        if not is_key_policy(policy):
            return
        is_managed = bool(policy.document.lost)
        for opening in graph.exposures.openings.of(policy.document):
            worst: tuple[Verdict, PrincipalPattern | None] | None = None
            for principal, holder in key_holders(opening, policy, graph):
                is_managed |= MANAGE in opening.about and holder is not KeyHolder.SERVICE
                found = self._verdict(principal, holder, opening, policy, graph)
                if found is not None and (worst is None or found.severity > worst[0].severity):
                    worst = found, principal
            if worst is not None:
                yield self._wide(*worst, opening, policy)
        if not is_managed and policy.document.statements:
            yield self.finding(
                f"nobody may change the policy of {policy.address} any more",
                on=policy,
                at=policy.document.span,
                severity=Severity.MEDIUM,
                hint="allow kms:* to the root of the account",
            )

    def _verdict(
        self,
        principal: PrincipalPattern | None,
        holder: KeyHolder,
        opening: Opening,
        policy: Policy,
        graph: Graph,
    ) -> Verdict | None:
        manages = MANAGE in opening.about and not is_on_behalf(opening, MANAGE)
        is_grave = manages and opening.strength(MANAGE) is not Strength.NEVER
        match holder:
            case KeyHolder.ROOT | KeyHolder.UNKNOWN:
                return None
            case (
                KeyHolder.EVERYONE
                | KeyHolder.ACCOUNT
                | KeyHolder.OTHER_ACCOUNT
                | KeyHolder.WORKLOAD
            ) if is_grave:
                return Verdict(Severity.HIGH, "may administer the key", NAME_THE_USE)
            case KeyHolder.EVERYONE:
                hint = "name who may, or let the account's root decide"
                return Verdict(Severity.HIGH, "may use the key", hint)
            case KeyHolder.ACCOUNT:
                return _of_account(opening)
            case KeyHolder.SERVICE if is_grave:
                return Verdict(Severity.MEDIUM, "may administer the key", NAME_THE_USE)
        if principal is None or is_administrator(principal.pattern, policy, graph):
            return None
        if is_grave and opening.about & opening.catalog.expand(USE):
            if opening.about.has_all_of("kms"):
                return Verdict(Severity.MEDIUM, "may do everything with the key", NAME_THE_USE)
            what = "may both administer the key and decrypt with it"
            return Verdict(Severity.LOW, what, "let others administer it", Persona.PEDANTIC)
        is_granting = holder in DIRECT and GRANT in opening.about and not is_grave
        if is_granting and opening.strength(GRANT) <= Strength.CONTEXT:
            what = "may create grants on the key for anybody"
            return Verdict(Severity.MEDIUM, what, FOR_SERVICES)
        return None

    def _wide(
        self,
        verdict: Verdict,
        principal: PrincipalPattern | None,
        opening: Opening,
        policy: Policy,
    ) -> Finding:
        statement = opening.statement
        action = opening.action_pattern(MANAGE if "administer" in verdict.what else GRANT)
        given = principal.pattern.assumptions if principal is not None else ()
        confidence = confidence_in_effect(statement)
        if principal is not None and is_whole_account(principal) and principal.pattern.holes:
            confidence = min(confidence, Confidence.MEDIUM)
        place = principal.span if principal is not None else statement.span_of("NotPrincipal")
        return self.finding(
            f"{_who(principal, statement.has_principal)} {verdict.what}",
            on=policy,
            at=place,
            severity=verdict.severity.lowered() if policy.is_source_only else verdict.severity,
            confidence=confidence,
            persona=verdict.persona,
            related=[(action.span, "may do this")] if action is not None else [],
            hint=verdict.hint,
            causes=(statement.span, place),
            assumptions=(*opening.assumptions(action), *given),
        )


def _of_account(opening: Opening) -> Verdict | None:
    """Everyone in an account or organization: fine where a service stands between."""
    keys = {condition.key_name for condition in opening.statement.conditions}
    is_own = bool(keys & {"kms:calleraccount", "aws:principalaccount"})
    if USE not in opening.about or not is_own or is_on_behalf(opening, USE):
        return None
    what = "in the account may decrypt with the key, whatever IAM says"
    hint = "add the condition kms:ViaService, or allow the account's root instead"
    return Verdict(Severity.MEDIUM, what, hint)


def _who(principal: PrincipalPattern | None, has_principal: bool) -> str:
    if principal is None:
        return "everyone but those it names" if has_principal else "everyone"
    text = principal.pattern.text
    return "everyone" if text == "*" else text
