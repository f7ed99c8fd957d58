"""Control policies that keep nobody from anything, and why.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Confidence, Persona, Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.graph.guardrails import POLICY_TYPES, Guardrails
from iam_preflight.graph.refusals import refusals
from iam_preflight.policy.document import DocumentUse, Resolution
from iam_preflight.policy.effective import statement_actions
from iam_preflight.policy.globs import Wildcards, is_anything, tokenize
from iam_preflight.policy.grammar import size_limits, size_of
from iam_preflight.policy.scope import Strength, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.document import Condition, Pattern, Statement
    from iam_preflight.source import Span

MAX_TRIED = 40
"""So many actions of a denial are put before its conditions."""

_OF_AWS = ("aws-reserved/", "aws-service-role/")
"""Paths under which only AWS makes roles."""

NAMES = {DocumentUse.SCP: "service control policy", DocumentUse.RCP: "resource control policy"}


class Idleness(Struct, frozen=True):
    """Why a control policy, or one of its statements, has no effect."""

    message: str
    place: Span
    hint: str
    confidence: Confidence = Confidence.HIGH
    severity: Severity = Severity.HIGH
    persona: Persona = Persona.REGULAR
    statement: Statement | None = None


def idle_controls(graph: Graph) -> Iterator[tuple[Policy, Idleness]]:
    """Every control policy that has no effect, the policy as a whole before its statements."""
    guardrails = Guardrails(graph)
    yield from _switched_off(guardrails)
    for policy in guardrails.policies:
        whole = next(_whole(policy, guardrails), None)
        if whole is not None:
            yield policy, whole
            continue
        for statement in policy.document.statements:
            found = list(_out_of_reach(statement, policy, graph))
            found = found or list(_of_statement(statement, graph))
            for idleness in found or _through_new_roles(statement, policy, guardrails):
                yield policy, idleness


def _whole(policy: Policy, guardrails: Guardrails) -> Iterator[Idleness]:
    document, name = policy.document, NAMES[policy.use]
    for problem in refusals(policy):
        yield Idleness(
            f"AWS refuses this {name}: {problem.message}",
            problem.span,
            "correct it, or deploying fails",
        )
    limit = size_limits()["scp" if policy.use is DocumentUse.SCP else "rcp"].characters
    size = size_of(document)
    if size > limit:
        yield Idleness(
            f"AWS refuses this {name}: it has {size} characters, {limit} are allowed",
            policy.resource.span_of(policy.attribute),
            "split it, or write its actions with wildcards",
        )
    yield from _unbound(policy, guardrails)
    if _allows_all(policy) and not _stands_beside_denials(policy, guardrails):
        yield Idleness(
            f"{name} {policy.name} allows everything and denies nothing",
            document.statements[0].span,
            "deny what no account should do, or remove it: FullAWSAccess is attached anyway",
            severity=Severity.MEDIUM,
        )


def _switched_off(guardrails: Guardrails) -> Iterator[tuple[Policy, Idleness]]:
    """Types of policy that there are some of, and that the organization has not switched on."""
    organization = guardrails.management
    for use, wanted in POLICY_TYPES.items():
        policies = [policy for policy in guardrails.policies if policy.use is use]
        if policies and organization is not None and guardrails.is_enabled(use) is False:
            many = f" and {len(policies) - 1} more" if len(policies) > 1 else ""
            verb = "have" if many else "has"
            yield (
                policies[0],
                Idleness(
                    f"{NAMES[use]} {policies[0].name}{many} {verb} no effect: "
                    f"the organization has not switched {wanted} on",
                    organization.span_of("enabled_policy_types"),
                    f'add "{wanted}" to enabled_policy_types',
                ),
            )


def _unbound(policy: Policy, guardrails: Guardrails) -> Iterator[Idleness]:
    """Attached to nothing, or only to what it does not bind."""
    name = NAMES[policy.use]
    targets = guardrails.targets_of(policy)
    header = policy.resource.header
    if not targets:
        is_unsure = guardrails.may_come_from_modules() or policy.resource.deployment.is_library
        if guardrails.is_attached_out_of_sight(policy):
            is_unsure = True
        yield Idleness(
            f"{name} {policy.name} is attached to nothing",
            header,
            "attach it to the root, a unit or an account",
            Confidence.LOW if is_unsure else Confidence.MEDIUM,
        )
    elif all(guardrails.is_management_account(target) for target in targets):
        yield Idleness(
            f"{name} {policy.name} is attached to the management account only, "
            "which no control policy binds",
            header,
            "attach it to the root, or to the units of the member accounts",
        )


def _allows_all(policy: Policy) -> bool:
    """Whether it allows everything, and has no statement that is not known or denies."""
    document = policy.document
    if document.resolution is Resolution.NONE or document.lost:
        return False
    return all(s.is_allow for s in document.statements) and any(
        not s.conditions
        and not s.is_not_action
        and any(p.text in ("*", "*:*") for p in s.actions)
        and any(p.text == "*" for p in s.resources)
        for s in document.statements
    )


def _stands_beside_denials(policy: Policy, guardrails: Guardrails) -> bool:
    """Whether it only replaces FullAWSAccess, which another policy takes something from."""
    return any(
        not statement.is_allow
        for target in guardrails.targets_of(policy)
        for other, _ in target.policies
        for statement in other.document.statements
    )


def _of_statement(statement: Statement, graph: Graph) -> Iterator[Idleness]:
    if statement.is_allow or not statement.is_effect_known:
        return
    catalog = graph.permissions.evaluator.catalog
    unknown = _unknown_actions(statement, graph)
    if unknown:
        yield Idleness(
            f"this denial stops nothing: AWS has no {unknown}",
            statement.actions[0].span,
            "correct the names",
            statement=statement,
        )
        return
    never = _never(statement, catalog)
    if never is not None:
        yield Idleness(
            f"this denial stops nothing: {never[1]}",
            never[0].span,
            "use a condition key that these actions have",
            statement=statement,
        )
        return
    for condition in statement.conditions:
        if (whom := _exempts_everybody(condition)) is not None:
            yield Idleness(
                f"this denial stops nobody: it leaves out {whom}",
                condition.span,
                "leave out the few roles that need it, by their full names",
                statement=statement,
            )


def _out_of_reach(statement: Statement, policy: Policy, graph: Graph) -> Iterator[Idleness]:
    """Denials of a resource control policy for services that such policies do not reach.

    https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
    """
    is_judged = not statement.is_allow and not statement.is_not_action and statement.actions
    if policy.use is not DocumentUse.RCP or not is_judged:
        return
    reached = graph.permissions.evaluator.catalog.rcp_services
    services = [action.text.partition(":")[0].lower() for action in statement.actions]
    is_known = all(action.is_known for action in statement.actions)
    if is_known and not any(sign in "".join(services) for sign in "*?"):
        if reached.isdisjoint(services):
            yield Idleness(
                "this denial stops nothing: resource control policies do not reach "
                f"{listed(dict.fromkeys(services))}",
                statement.actions[0].span,
                "deny it in a service control policy",
                # AWS adds services from time to time
                confidence=Confidence.MEDIUM,
                statement=statement,
            )


def _unknown_actions(statement: Statement, graph: Graph) -> str:
    """The actions of a denial, where AWS has none of them."""
    catalog = graph.permissions.evaluator.catalog
    if statement.is_not_action or not statement.actions:
        return ""
    own = {action.lower() for action in graph.settings.extra_actions}
    for pattern in statement.actions:
        if not pattern.is_known or pattern.text.lower() in own or catalog.expand(pattern.text):
            return ""
    return " and no ".join(pattern.text for pattern in statement.actions[:3])


def _never(statement: Statement, catalog: Catalog) -> tuple[Condition, str] | None:
    """A condition that no request for any of the actions meets."""
    if not statement.conditions or statement.is_not_action:
        return None
    actions = list(statement_actions(statement, catalog))
    if not actions or len(actions) > MAX_TRIED:
        return None
    found: tuple[Condition, str] | None = None
    for action in actions:
        judged = [j for j in judge(statement, action, catalog) if j.strength is Strength.NEVER]
        if not judged or not judged[0].is_certain:
            return None
        found = found or (judged[0].condition, judged[0].why)
    return found


def _exempted(condition: Condition) -> Iterator[Pattern]:
    """The ARNs of principals that a condition of a denial leaves out."""
    how = condition.operator
    if condition.key_name != "aws:principalarn" or not how.is_negated:
        return
    if how.base in ("arnlike", "arnequals", "stringlike", "stringequals"):
        yield from (v for v in condition.values if v.is_known and not v.assumptions)


def _exempts_everybody(condition: Condition) -> str | None:
    """Whom a condition of a denial leaves out, where that is every role."""
    if condition.operator.base == "stringequals":
        return None
    for value in _exempted(condition):
        name = value.text.rpartition(":")[2].rstrip("*")
        if name in ("", "role/") or is_anything(tokenize((value.text,), Wildcards.TEXT)):
            return value.text
    return None


def _through_new_roles(
    statement: Statement, policy: Policy, guardrails: Guardrails
) -> Iterator[Idleness]:
    """Names of roles that a denial leaves out, and that a member account may give to a new role."""
    targets = guardrails.targets_of(policy)
    if statement.is_allow or policy.use is not DocumentUse.SCP or not targets:
        return
    for condition in statement.conditions:
        for value in _exempted(condition):
            name = value.text.rpartition(":role/")[2]
            if not name or name == value.text or name.startswith(_OF_AWS):
                continue
            if all(guardrails.may_create_role(name.replace("*", "x"), one) for one in targets):
                yield Idleness(
                    f"whoever may create roles gets around this denial, by the name {value.text}",
                    value.span,
                    f"deny iam:CreateRole and iam:UpdateAssumeRolePolicy on {value.text} as well",
                    severity=Severity.LOW,
                    persona=Persona.PEDANTIC,
                    statement=statement,
                )
