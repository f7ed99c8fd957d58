"""Services that policies let in whoever they act for: confused deputies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Severity
from iam_preflight.graph.trust import is_positive
from iam_preflight.knowledge.attribute_grants import attribute_grants
from iam_preflight.knowledge.deputies import (
    deputy_level,
    sends_source,
    sends_source_to_roles,
)
from iam_preflight.knowledge.policy_services import service_of_type
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.match import as_glob
from iam_preflight.policy.outsiders import Need
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.findings import Confidence
    from iam_preflight.graph.admission import Admission
    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.policy.document import PrincipalPattern, Statement
    from iam_preflight.source import Span
    from iam_preflight.values import Assumptions

MAX_SAMPLES = 64
"""So many actions of a statement are looked at one by one."""


class Deputy(Struct, frozen=True):
    """That a statement lets services in that act for anybody."""

    admission: Admission
    services: tuple[PrincipalPattern, ...]
    severity: Severity
    is_known: bool
    """Whether a service of them is known to say for whom it acts, and no condition may ask it."""

    @property
    def statement(self) -> Statement:
        return self.admission.statement

    @property
    def is_trust(self) -> bool:
        return self.admission.policy.use is DocumentUse.TRUST

    @property
    def is_of_key(self) -> bool:
        return service_of_type(self.admission.policy.resource.type) == "kms" or all(
            pattern.text.lower().startswith("kms:") for pattern in self.statement.actions
        )

    @property
    def who(self) -> str:
        names = [service.pattern.text for service in self.services]
        return " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} others"

    @property
    def what(self) -> str:
        return self.admission.what

    @property
    def place(self) -> Span:
        return self.services[0].span

    @property
    def confidence(self) -> Confidence:
        return self.admission.confidence

    @property
    def assumptions(self) -> Assumptions:
        return self.admission.assumptions


def deputies(policy: Policy, graph: Graph) -> Iterator[Deputy]:
    """The services that a resource or trust policy lets in for anybody, by statement."""
    if policy.use not in (DocumentUse.RESOURCE, DocumentUse.TRUST) or _takes_no_condition(policy):
        return
    used = service_of_type(policy.resource.type)
    for statement in policy.document.statements:
        if not statement.is_allow or statement.is_not_principal or _names_account(statement):
            continue
        found = [
            (principal, admission)
            for principal in statement.principals
            if _is_deputy(principal, policy, used)
            and (admission := graph.admissions.service(policy, statement, principal)) is not None
            and admission.entry.need is Need.NOTHING
        ]
        if not found:
            continue
        services = tuple(principal for principal, _ in found)
        is_known = policy.use is DocumentUse.TRUST or any(
            sends_source(service.pattern.text, used) for service in services
        )
        severity = _severity(policy, statement, graph)
        is_sure = found[0][1].entry.certainty is Truth.YES
        yield Deputy(found[0][1], services, severity, is_known and is_sure)


def _names_account(statement: Statement) -> bool:
    """Whether the source's ARN must have a fixed account where ARNs have it.

    `StringLike` would let the account stand in a later part too, which few names allow.
    """
    for condition in statement.conditions:
        if condition.key_name == "aws:sourcearn" and is_positive(condition):
            fields = [as_glob(value, "x").split(":") for value in condition.values]
            if fields and all(len(f) > 5 and f[4] and not {"*", "?"} & {*f[4]} for f in fields):
                return True
    return False


def _takes_no_condition(policy: Policy) -> bool:
    """Whether access is granted by attributes of which none is a condition."""
    shapes = attribute_grants().get(policy.resource.type, ())
    return policy.is_composed and not any(shape.conditions for shape in shapes)


def _is_deputy(principal: PrincipalPattern, policy: Policy, used: str) -> bool:
    """Whether a principal is a service that could say for whom it acts."""
    pattern = principal.pattern
    if principal.kind != "Service" or not pattern.is_known or "*" in pattern.text:
        return False
    if policy.use is DocumentUse.TRUST:
        return sends_source_to_roles(pattern.text)
    return sends_source(pattern.text, used) is not False


def _severity(policy: Policy, statement: Statement, graph: Graph) -> Severity:
    """What is known of the worst of the actions."""
    if policy.use is DocumentUse.TRUST:
        return Severity.LOW
    if _has_account_in_path(statement):
        return Severity.INFO
    worst = Severity.INFO
    for action in itertools.islice(graph.admissions.actions_of(policy, statement), MAX_SAMPLES):
        worst = max(worst, Severity[deputy_level(action).upper()])
    return worst.lowered() if policy.is_source_only else worst


def _has_account_in_path(statement: Statement) -> bool:
    """Whether it is only about logs of named accounts: a stranger's go to another path.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html
    """
    paths = [pattern.text.partition("AWSLogs/")[2] for pattern in statement.resources]
    return bool(paths) and all(path and path[0] not in "*?" for path in paths)
