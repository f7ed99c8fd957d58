"""Who a trust policy lets in, and what it asks of them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-trust-policy.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from iam_preflight.graph.accounts import Ownership, account_of
from iam_preflight.graph.standing import Standing
from iam_preflight.policy.conditions import ConditionMatcher
from iam_preflight.policy.context import Context
from iam_preflight.policy.denials import Denials, caller_of
from iam_preflight.policy.document import DocumentUse, Pattern, PrincipalPattern
from iam_preflight.policy.match import Truth, action_matches, any_of
from iam_preflight.values import Reason, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.findings import Severity
    from iam_preflight.graph.accounts import AccountBook
    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.document import Condition, Document, Statement

ASSUME_ACTIONS = (
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
)
_CALLER_KEYS = frozenset({"aws:principalaccount", "aws:principalarn"})
_WAYS = {"AWS": ASSUME_ACTIONS[:1], "Service": ASSUME_ACTIONS[:1], "Federated": ASSUME_ACTIONS[1:]}
"""How each kind of principal may assume a role; whoever `*` is takes any of them."""


class Grant(Struct, frozen=True):
    """One principal that one statement lets assume the role."""

    statement: Statement
    """With what denials of the policy ask of the principal among its conditions."""
    principal: PrincipalPattern
    ownership: Ownership | None
    """Whose account an AWS principal is in; None for services and identity providers."""

    @property
    def is_aws(self) -> bool:
        return self.principal.kind in ("AWS", "*")

    @property
    def is_service(self) -> bool:
        return self.principal.kind == "Service"

    @property
    def is_federated(self) -> bool:
        return self.principal.kind == "Federated"


def asked_for(grant: Grant) -> Unknown | None:
    """The parameter of a template that names the account of a principal, if one does.

    It is hardly the template's own: CloudFormation has `AWS::AccountId` for that.
    """
    pattern = grant.principal.pattern
    if grant.ownership is not Ownership.UNKNOWN or len(pattern.parts) < 2:
        return None
    account = account_of(pattern)
    is_asked_for = isinstance(account, Unknown) and account.reason is Reason.PARAMETER
    return account if isinstance(account, Unknown) and is_asked_for else None


def grants(policy: Policy | None, accounts: AccountBook) -> tuple[Grant, ...]:
    """Every principal that a role's trust policy lets in, statement by statement."""
    if policy is None or policy.use is not DocumentUse.TRUST:
        return ()
    document = policy.document
    held = accounts.let_in.get(id(document))
    if held is None:
        # the document is kept, so that its id stays its own
        held = accounts.let_in[id(document)] = (document, tuple(_grants(document, accounts)))
    return held[1]


def _grants(document: Document, accounts: AccountBook) -> Iterator[Grant]:
    denials = Denials(document)
    for written in document.statements:
        if not written.is_allow or written.is_not_principal or not lets_assume(written):
            continue
        for statement, principal in admitted(written, denials, _assumes):
            ownership = (
                accounts.ownership(principal.pattern) if principal.kind in ("AWS", "*") else None
            )
            yield Grant(statement, principal, ownership)


def _assumes(statement: Statement, principal: PrincipalPattern) -> tuple[Pattern, ...]:
    """The ways to assume a role that a statement lets a principal take."""
    names = _WAYS.get(principal.kind, ASSUME_ACTIONS)
    return tuple(
        Pattern((name,), statement.span) for name in names if lets_assume(statement, (name,))
    )


def admitted(
    statement: Statement,
    denials: Denials,
    actions: Callable[[Statement, PrincipalPattern], tuple[Pattern, ...] | None],
) -> Iterator[tuple[Statement, PrincipalPattern]]:
    """Whom a statement is for: its principals, and for `*` those that its conditions name.

    `"AWS": "*"` with `aws:PrincipalAccount` is that account, only written in another way. What the
    denials of the document ask of a principal is among the conditions of the statement with it.
    Whom a condition on the caller keeps out is not let in.
    """
    for principal in statement.principals:
        narrowed = denials.narrowed(statement, principal, actions(statement, principal))
        if narrowed is None:
            continue
        named = _named_by_conditions(narrowed) if principal.is_anyone else ()
        if not named and not _is_kept_out(principal, narrowed):
            yield narrowed, principal
        for one in named:
            own = denials.narrowed(statement, one, actions(statement, one))
            if own is not None and not _is_kept_out(one, own):
                yield own, one


def _is_kept_out(principal: PrincipalPattern, statement: Statement) -> bool:
    """Whether who is named is surely not who a condition asks for: an account other than its own.

    Conditions have to hold all together.
    """
    asked = [c for c in statement.conditions if c.key_name in _CALLER_KEYS]
    caller = caller_of(principal) if asked and principal.kind == "AWS" else None
    if caller is None:
        return False
    context = Context(caller.keys())
    return any(ConditionMatcher(one, False).holds(context)[0] is Truth.NO for one in asked)


def _named_by_conditions(statement: Statement) -> tuple[PrincipalPattern, ...]:
    """The principals or accounts that a condition leaves of everybody; the closest come first."""
    for key in ("aws:principalarn", "aws:principalaccount"):
        for condition in statement.conditions:
            if condition.key_name != key or not is_positive(condition) or condition.assumptions:
                continue
            values = condition.values
            if values and all(account_of(value) not in (None, "*") for value in values):
                return tuple(PrincipalPattern("AWS", value) for value in values)
    return ()


