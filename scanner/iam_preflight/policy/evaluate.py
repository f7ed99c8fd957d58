"""Decides requests as AWS does, with three answers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
"""

from __future__ import annotations

import functools
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from iam_preflight.knowledge.actionset import ActionSet, bits_of
from iam_preflight.knowledge.catalog import catalog as shipped_catalog
from iam_preflight.knowledge.home_regions import home_regions
from iam_preflight.policy.callers import Caller, CallerKind, Via
from iam_preflight.policy.conditions import date_of
from iam_preflight.policy.context import UNKNOWN_CONTEXT, Context, pattern_text
from iam_preflight.policy.globs import (
    ARN_COLONS,
    Wildcards,
    fields_of,
    is_anything,
    may_meet,
    text_tokens,
)
from iam_preflight.policy.match import text_matches
from iam_preflight.policy.matchers import YES, DocumentMatcher, ResourceArn
from iam_preflight.policy.truth import Doubt, Truth

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable

    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.document import Document, Pattern, Statement
    from iam_preflight.policy.matchers import Answer, StatementMatcher


class Layer(Enum):
    """The kinds of policy that have a say."""

    __hash__ = object.__hash__  # `Enum` has one in Python, asked for at every decision

    IDENTITY = "identity policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SCP = "service control policy"
    RCP = "resource control policy"
    RESOURCE = "resource policy"
    ENDPOINT = "endpoint policy"


Levels = tuple[tuple["Document", ...], ...]
"""Control policies from the root of the organization down: every level must allow."""


class PolicySet(Struct, frozen=True, eq=False):
    """Every policy that has a say about what a principal may do.

    None, or an empty tuple, is a kind of policy that is not there, and so does not limit.
    """

    identity: tuple[Document, ...] = ()
    """Inline and managed policies, those of groups included."""
    boundary: Document | None = None
    session: tuple[Document, ...] = ()
    scps: Levels = ()
    rcps: Levels = ()
    """Those of the account that the resource is in."""
    resource: Document | None = None
    """The policy of the resource that is asked for; a role's trust policy for `sts:AssumeRole`."""
    endpoint: tuple[Document, ...] = ()

    @property
    def is_identity_alone(self) -> bool:
        """Whether there is no other kind of policy."""
        others = (self.session, self.scps, self.rcps, self.endpoint)
        return self.boundary is None and self.resource is None and not any(others)


class Request(Struct, frozen=True):
    action: str
    resource: str | Pattern | ResourceArn | None = None
    """An ARN or a pattern of ARNs; None for an action that takes no resource."""
    caller: Caller | None = None
    context: Context = UNKNOWN_CONTEXT
    resource_account: str | Pattern | None = None
    """Whose the resource is, where its ARN does not say. Given, or with a resource policy, the
    resource's side is judged as well; else only what the principal's side allows."""


class Reason(Struct, frozen=True):
    """A statement that has a say in a decision."""

    layer: Layer
    document: Document
    statement: Statement
    truth: Truth
    """Whether it applies."""
    doubt: Doubt = Doubt.NONE


class Decision(Struct, frozen=True):
    """Yes, no or maybe, and why."""

    truth: Truth
    allowed_by: tuple[Reason, ...] = ()
    denied_by: tuple[Reason, ...] = ()
    missing: tuple[Layer, ...] = ()
    """Layers that would have to allow, and do not for sure."""
    doubt: Doubt = Doubt.NONE
    """What a maybe hangs on."""

    @property
    def is_allowed(self) -> bool:
        """Allowed whatever the unknowns are."""
        return self.truth is Truth.YES

    @property
    def is_possible(self) -> bool:
        return self.truth is not Truth.NO

    @property
    def is_explicitly_denied(self) -> bool:
        return any(reason.truth is Truth.YES for reason in self.denied_by)


class _Findings(Struct):
    """What the statements of one layer say."""

    layer: Layer
    allow: Truth = Truth.NO
    deny: Truth = Truth.NO
    allows: list[Reason] = field(default_factory=list)
    denies: list[Reason] = field(default_factory=list)
    via: dict[Via, Truth] = field(default_factory=dict)
    """For a resource policy: the allow by the way it names the caller."""


