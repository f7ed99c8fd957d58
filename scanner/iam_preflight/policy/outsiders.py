"""Who from outside the company gets in: a document put before callers that nobody named.

An outsider is somebody anonymous, anybody in an account of their own, or a service that such
an account makes call. What their requests carry is data; what is not in there they choose. A
hole in a document is one fixed text that no outsider knows: it exempts, it never opens.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-concepts.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.knowledge.reading import read_data
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.conditions import KNOWN_OPERATORS, compare, network_of
from iam_preflight.policy.context import Context, Presence
from iam_preflight.policy.document import PrincipalPattern
from iam_preflight.policy.evaluate import PolicySet, Request
from iam_preflight.policy.globs import Wildcards, text_tokens
from iam_preflight.policy.truth import Doubt, Truth
from iam_preflight.values import Reason, combine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iam_preflight.policy.conditions import Network
    from iam_preflight.policy.context import ContextValue
    from iam_preflight.policy.document import Condition, Document, Pattern, Statement
    from iam_preflight.policy.evaluate import Decision, Evaluator
    from iam_preflight.values import Assumptions

_Keys = dict[str, str | None]

WIDE_NETWORK = {4: 8, 6: 32}
"""Shorter prefixes are as good as every address; AWS draws the line there as well."""

ADDRESS = "aws:sourceip"


class _Facts(msgspec.Struct):
    account: str
    organization: str
    unique: str
    address: str
    private_networks: tuple[str, ...]
    direct: _Keys
    anonymous: _Keys
    without_organization: _Keys
    through_service: _Keys
    through_bucket: _Keys
    secrets: dict[str, str]


class Route(Enum):
    """How an outsider's request reaches a resource."""

    ANONYMOUS = "anyone on the internet"
    ACCOUNT = "anyone with an AWS account"
    SERVICE = "an AWS service on behalf of any account"
    BUCKET = "Amazon S3 on behalf of any bucket"
    PROVIDER = "anyone with an account at the identity provider"

    @property
    def is_service(self) -> bool:
        return self in (Route.SERVICE, Route.BUCKET)


class Need(Enum):
    """What an outsider must have to get in."""

    NOTHING = ""
    ADDRESS = "from the right address"
    """Only the network address tells who it is."""
    SECRET = "who knows the secret"  # noqa: S105
    """An ExternalId or a token."""


class Entry(Struct, frozen=True):
    """That a statement lets an outsider in."""

    route: Route
    action: str
    certainty: Truth
    """Maybe where a choice in the code decides, no where a condition cannot be understood."""
    need: Need = Need.NOTHING


@functools.cache
def _facts() -> _Facts:
    return read_data("outsider_keys.json", _Facts)


@functools.cache
def _keys(
    route: Route, *, knows_secrets: bool, is_in_organization: bool = True
) -> dict[str, str | None]:
    """What the request carries, by key in lower case; None where the key is not there."""
    facts = _facts()
    keys = dict(facts.direct)
    if not is_in_organization:
        keys.update(facts.without_organization)
    if route is Route.ANONYMOUS:
        keys.update(facts.anonymous)
    if route.is_service:
        keys.update(facts.through_service)
    if route is Route.BUCKET:
        keys.update(facts.through_bucket)
    if not knows_secrets:
        keys.update(facts.secrets)
    return {key.lower(): value for key, value in keys.items()}


# ---------------------------------------------------------------- documents without doubts


