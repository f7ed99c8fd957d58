from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.findings import Finding, Framework, Persona, Severity
from iam_preflight.graph.exposure import listed
from iam_preflight.graph.wide import formats
from iam_preflight.graph.wildcards import has_wildcard
from iam_preflight.knowledge.age import age_problem
from iam_preflight.knowledge.legacy import legacy_names
from iam_preflight.policy.condition_types import type_fault
from iam_preflight.policy.document import DocumentUse
from iam_preflight.policy.grammar import grammar_problems
from iam_preflight.policy.idle_actions import idle_actions
from iam_preflight.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy
    from iam_preflight.knowledge.actionset import ActionSet
    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.condition_types import TypeFault
    from iam_preflight.policy.document import Condition, Pattern, Statement
    from iam_preflight.source import Span

GUARDS = frozenset({DocumentUse.SCP, DocumentUse.RCP, DocumentUse.BOUNDARY})


class UnknownName(Rule):
    """A policy names what AWS does not have, or joins what does not go together.

    ## What it checks
    Policies of every kind for actions, service prefixes, action patterns and condition keys that
    are not in AWS's service reference, with the nearest name that is. Low in an Allow, where
    something will not work. Medium in a Deny, a permissions boundary or a control policy, where
    something is not guarded.

    Also what AWS refuses when it is deployed: misspelt elements, actions without a service,
    resources that are no ARN, unknown operators, `Principal` where it has no place or lacks,
    services whose name cannot be one (`codebuild.amazon.com`, `ec2.amazonaws`).

    And what AWS takes, but never matches:

    - an action on resources of which it takes none: `s3:ListBucket` on `arn:aws:s3:::orders/*`,
      `s3:GetObject` on `arn:aws:s3:::orders`, `kms:Decrypt` on an alias;
    - a condition whose operator or values do not fit its key: `Bool` on `aws:SourceArn`, a network
      under `StringEquals` on `aws:SourceIp`, a private network on it, a `*` under `StringEquals` on
      a key of AWS's own, `aws:TagKeys` without `ForAnyValue` or `ForAllValues`. Medium where the
      operator is negated in an Allow: everything passes.

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
            "INVALID_SERVICE_IN_ACTION",
            "PRIVATE_IP_ADDRESS",
            "TYPE_MISMATCH_IP_RANGE",
        ),
        "cfn-lint": ("E3510", "E3512"),
    }
    references = (
        "https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html",
    )

    def check_graph(self, graph: Graph) -> Iterator[Finding]:
        catalog = graph.permissions.evaluator.catalog
        is_old = age_problem(graph.today) is not None
        seen: set[tuple[tuple[str, int, int], str]] = set()
        for policy in graph.policies:
            if policy.is_composed or policy.use is DocumentUse.UNATTACHED:
                continue
            for flaw in _flaws(policy, catalog, graph.settings.extra_actions):
                key = (flaw.place.sort_key(), "" if flaw.is_one_a_place else flaw.message)
                if key not in seen:
                    seen.add(key)
                    yield self._found(flaw, policy, is_old=is_old)

    def _found(self, flaw: _Flaw, policy: Policy, *, is_old: bool) -> Finding:
        statement = flaw.statement
        severity = flaw.severity or self.severity
        is_guard = statement is not None and (not statement.is_allow or policy.use in GUARDS)
        if is_guard and flaw.severity is None:
            severity = Severity.MEDIUM
        if is_old and statement is not None:
            severity = Severity.INFO
        return self.finding(
            flaw.message,
            on=policy,
            at=flaw.place,
            severity=severity,
            persona=Persona.PEDANTIC if flaw.is_idle and severity is Severity.LOW else None,
            related=flaw.related,
            hint=flaw.hint,
            causes=(flaw.place, *([statement.span] if statement is not None else [])),
            assumptions=statement.assumptions if statement is not None else (),
        )


class _Flaw(Struct, frozen=True):
    place: Span
    message: str
    hint: str = ""
    statement: Statement | None = None
    """None for what AWS refuses."""
    related: tuple[tuple[Span, str], ...] = ()
    is_idle: bool = False
    """Only wildcards that cover nothing yet, or names that the rest may do without."""
    is_one_a_place: bool = False
    """Whether instances that only differ in what they name are told once."""
    severity: Severity | None = None
    """None where it depends on whether the statement is to guard something."""


def _flaws(policy: Policy, catalog: Catalog, extra: tuple[str, ...]) -> Iterator[_Flaw]:
    # what becomes of a document that nothing shows is not known, and so not what it has to have
    problems = () if policy.is_source_only else grammar_problems(policy.document, policy.use)
    for problem in problems:
        yield _Flaw(problem.span, problem.message, "AWS refuses the document as it is")
    for statement in policy.document.statements:
        unknown = [p for p in statement.actions if _is_unknown(p, catalog, extra)]
        if unknown:
            yield _of_actions(unknown, statement, catalog)
        for condition in statement.conditions:
            if condition.key.is_known and not _is_key(condition.key_name, catalog):
                yield _of_key(condition, statement, catalog)
            elif (fault := type_fault(condition, catalog)) is not None:
                yield _of_type(fault, statement)
        yield from _of_resources(statement, catalog)


def _is_unknown(pattern: Pattern, catalog: Catalog, extra: tuple[str, ...]) -> bool:
    text = pattern.text.lower()
    prefix, colon, name = text.partition(":")
    if not pattern.is_known or not colon or not prefix or not name or ":" in name:
        return False
    is_known = bool(catalog.expand(text)) or text in legacy_names()
    return not is_known and not any(fnmatchcase(text, name.lower()) for name in extra)


def _is_key(name: str, catalog: Catalog) -> bool:
    return catalog.condition_key(name) is not None or name in legacy_names()


def _of_actions(unknown: list[Pattern], statement: Statement, catalog: Catalog) -> _Flaw:
    names = listed(pattern.text for pattern in unknown)
    prefixes = {pattern.text.partition(":")[0] for pattern in unknown}
    strange = sorted(p for p in prefixes if "*" not in p and p.lower() not in catalog.services)
    if len(strange) == len(prefixes):
        message = f"AWS's reference has no service {listed(strange)}: {names}"
    else:
        message = f"AWS's reference has no action {names}"
    nearest = [catalog.nearest_action(pattern.text) for pattern in unknown]
    meant = listed(name for name in nearest if name is not None) if any(nearest) else ""
    return _Flaw(
        unknown[0].span,
        message,
        f"did you mean {meant}" if meant else "correct the name, or leave it out",
        statement,
        tuple((pattern.span, "nor this") for pattern in unknown[1:4]),
        is_idle=not strange and all(has_wildcard(pattern) for pattern in unknown),
    )


def _of_key(condition: Condition, statement: Statement, catalog: Catalog) -> _Flaw:
    nearest = catalog.nearest_key(condition.key.text)
    return _Flaw(
        condition.span,
        f"AWS's reference has no condition key {condition.key.text}",
        f"did you mean {nearest}" if nearest else "correct the key, or leave the condition out",
        statement,
    )


def _of_type(fault: TypeFault, statement: Statement) -> _Flaw:
    condition = fault.condition
    effect = ", so that everything passes" if fault.is_open else ""
    return _Flaw(
        (fault.value or condition).span,
        f"{condition.operator.name} on {condition.key.text}: {fault.why}{effect}",
        fault.cure,
        statement,
        severity=Severity.MEDIUM if fault.is_open and statement.is_allow else None,
    )


def _of_resources(statement: Statement, catalog: Catalog) -> Iterator[_Flaw]:
    """Actions that the statement's resources are nothing for."""
    idle = list(idle_actions(statement, catalog))
    is_whole = len(idle) == len(statement.actions)
    where = listed((resource.text for resource in statement.resources), most=1)
    for takes_any in (False, True):
        found = [(p, a) for p, a in idle if _takes_resources(a, catalog) is takes_any]
        if not found:
            continue
        patterns = [pattern for pattern, _ in found]
        names = listed(pattern.text for pattern in patterns)
        like = formats(
            [name for _, actions in found for name in actions], statement.resources[0], catalog
        )
        yield _Flaw(
            patterns[0].span,
            f"{names} cannot be used on {where}"
            if takes_any
            else f'AWS grants {names} on "*" only, not on {where}',
            f"name what it takes, like {like}"
            if like
            else 'give it a statement of its own with the resource "*"',
            statement,
            (
                *((pattern.span, "nor this") for pattern in patterns[1:4]),
                (statement.resources[0].span, "on this resource"),
            ),
            is_idle=not takes_any and statement.is_allow,
            is_one_a_place=True,
            severity=None if is_whole and not statement.is_allow else Severity.LOW,
        )


def _takes_resources(actions: ActionSet, catalog: Catalog) -> bool:
    found = (catalog.action(name) for name in actions)
    return any(action is not None and not action.is_only_star for action in found)