class Evaluator:
    """Decides requests; remembers what it has worked out about each document.

    Make one for a scan and ask it everything: documents are told apart by identity. No request
    is made before `since`; the day that AWS's data was taken, unless a later one is given.
    """

    def __init__(self, catalog: Catalog | None = None, since: dt.date | None = None) -> None:
        self.catalog = catalog or shipped_catalog()
        self.since = date_of((since or self.catalog.date).isoformat())
        self._documents: dict[int, DocumentMatcher] = {}
        self._settled: dict[tuple[object, ...], tuple[Decision | None, tuple[Document, ...]]] = {}
        """By action and documents; these are kept, so that their ids are not given to others."""
        self._arns: dict[object, ResourceArn] = {}
        self._never: dict[str, Callable[[str], bool]] = {}
        self._reachable: dict[tuple[int, str, int], int] = {}
        self._met: dict[int, dict[str, bool]] = {}
        self._statements: list[Statement] = []
        self.remembered: dict[tuple[int, bool, bool], tuple[Document, ActionSet, ActionSet]] = {}
        """What each document allows and denies by itself, as `Effective` works it out."""

    def matcher(self, document: Document) -> DocumentMatcher:
        found = self._documents.get(id(document))
        if found is None:
            found = self._documents[id(document)] = DocumentMatcher(document)
        return found

    def arn(self, arn: str | Pattern | ResourceArn | None) -> ResourceArn:
        """An ARN or a pattern of ARNs, made ready once."""
        if isinstance(arn, ResourceArn):
            return arn
        key = arn if arn is None or isinstance(arn, str) else arn.arn_tokens
        found = self._arns.get(key)
        if found is None:
            found = self._arns[key] = ResourceArn(arn)
        return found

    def decide(self, policies: PolicySet, request: Request) -> Decision:
        """Whether the policies let the request through."""
        return _Case(self, policies, request).decide()

    def settled(self, documents: tuple[Document, ...], action: str) -> Decision | None:
        """What identity policies alone say of an action, on whatever resource and by whomever.

        None where a resource, a condition or a variable has a say, too. Many principals hold the
        same policies, and are asked about the same action on many resources.
        """
        key = (action, *map(id, documents))
        found = self._settled.get(key)
        if found is None:
            lower = action.lower()
            is_settled = all(
                matcher.is_about_everything
                for document in documents
                for matcher, _ in self.matcher(document).about(lower)
            )
            decision = None
            if is_settled:
                decision = self.decide(PolicySet(identity=documents), Request(action))
            found = self._settled[key] = decision, documents
        return found[0]

    def reachable(self, statement: Statement, actions: ActionSet) -> ActionSet:
        """Those of a statement's actions that can be asked for on one of its resources."""
        if not statement.has_resource or statement.is_not_resource:
            return actions
        patterns = [self.arn(pattern).tokens for pattern in statement.resources]
        if any(is_anything(pattern) for pattern in patterns):
            return actions
        met = self._met.get(id(statement))
        if met is None:
            met = self._met[id(statement)] = {}
            self._statements.append(statement)  # its id must not be given to another
        masks: dict[str, int] = {}
        for name in actions.services:
            key = (id(statement), name, actions.mask(name))
            mask = self._reachable.get(key)
            if mask is None:
                mask = self._reachable[key] = self._on_resources(*key[1:], patterns, met)
            masks[name] = mask
        return ActionSet(self.catalog, masks)

    def _on_resources(
        self, service: str, wanted: int, patterns: list[Tokens], met: dict[str, bool]
    ) -> int:
        """Those of the wanted actions of a service that one of the patterns meets a resource of.

        `met` remembers which ARN templates do, as actions share them.
        """
        known = self.catalog.service(service)
        mask = 0
        for index in bits_of(wanted & known.full):
            for use in known.action_at(index).resources:
                glob = use.type.glob
                if glob not in met:
                    asked = text_tokens(glob, Wildcards.ARN)
                    met[glob] = any(may_meet(asked, pattern) for pattern in patterns)
                if met[glob]:
                    mask |= 1 << index
                    break
        return mask

    def never(self, action: str) -> Callable[[str], bool]:
        """A test for keys that no request for the action carries, as AWS's reference says."""
        found = self._never.get(action)
        if found is None:
            found = self._never[action] = self._never_of(action)
        return found

    def _never_of(self, action: str) -> Callable[[str], bool]:
        facts = self.catalog
        known: dict[str, bool] = {}

        def never(key: str) -> bool:
            answer = known.get(key)
            if answer is None:
                answer = known[key] = (
                    facts.action(action) is not None
                    and (found := facts.condition_key(key)) is not None
                    # which resources can be tagged is where the reference has gaps
                    and not found.is_global
                    and not facts.is_key_available(key, action)
                )
            return answer

        return never