class _Settler:
    """A document as it is when one of its statements is there, each hole as one fixed text.

    What contradicts the assumptions of that statement is gone, what they imply is certain.
    """

    def __init__(self, given: Assumptions) -> None:
        self.given = given
        self.implied = frozenset(given)

    def document(self, document: Document, index: int) -> tuple[Document, Statement]:
        """The settled document and the settled form of the statement with an index."""
        settled: list[Statement] = []
        own = None
        for statement in document.statements:
            if combine(self.given, statement.assumptions) is None:
                continue
            one = self.statement(statement)
            settled.append(one)
            if statement.index == index:
                own = one
        assert own is not None
        return replace(document, statements=tuple(settled)), own

    def statement(self, statement: Statement) -> Statement:
        return replace(
            statement,
            actions=self.patterns(statement.actions),
            resources=self.patterns(statement.resources),
            principals=tuple(
                PrincipalPattern(one.kind, self.principal(one))
                for one in statement.principals
                if combine(self.given, one.pattern.assumptions) is not None
            ),
            conditions=tuple(
                self.condition(condition)
                for condition in statement.conditions
                if combine(self.given, condition.assumptions) is not None
            ),
            assumptions=self.left(statement.assumptions),
        )

    def condition(self, condition: Condition) -> Condition:
        values = self.patterns(condition.values)
        return replace(condition, values=values, assumptions=self.left(condition.assumptions))

    def principal(self, principal: PrincipalPattern) -> Pattern:
        """Whoever writes `arn:aws:iam::*:root` means everyone, though AWS may refuse it."""
        pattern = self.pattern(principal.pattern)
        fields = pattern.text.split(":", 5)
        if principal.kind == "AWS" and len(fields) == 6 and fields[4] == "*":
            return replace(pattern, parts=("*",))
        return pattern

    def patterns(self, patterns: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        return tuple(
            self.pattern(pattern)
            for pattern in patterns
            if combine(self.given, pattern.assumptions) is not None
        )

    def pattern(self, pattern: Pattern) -> Pattern:
        if pattern.is_known and not pattern.assumptions:
            return pattern
        texts = (
            part
            if isinstance(part, str)
            else "aws"
            if part.reason is Reason.PARTITION
            else part.label
            for part in pattern.parts
        )
        left = self.left(pattern.assumptions)
        return replace(pattern, parts=("".join(texts),), assumptions=left)

    def left(self, assumptions: Assumptions) -> Assumptions:
        return tuple(one for one in assumptions if one not in self.implied)


# ---------------------------------------------------------------- requests of outsiders


def contexts_of(document: Document, route: Route, need: Need) -> Iterator[Context]:
    """What an outsider's requests carry of the keys that a document tests, in each variety."""
    tested = {c.key_name for statement in document.statements for c in statement.conditions}
    varieties = [True]
    if route is Route.ACCOUNT and any(key.startswith("aws:principalorg") for key in tested):
        varieties.append(False)  # not every account is in an organization
    for is_in_organization in varieties:
        keys = _keys(
            route,
            knows_secrets=need is Need.SECRET,
            is_in_organization=is_in_organization,
        )
        known = {key: _value_of(key, keys) for key in tested}
        if ADDRESS in tested and not route.is_service:
            known[ADDRESS] = _address(document, need)
        yield Context({key: v for key, v in known.items() if v is not Presence.UNKNOWN})


def _value_of(key: str, keys: dict[str, str | None]) -> ContextValue:
    name = key
    if name not in keys:
        name = next((k for k in keys if k.endswith("*") and key.startswith(k[:-1])), "")
    if not name:
        return Presence.UNKNOWN
    value = keys[name]
    if value is None:
        return Presence.ABSENT
    facts = _facts()
    text = value.format(account=facts.account, organization=facts.organization, unique=facts.unique)
    wildcards = Wildcards.ARN if text.startswith("arn:") else Wildcards.TEXT
    return (text_tokens(text, wildcards),)


def _address(document: Document, need: Need) -> str:
    """An address on the internet: one from a network that the document opens to.

    A narrow network is not anybody's, unless that is what is asked.
    """
    for statement in document.statements:
        for condition in statement.conditions:
            how = condition.operator
            if condition.key_name != ADDRESS or how.base != "ipaddress" or how.is_negated:
                continue
            for value in condition.values:
                network = network_of(value.text) if value.is_known else None
                if network is None or _is_private(network):
                    continue
                if need is Need.ADDRESS or network.prefixlen < WIDE_NETWORK[network.version]:
                    return str(network[min(1, network.num_addresses - 1)])
    return _facts().address


def _is_private(network: Network) -> bool:
    """Whether no request from the internet has such an address."""
    return any(compare("ipaddress", one, str(network)) for one in _facts().private_networks)


def _caller(route: Route) -> Caller:
    match route:
        case Route.ANONYMOUS:
            return Caller.anonymous()
        case Route.ACCOUNT:
            return Caller.anyone_in(_facts().account)
        case Route.SERVICE:
            return Caller.service("any.amazonaws.com")
        case Route.BUCKET:
            return Caller.service("s3.amazonaws.com")
        case Route.PROVIDER:
            return Caller.provider("somebody's provider")


class Outsiders:
    """Puts documents before outsiders; remembers each document without its doubts."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._settled: dict[object, tuple[Document, Document, Statement]] = {}
        self._contexts: dict[tuple[int, Route], list[tuple[Need, list[Context]]]] = {}

    def settled(
        self, document: Document, statement: Statement, given: Assumptions
    ) -> tuple[Document, Statement]:
        """The document as it is when the statement is there, without holes; and the statement."""
        assumed = tuple(dict.fromkeys((*statement.assumptions, *given)))
        key = (id(document), statement.index, assumed)
        held = self._settled.get(key)
        if held is None:
            text, own = _Settler(assumed).document(document, statement.index)
            # the original is kept, so that its id stays its own
            held = self._settled[key] = (document, text, own)
        return held[1:]

    def entry(
        self,
        document: Document,
        statement: Statement,
        route: Route,
        actions: Sequence[str],
        caller: Caller | None = None,
        given: Assumptions = (),
    ) -> Entry | None:
        """How a statement of a document lets an outsider in; the first of the actions that does.

        Denials of the whole document count. `caller` is the one that calls on that route, where
        it is somebody in particular; `given` is what has to hold for the principal to be there.
        """
        text, own = self.settled(document, statement, given)
        for need, contexts in self._varieties(text, route):
            for action in actions:
                found = self._decide(text, own, route, action, caller, contexts)
                if found is not None:
                    return Entry(route, action, found, need)
        return None

    def _varieties(self, text: Document, route: Route) -> list[tuple[Need, list[Context]]]:
        """The requests on a route for each need that makes a difference to a settled document."""
        key = (id(text), route)
        found = self._contexts.get(key)
        if found is None:
            found = self._contexts[key] = []
            for need in Need:
                contexts = list(contexts_of(text, route, need))
                if not any(_say_the_same(contexts, earlier) for _, earlier in found):
                    found.append((need, contexts))
        return found

    def _decide(
        self,
        text: Document,
        own: Statement,
        route: Route,
        action: str,
        caller: Caller | None,
        contexts: Iterable[Context],
    ) -> Truth | None:
        """How certain it is that an action is let through; None where it is not."""
        policies = PolicySet(resource=text)
        who = caller if caller is not None else _caller(route)
        for context in contexts:
            for resource in _asked(own):
                request = Request(action, resource, who, context)
                found = _verdict(self.evaluator.decide(policies, request), own)
                if found is not None:
                    return found
        return None


def _say_the_same(left: list[Context], right: list[Context]) -> bool:
    return len(left) == len(right) and all(map(Context.says_as, left, right))


def _asked(statement: Statement) -> Iterator[Pattern | str]:
    if not statement.has_resource or statement.is_not_resource or not statement.resources:
        yield "*"
        return
    yield from statement.resources


def _verdict(decision: Decision, statement: Statement) -> Truth | None:
    if decision.is_explicitly_denied:
        return None
    own = [reason for reason in decision.allowed_by if reason.statement is statement]
    if not own:
        return None
    is_strange = any(
        not condition.key.is_known or condition.operator.base not in KNOWN_OPERATORS
        for condition in statement.conditions
    )
    if is_strange:
        return Truth.NO
    is_assumed = any(Doubt.ASSUMPTION in reason.doubt for reason in (*own, *decision.denied_by))
    return Truth.MAYBE if is_assumed else Truth.YES
