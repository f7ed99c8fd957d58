"""What principals and resource policies allow now and did not before, with a request as proof.

The policies of both versions are put before the difference engine: what it cannot decide is told
as such, never left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.baseline import generalised
from iam_preflight.graph.model import Origin
from iam_preflight.knowledge.catalog import catalog
from iam_preflight.policy.callers import CallerKind
from iam_preflight.policy.difference import NewAccess as Wider
from iam_preflight.policy.difference import Undecided, difference
from iam_preflight.policy.document import DocumentUse, Resolution
from iam_preflight.policy.evaluate import PolicySet
from iam_preflight.policy.match import Truth, action_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.difference import Difference, Policies, Witness
    from iam_preflight.policy.document import Document, Statement
    from iam_preflight.source import Span

MAX_WITNESSES = 3
"""Told of one principal or policy; the first are the worst."""
MAX_PATTERNS = 4

_Key = tuple[str, str]


class NewAccess(Struct, frozen=True):
    """One principal, or one resource policy, and one thing that it allows now."""

    address: str
    subject: str
    """What people call it: `role ci-deploy`."""
    action: str
    resource: str
    """The ARN of the request that proves it."""
    message: str
    place: Span
    """The action in the statement that allows it."""
    caller: str = ""
    """For a resource policy: who may."""
    given: tuple[str, ...] = ()
    """What has to hold: context of the request, unknown values, choices in the code."""
    is_sure: bool = True
    """False where it cannot be decided."""


def new_access(base: Graph, head: Graph) -> Iterator[NewAccess]:
    """Every difference between what the two versions allow, principals first."""
    yield from _of_principals(base, head)
    yield from _of_resources(base, head)


def _of_principals(base: Graph, head: Graph) -> Iterator[NewAccess]:
    before = {_key(principal): principal for principal in base.principals}
    for principal in head.principals:
        new = head.effective(principal).policies
        if not new.identity:
            continue
        earlier = before.get(_key(principal))
        old = base.effective(earlier).policies if earlier is not None else PolicySet()
        found = _compared(old, new, old.identity, new.identity)
        place = principal.resource.header
        yield from _told(found, _Subject(principal.address, principal.label, place, principal))


def _of_resources(base: Graph, head: Graph) -> Iterator[NewAccess]:
    before = {_policy_key(policy): policy for policy in _resource_policies(base)}
    for policy in _resource_policies(head):
        earlier = before.get(_policy_key(policy))
        new = policy.document
        old = earlier.document if earlier is not None else replace(new, statements=(), holes=())
        found = _compared(old, new, (old,), (new,))
        address = policy.address
        yield from _told(found, _Subject(address, address, policy.document.span))


def _key(principal: Principal) -> _Key:
    return principal.resource.deployment.path, generalised(principal.address)


def _resource_policies(graph: Graph) -> Iterator[Policy]:
    return (policy for policy in graph.policies if policy.use is DocumentUse.RESOURCE)


def _policy_key(policy: Policy) -> tuple[str, str, str]:
    return policy.resource.deployment.path, generalised(policy.address), policy.attribute


def _compared(
    old: Policies, new: Policies, before: Iterable[Document], after: Iterable[Document]
) -> Difference:
    """The difference; a document that is not known at all could allow anything."""
    found = difference(old, new, max_witnesses=2 * MAX_WITNESSES)
    unknown = _unknown(after) - _unknown(before)
    if unknown and not isinstance(found, Wider):
        return Undecided(f"there are policies that are not known: {', '.join(sorted(unknown))}")
    return found


def _unknown(documents: Iterable[Document]) -> set[str]:
    return {
        hole.label
        for document in documents
        if document.resolution is Resolution.NONE
        for hole in document.holes
    }


# ---------------------------------------------------------------- in words


class _Subject(Struct, frozen=True):
    """Whose access it is."""

    address: str
    label: str
    place: Span
    principal: Principal | None = None


def _told(found: Difference, subject: _Subject) -> Iterator[NewAccess]:
    match found:
        case Wider(witnesses=witnesses):
            told: set[str] = set()
            for witness in sorted(witnesses, key=_weight):
                new = _new(witness, subject)
                if new.message not in told and len(told) < MAX_WITNESSES:
                    told.add(new.message)
                    yield new
        case Undecided(reason=reason):
            text = f"{subject.label}: whether it may do more than before is not decided: {reason}"
            yield NewAccess(
                subject.address, subject.label, "", "", text, subject.place, is_sure=False
            )
        case _:
            return


def _weight(witness: Witness) -> tuple[bool, bool, bool, str]:
    """What AWS knows before what it may add, what is sensitive before what is not."""
    is_sensitive = witness.is_known and witness.action in catalog().sensitive
    return (not witness.is_known, not is_sensitive, bool(witness.depends_on), witness.action)


def _new(witness: Witness, subject: _Subject) -> NewAccess:
    statement = witness.statements[0] if witness.statements else None
    caller = "" if subject.principal is not None else _caller(witness, statement)
    who = caller or subject.label
    on = f" ({subject.label})" if caller else ""
    given = tuple(_given(witness))
    when = f", if {' and '.join(given)}" if given else ""
    what = _what(witness, statement)
    return NewAccess(
        subject.address,
        subject.label,
        witness.action,
        witness.resource or "",
        f"{who} can now {what} on {_reach(what, witness, statement)}{on}{when}",
        _place(witness, statement, subject),
        caller,
        given,
        not witness.depends_on,
    )


def _caller(witness: Witness, statement: Statement | None) -> str:
    """Who may, in the statement's words: `anyone`, `lambda.amazonaws.com`, an ARN."""
    if statement is not None and not statement.is_not_principal and statement.principals:
        names = list(dict.fromkeys(principal.pattern.text for principal in statement.principals))
        if "*" in names:
            return "anyone"
        return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    caller = witness.caller
    if caller is None or caller.kind is CallerKind.ANONYMOUS:
        return "anyone"
    return f"{caller.kind.value} {''.join(caller.name or caller.account)}".strip()


