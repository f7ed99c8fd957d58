from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence, Finding, Framework, Persona, Severity
from iam_preflight.graph.federation import web_identities, whoever
from iam_preflight.graph.standing import Standing
from iam_preflight.graph.trust import as_shown, label_of, role_of, standing_behind
from iam_preflight.knowledge.issuers import IssuerKind, Level
from iam_preflight.policy.match import glob_matches
from iam_preflight.rules import Rule
from iam_preflight.values import combine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.federation import WebIdentity
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import Pattern
    from iam_preflight.values import Assumptions

_ELSEWHERE = (IssuerKind.CLUSTER, IssuerKind.POOL)


class WebIdentitySubjectTooBroad(Rule):
    """The subject that a web identity must have is too broad.

    ## What it checks
    What the conditions on claims of the token leave open, judged by the widest of their values
    and by the issuer's own form of the claim:

    - the customer: `*`, `repo:*`, and `repo:my-org*`, which `my-org-evil` fits too. Critical where
      customers share the issuer, high otherwise;
    - the repository: `repo:my-org/*`. High for a role that is or can become an administrator,
      medium for others;
    - the branch or environment: `repo:my-org/my-repo:*` lets in pull requests and every branch,
      `…:pull_request` and `…:ref:refs/heads/*` nearly as much. High for a role that is or can
      become an administrator, medium where it may do something sensitive on everything; a matter
      of hygiene for all others.

    What one condition leaves open another may pin: `repository_id`, `environment`,
    `job_workflow_ref`. That one is about the workflow that is called: where only its version is
    open (`…/deploy.yml@*`), it is whoever calls the workflow that gets in. Subjects that fit
    `oidc_subjects` in the settings are meant to be trusted; roles under `org_wide_roles` are open
    to every repository on purpose.

    ## Why it matters
    Whoever can open a pull request, push a branch, or (in the worst case) has an account at the
    issuer then runs with the role.

    ## How to fix
    Name the repository, and the branch or the protected environment.

    ## Example
    ```hcl
    # bad
    values = ["repo:my-org/*"]
    # good
    values = ["repo:my-org/my-repo:environment:prod"]
    ```
    """

    id = "FED-002"
    name = "web-identity-subject-too-broad"
    severity = Severity.HIGH
    practice = 11
    compliance = {
        Framework.NIST: ("IA-8", "AC-6"),
        Framework.ISO: ("A.5.19", "A.8.5"),
        Framework.WELL_ARCHITECTED: ("SEC02-BP04", "SEC03-BP02"),
    }
    equivalents = {"checkov": ("CKV_AWS_358", "CKV_AWS_393")}
    references = (
        "https://docs.github.com/en/actions/reference/security/oidc#example-subject-claims",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html",
    )

    def check_policy(self, policy: Policy, graph: Graph) -> Iterator[Finding]:
        for openings in _alternatives(list(_openings(policy, graph))):
            worst = max(openings, key=lambda opening: opening.severity)
            identity, value = worst.identity, worst.value
            example = identity.issuer.example
            whom = _whom(identity, worst.level, value)
            yield self.finding(
                f"{whom} may assume {label_of(policy)}: {value} fits them all",
                on=policy,
                principal=role_of(policy),
                at=value.span,
                severity=as_shown(worst.severity, policy),
                confidence=Confidence.HIGH if value.is_known else Confidence.MEDIUM,
                persona=Persona.PEDANTIC if worst.severity is Severity.LOW else None,
                related=(
                    *((one.value.span, one.label) for one in openings if one is not worst),
                    (policy.resource.header, "the role"),
                ),
                hint="name what needs the role" + (f", as in {example}" * bool(example)),
                causes=(identity.statement.span,),
                assumptions=worst.assumptions,
            )


class _Opening(Struct, frozen=True):
    """What one statement of a trust policy leaves open to a web identity."""

    identity: WebIdentity
    level: Level
    value: Pattern
    severity: Severity

    @property
    def assumptions(self) -> Assumptions:
        given = (*self.identity.statement.assumptions, *self.value.assumptions)
        return tuple(dict.fromkeys(given))

    @property
    def label(self) -> str:
        given = " and ".join(str(assumption) for assumption in self.assumptions)
        return f"{self.value} lets in {_whom(self.identity, self.level, self.value)} when {given}"


def _openings(policy: Policy, graph: Graph) -> Iterator[_Opening]:
    role = role_of(policy)
    for identity in web_identities(policy, graph):
        level, value = identity.open_level, identity.widest
        if level is None or value is None or identity.is_closed:
            continue
        if identity.issuer.kind in _ELSEWHERE or _is_approved(identity, graph):
            continue
        org_wide = graph.settings.org_wide_roles
        if level is Level.PROJECT and role is not None and role.is_listed(org_wide):
            continue
        severity = _severity(identity, level, standing_behind(policy, graph))
        yield _Opening(identity, level, value, severity)


def _alternatives(openings: list[_Opening]) -> list[list[_Opening]]:
    """Openings, those together that exclude one another: the arms of one condition."""
    groups: list[list[_Opening]] = []
    for opening in openings:
        for group in groups:
            if all(combine(opening.assumptions, one.assumptions) is None for one in group):
                group.append(opening)
                break
        else:
            groups.append([opening])
    return groups


def _whom(identity: WebIdentity, level: Level, value: Pattern) -> str:
    for context in identity.issuer.untrusted:
        if value.text.endswith(f":{context}"):
            return f"any {context.replace('_', ' ')} of the repository"
    return whoever(identity, level)


def _severity(identity: WebIdentity, level: Level, standing: Standing) -> Severity:
    if level is Level.TENANT:
        return Severity.CRITICAL if identity.issuer.is_shared else Severity.HIGH
    if standing.is_administrative:
        return Severity.HIGH
    is_medium = level is Level.PROJECT or standing is Standing.SENSITIVE
    return Severity.MEDIUM if is_medium else Severity.LOW


def _is_approved(identity: WebIdentity, graph: Graph) -> bool:
    """Whether the settings say of every subject that it may assume roles."""
    subjects = graph.settings.oidc_subjects
    return bool(subjects) and any(
        all(
            any(glob_matches(subject, value.text) for subject in subjects)
            for value in test.condition.values
        )
        for test in identity.tests_of("sub")
    )
