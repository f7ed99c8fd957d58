"""The resource's side of a question: policies of buckets, keys, queues and roles have a say, too.

In one account such a policy may let in whom no policy of its own allows anything, it may deny, and
a key's or a role's has to allow; of another account both sides have to allow.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.graph.accounts import Ownership, account_of
from iam_preflight.graph.arns import arn_of
from iam_preflight.graph.bucket_access import BucketAccess
from iam_preflight.graph.effective import anything
from iam_preflight.graph.trust import role_of
from iam_preflight.policy.callers import Caller
from iam_preflight.policy.document import DocumentUse, Pattern
from iam_preflight.policy.evaluate import Decision, PolicySet, Request
from iam_preflight.policy.match import text_matches
from iam_preflight.policy.truth import Truth
from iam_preflight.resources import Resource
from iam_preflight.values import Reason, Unknown, is_null

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.graph.model import Graph, Policy, Principal
    from iam_preflight.policy.document import PrincipalPattern
    from iam_preflight.policy.evaluate import Levels

_OF_A_BUCKET = "aws_s3_bucket"
_PARTS = ("", "/*", ":*")
"""What may follow a resource's ARN in the ARN of something in it."""


class Side(Struct, frozen=True):
    """The policy of a resource that a request may be about."""

    policy: Policy
    asked: str | Pattern
    """The ARN, or the pattern of ARNs, that the request names."""
    is_it: Truth
    """Whether the request is about this very resource."""


class ResourceSides:
    """What the policies of resources add to what principals may do themselves."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._buckets = BucketAccess(graph)
        self._evaluator = graph.permissions.evaluator

    def about(self, action: str, arn: str | None) -> list[Side]:
        """The resource policies that speak of an action, on an ARN where one is given."""
        sides: list[Side] = []
        for policy in self._graph.policies:
            if policy.use not in (DocumentUse.RESOURCE, DocumentUse.TRUST):
                continue
            if policy.is_source_only or not self._speaks_of(policy, action):
                continue
            owner = self._owner(policy)
            if arn is not None:
                is_it = _is_in(arn, owner, policy)
                if is_it is not Truth.NO:
                    sides.append(Side(policy, arn, is_it))
                continue
            named = [owner] if owner is not None else []
            for statement in policy.document.statements:
                if statement.is_allow and not statement.is_not_resource:
                    named += [r for r in statement.resources if r.text != "*"]
            sides.extend(Side(policy, asked, Truth.MAYBE) for asked in named)
        return sides

    def _speaks_of(self, policy: Policy, action: str) -> bool:
        matcher = self._evaluator.matcher(policy.document)
        return next(iter(matcher.about(action.lower())), None) is not None

    def _owner(self, policy: Policy) -> Pattern | None:
        """The ARN of the resource that a policy belongs to, as far as the code tells."""
        resource = policy.resource
        if policy.use is DocumentUse.TRUST:
            role = role_of(policy)
            return role.arn if role is not None else None
        if resource.type.startswith(_OF_A_BUCKET):
            bucket = self._buckets.bucket(resource)
            return arn_of(bucket) if bucket is not None else None
        own = arn_of(resource)
        if own is not None:
            return own
        service = resource.type.split("_")[1:2]
        for name in resource.attributes.entries:
            value = resource.get(name) if name != policy.attribute else None
            if value is None or is_null(value):
                continue
            found = self._graph.lookup.find(value, Resource, resource)
            if found is not None and found.type.split("_")[1:2] == service:
                return arn_of(found)
        return None

    # ---- whom it lets in

    def decide(self, principal: Principal, action: str, side: Side) -> Decision:
        """Whether a principal of the code may do it, both sides together."""
        effective = self._graph.effective(principal)
        policies = replace(
            effective.policies, resource=side.policy.document, rcps=self._controls(side)
        )
        context = self._graph.permissions.context(principal)
        account = _account(side.policy)
        request = Request(action, side.asked, effective.caller, context, account)
        return self._evaluator.decide(policies, request)

    def _controls(self, side: Side) -> Levels:
        return self._graph.permissions.resource_controls(side.policy.resource)

    def outsiders(self, action: str, side: Side) -> Iterator[tuple[str, str, Decision]]:
        """Label, id and decision for everyone whom a policy names and who is not in the code.

        What the policies of another account allow there is not known.
        """
        seen: set[str] = set()
        for statement in side.policy.document.statements:
            if not statement.is_allow or statement.is_not_principal:
                continue
            for named in statement.principals:
                found = self._outsider(named)
                if found is None or found[1] in seen:
                    continue
                label, name, caller, is_aws = found
                seen.add(name)
                identity = (anything(statement.span),) if is_aws else ()
                policies = PolicySet(
                    identity=identity, resource=side.policy.document, rcps=self._controls(side)
                )
                account = _account(side.policy)
                request = Request(action, side.asked, caller, resource_account=account)
                decision = self._evaluator.decide(policies, request)
                if decision.is_possible:
                    own = [r for r in decision.allowed_by if r.document is side.policy.document]
                    yield label, name, replace(decision, allowed_by=tuple(own))

    def _outsider(self, named: PrincipalPattern) -> tuple[str, str, Caller, bool] | None:
        text = named.pattern.text
        match named.kind:
            case "Service":
                return f"service {text}", f"service/{text}", Caller.service(text), False
            case "Federated":
                return f"provider {text}", f"provider/{text}", Caller.provider(named.pattern), False
            case "AWS" | "*":
                ownership = self._graph.accounts.ownership(named.pattern)
                if ownership is Ownership.ANYONE:
                    return "anyone", "anyone", Caller.anonymous(), False
                account = account_of(named.pattern)
                if ownership is Ownership.OWN or not isinstance(account, str):
                    return None
                label = f"account {text}" if text == account else text
                return label, f"external/{text}", _caller(text, account), True
        return None


def _caller(text: str, account: str) -> Caller:
    try:
        return Caller.of(text)
    except ValueError:
        return Caller.root(account)


def _account(policy: Policy) -> str | Pattern:
    """The account of a resource: the one that its provider says, or that is deployed to."""
    account = policy.resource.provider.account_id
    if account is not None:
        return account
    span = policy.resource.header
    return Pattern((Unknown(Reason.ACCOUNT, "account", span),), span)


def _is_in(arn: str, owner: Pattern | None, policy: Policy) -> Truth:
    """Whether an ARN is that of a policy's resource, or of something in it."""
    wanted = tuple(arn)
    patterns: list[Pattern] = []
    if owner is not None:
        patterns = [replace(owner, parts=(*owner.parts, part)) for part in _PARTS]
        # what a name has in it is no wildcard; names that begin alike are others
        return max(text_matches(each.arn_tokens, wanted) for each in patterns)
    for statement in policy.document.statements:
        patterns += [pattern for pattern in statement.resources if pattern.text != "*"]
    found = [text_matches(each.arn_tokens, wanted) for each in patterns]
    return min(max(found, default=Truth.NO), Truth.MAYBE)