class _Case:
    """One request before one set of policies."""

    def __init__(self, evaluator: Evaluator, policies: PolicySet, request: Request) -> None:
        self.evaluator = evaluator
        self.policies = policies
        self.request = request
        self.action = request.action.lower()
        self.arn = evaluator.arn(request.resource)
        self.caller = request.caller
        self.findings: list[_Findings] = []

    @functools.cached_property
    def context(self) -> Context:
        """The request's context; few statements look at it."""
        given = self.request.context
        return given if self.caller is None else given.with_keys(self.caller.keys())

    # ---- what the statements say

    def _read(self, layer: Layer, documents: Iterable[Document]) -> _Findings:
        found = _Findings(layer)
        self.findings.append(found)
        for document in documents:
            for matcher, about in self.evaluator.matcher(document).about(self.action):
                self._weigh(found, matcher, about)
        return found

    def _weigh(self, found: _Findings, matcher: StatementMatcher, about: Answer) -> None:
        if found.layer is Layer.IDENTITY and not matcher.statement.has_resource:
            return  # AWS does not take it; an empty list in Terraform comes to that
        truth, doubt = about
        via = Via.ANYONE
        for answer in self._answers(matcher):
            if answer is not YES:
                truth, doubt = min(truth, answer[0]), doubt | answer[1]
        if truth is Truth.NO:
            return
        if found.layer in (Layer.RESOURCE, Layer.RCP) and self.caller is not None:
            is_named, via = matcher.principal(
                self.caller, is_bounded=self.policies.boundary is not None
            )
            if is_named is Truth.NO:
                return
            if is_named is Truth.MAYBE:
                truth, doubt = min(truth, is_named), doubt | matcher.naming_doubt(self.caller)
        reason = Reason(found.layer, matcher.document, matcher.statement, truth, doubt)
        is_sure = matcher.statement.is_effect_known
        if matcher.statement.is_allow:
            found.allows.append(reason)
            found.allow = max(found.allow, truth)
            found.via[via] = max(found.via.get(via, Truth.NO), truth)
        if not matcher.statement.is_allow or not is_sure:
            found.denies.append(reason)
            found.deny = max(found.deny, truth)

    def _answers(self, matcher: StatementMatcher) -> tuple[Answer, ...]:
        """Whether it is there, and about the resource; and whether its conditions hold."""
        context = self.context if matcher.needs_context else UNKNOWN_CONTEXT
        about = matcher.resource(self.arn, context)
        if not matcher.conditions or about[0] is Truth.NO:
            return matcher.standing, about
        never = self.evaluator.never(self.action)
        homes = home_regions(self.action)
        holds = matcher.conditions_hold(context, never, self.evaluator.since, homes)
        return matcher.standing, about, holds

    # ---- how they add up

    def decide(self) -> Decision:
        policies = self.policies
        identity = self._read(Layer.IDENTITY, policies.identity)
        limits = scp = endpoint = Truth.YES
        if policies.boundary is not None:
            limits = self._read(Layer.BOUNDARY, (policies.boundary,)).allow
        if policies.session:
            limits = min(limits, self._read(Layer.SESSION, policies.session).allow)
        if policies.scps and self._is_under_scps():
            for level in filter(None, policies.scps):
                scp = min(scp, self._read(Layer.SCP, level).allow)
        if policies.endpoint:
            endpoint = self._read(Layer.ENDPOINT, policies.endpoint).allow
        if policies.rcps and self._is_under_rcps():
            # AWS's own policy that allows everything cannot be detached: only denials count
            self._read(Layer.RCP, (document for level in policies.rcps for document in level))
        is_root = self.caller is not None and self.caller.kind is CallerKind.ROOT
        principal = min(Truth.YES if is_root else identity.allow, limits)
        allow = principal
        if policies.resource is not None or self.request.resource_account is not None:
            resource = self._read(
                Layer.RESOURCE, () if policies.resource is None else (policies.resource,)
            )
            allow = self._with_resource(resource, principal, limits)
        deny = max([found.deny for found in self.findings])
        return self._decision(min(allow, scp, endpoint, deny.negated()))

    def _decision(self, truth: Truth) -> Decision:
        allowed_by: list[Reason] = []
        denied_by: list[Reason] = []
        missing: list[Layer] = []
        for found in self.findings:
            allowed_by += found.allows
            denied_by += found.denies
            layer = found.layer
            if found.allow is not Truth.YES and layer is not Layer.RCP and layer not in missing:
                missing.append(layer)
        doubt = Doubt.NONE
        if truth is Truth.MAYBE:
            for found in self.findings:
                if found.allow is Truth.MAYBE and found.layer is not Layer.RCP:
                    doubt |= min((r.doubt for r in found.allows), key=_heaviness)
                if found.deny is Truth.MAYBE:
                    for reason in found.denies:
                        doubt |= reason.doubt
        return Decision(truth, tuple(allowed_by), tuple(denied_by), tuple(missing), doubt)

    def _is_under_scps(self) -> bool:
        """https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html"""
        caller = self.caller
        return caller is None or (caller.is_aws and not caller.is_service_linked)

    def _is_under_rcps(self) -> bool:
        """https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html"""
        service = self.action.partition(":")[0]
        if service not in self.evaluator.catalog.rcp_services:
            return False
        return self.caller is None or not self.caller.is_service_linked

    def _with_resource(self, found: _Findings, principal: Truth, limits: Truth) -> Truth:
        """Both sides together, in one account or across two."""
        direct = max(found.via.get(Via.DIRECT, Truth.NO), found.via.get(Via.ANYONE, Truth.NO))
        if self.caller is not None and not self.caller.is_aws:
            return direct
        by_role = found.via.get(Via.ROLE, Truth.NO)
        by_account = found.via.get(Via.ACCOUNT, Truth.NO)
        is_same = self._is_same_account()
        # a grant to the role is limited by boundary and session, one to the session or the user
        # is not; one to the account counts for whom the account's own policies allow
        within = max(direct, min(by_role, limits))
        if self.request.resource is not None and _requires_resource_policy(self.action):
            within = max(within, min(by_account, principal))
        else:
            within = max(within, principal)
        across = min(max(direct, by_role, by_account), principal)
        match is_same:
            case Truth.YES:
                return within
            case Truth.NO:
                return across
            case _:
                return within if within is across else Truth.MAYBE

    def _is_same_account(self) -> Truth:
        caller = self.caller
        if caller is None:
            return Truth.YES
        account = self._resource_account()
        return Truth.MAYBE if not account else text_matches(account, caller.account)

    def _resource_account(self) -> Tokens:
        given = self.request.resource_account
        if isinstance(given, str):
            return tuple(given)
        if given is not None:
            return pattern_text(given.parts)
        return _account_in(self.arn.tokens)


@functools.lru_cache(maxsize=65536)
def _account_in(arn: Tokens) -> Tokens:
    """The account that an ARN names; nothing where it is left open."""
    fields = fields_of(arn)
    account = fields[4] if len(fields) > ARN_COLONS else ()
    return account if all(not sign.startswith(("*", "?")) for sign in account) else ()


def _requires_resource_policy(action: str) -> bool:
    """Whether the resource's own policy must allow even inside the account: roles and keys.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
    """
    return action.startswith(("sts:assumerole", "kms:")) or action in (
        "sts:tagsession",
        "sts:setsourceidentity",
    )


def _heaviness(doubt: Doubt) -> int:
    return doubt.value