def role_of(policy: Policy) -> Principal | None:
    """The role that a trust policy is of; None for a document that no role shows."""
    return next(policy.holders, None)


def label_of(policy: Policy) -> str:
    """What people call what a trust policy lets assume."""
    role = role_of(policy)
    return role.label if role is not None else f"roles with the policy {policy.address}"


def standing_behind(policy: Policy, graph: Graph) -> Standing:
    """How much whoever a trust policy lets in may do."""
    role = role_of(policy)
    return graph.standing(role) if role is not None else Standing.ORDINARY


def as_shown(severity: Severity, policy: Policy) -> Severity:
    """A severity for a trust policy: a step milder where no role shows it."""
    return severity.lowered() if policy.is_source_only else severity


def grants_by_statement(
    policy: Policy | None, graph: Graph
) -> Iterator[tuple[Statement, list[Grant]]]:
    """A trust policy's grants, those of one statement together.

    Who must be of the own organization is inside, whatever account they are named by.
    """
    by_statement: dict[int, list[Grant]] = {}
    for grant in grants(policy, graph.accounts):
        by_statement.setdefault(grant.statement.index, []).append(grant)
    for found in by_statement.values():
        statement = found[0].statement
        if requires_organization(statement, graph.settings.organization_ids):
            found = [_of_the_organization(grant) for grant in found]
        yield statement, found


def _of_the_organization(grant: Grant) -> Grant:
    if grant.ownership is None or grant.ownership is Ownership.OWN:
        return grant
    return Grant(grant.statement, grant.principal, Ownership.ORGANIZATION)


def lets_assume(statement: Statement, actions: tuple[str, ...] = ASSUME_ACTIONS) -> bool:
    """Whether the statement's actions include a way to assume a role."""
    covered = any_of(
        action_matches(pattern, action) for pattern in statement.actions for action in actions
    )
    if statement.is_not_action:
        return covered is not Truth.YES
    return covered is not Truth.NO


def is_whole_account(principal: PrincipalPattern) -> bool:
    """Whether a principal is an account: its number alone, or its `:root`."""
    pattern = principal.pattern
    if principal.kind != "AWS":
        return False
    match pattern.parts:
        case (Unknown(reason=Reason.ACCOUNT),):
            return True
        case _:
            text = pattern.text
            return text.isdigit() or (text.startswith("arn:") and text.endswith(":root"))


def positive_values(statement: Statement, key: str) -> Iterator[tuple[Condition, str]]:
    """Values that a key must have: from positive operators that fail when the key is absent."""
    for condition in statement.conditions:
        if condition.key_name != key or not is_positive(condition):
            continue
        for value in condition.values:
            yield condition, value.text


def is_positive(condition: Condition) -> bool:
    """Whether a condition holds only for requests whose key has one of the values."""
    operator = condition.operator
    if operator.is_negated or operator.is_if_exists or operator.base == "null":
        return False
    return operator.quantifier != "forallvalues"


def requires_external_id(statement: Statement) -> bool:
    """Whether the caller must present an ExternalId; a bare wildcard asks for nothing."""
    return _pins(statement, "sts:externalid", ("",))


def requires_organization(statement: Statement, own: tuple[str, ...] = ()) -> bool:
    """Whether the caller must be in a named organization or part of one: in `own`, if known."""
    keys = ("aws:principalorgid", "aws:principalorgpaths")
    return any(_pins(statement, key, ("", "o-"), own) for key in keys)


def _pins(
    statement: Statement, key: str, open_texts: tuple[str, ...], own: tuple[str, ...] = ()
) -> bool:
    """Whether some condition lets only named values of a key pass; only `own` ones, if given.

    A value with a hole may be one's own.
    """
    by_condition: dict[int, list[str]] = {}
    for condition, value in positive_values(statement, key):
        by_condition.setdefault(id(condition), []).append(value)
    return any(
        not any(value.strip("*?") in open_texts for value in values)
        and (not own or all(value.split("/")[0] in own or "«" in value for value in values))
        for values in by_condition.values()
    )


def pins_caller(statement: Statement) -> bool:
    """Whether a condition narrows who of an account may call: ARN or tag of the principal."""
    for key in ("aws:principalarn", "aws:sourceaccount", "aws:userid"):
        values = [value for _, value in positive_values(statement, key)]
        if values and not any(_is_anything(value) for value in values):
            return True
    return any(
        condition.key_name.startswith("aws:principaltag/") and is_positive(condition)
        for condition in statement.conditions
    )


def _is_anything(value: str) -> bool:
    """`*`, or an ARN pattern that leaves the account open."""
    if value.strip("*?") == "":
        return True
    fields = value.split(":")
    return value.startswith("arn:") and len(fields) > 4 and fields[4].strip("*?") == ""


def names_role(principal: PrincipalPattern) -> bool:
    """Whether a principal is a role, or sessions of one: neither a user nor a whole account."""
    reference = principal.pattern.reference
    if reference is not None and "aws_iam_role." in reference.address:
        return True
    return is_role_arn(principal.pattern.text)


def is_role_arn(arn: str) -> bool:
    return arn.rpartition(":")[2].partition("/")[0] in ("role", "assumed-role")