def _what(witness: Witness, statement: Statement | None) -> str:
    """The action patterns of the statement that allow something new."""
    names = (witness.action, *witness.actions)
    if statement is None or not witness.is_known:
        return witness.action
    if statement.is_not_action:
        excepted = ", ".join(pattern.text for pattern in statement.actions[:3])
        return f"{witness.action} and all else but {excepted}"
    patterns = [
        pattern.text
        for pattern in statement.actions
        if any(action_matches(pattern, name) is not Truth.NO for name in names)
    ]
    if "*" in patterns or "*:*" in patterns:
        return f"do everything ({witness.action} and all else)"
    shown = ", ".join(dict.fromkeys(patterns[:MAX_PATTERNS])) or witness.action
    more = len(patterns) - MAX_PATTERNS
    return f"{shown} and {more} more" if more > 0 else shown


def _reach(what: str, witness: Witness, statement: Statement | None) -> str:
    """What the statement opens, in its own words: `any role`, or its patterns."""
    if witness.resource in (None, "*") or statement is None:
        return "any resource"
    if statement.is_not_resource:
        return f"all that it does not except, such as {witness.resource}"
    patterns = list(dict.fromkeys(pattern.text for pattern in statement.resources))
    if "*" in patterns or not patterns:
        return "any role" if what == "iam:PassRole" else "any resource"
    shown = ", ".join(patterns[:2])
    return shown if len(patterns) <= 2 else f"{shown} and {len(patterns) - 2} more"


def _place(witness: Witness, statement: Statement | None, subject: _Subject) -> Span:
    """The action in the code; for an AWS-managed policy, where it is attached."""
    if statement is None:
        return subject.place
    for attachment in subject.principal.held() if subject.principal is not None else ():
        policy = attachment.policy
        if policy.origin is Origin.AWS_MANAGED and statement in policy.document.statements:
            return attachment.place
    for pattern in statement.actions:
        if not statement.is_not_action and action_matches(pattern, witness.action) is not Truth.NO:
            return pattern.span
    return statement.span


def _given(witness: Witness) -> Iterator[str]:
    for key, values in witness.context:
        if values is None:
            yield f"{key} is absent"
        else:
            yield f"{key} is {' or '.join(values)}"
    yield from (f"{name} allows it" for name in witness.depends_on)
    yield from (str(assumption) for assumption in witness.assumptions)
