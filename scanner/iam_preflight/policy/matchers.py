"""Statements made ready to be asked about many requests.

Every answer is a `Truth` with the `Doubt` that a maybe hangs on. What does not depend on the
request's context is worked out once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.policy.callers import CallerKind, Via, is_about_one, is_namesake, names
from iam_preflight.policy.conditions import (
    REGION,
    ConditionMatcher,
    UnresolvedVariableError,
    variables_from,
)
from iam_preflight.policy.context import texts_of
from iam_preflight.policy.globs import (
    Relation,
    Symbol,
    Wildcards,
    is_anything,
    relation,
    relation_in_place,
    text_tokens,
    tokenize,
)
from iam_preflight.policy.match import glob_regex, text_matches
from iam_preflight.policy.truth import Doubt, Truth

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator
    from decimal import Decimal

    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.callers import Caller
    from iam_preflight.policy.context import Context
    from iam_preflight.policy.document import Document, Pattern, Statement

Answer = tuple[Truth, Doubt]

YES: Answer = (Truth.YES, Doubt.NONE)
NO: Answer = (Truth.NO, Doubt.NONE)

_LIGHTEST = (
    Doubt.NONE,
    Doubt.PART,
    Doubt.CONDITION,
    Doubt.ASSUMPTION,
    Doubt.PLACE,
    Doubt.HOLE,
)


def best_of(answers: Iterable[Answer]) -> Answer:
    """The strongest answer; among maybes the one that hangs on least."""
    best = NO
    for answer in answers:
        if answer[0] is Truth.YES:
            return YES
        if answer[0] > best[0] or (answer[0] is best[0] and _weight(answer) < _weight(best)):
            best = answer
    return best


def _weight(answer: Answer) -> int:
    return max(_LIGHTEST.index(doubt) for doubt in _LIGHTEST if doubt in answer[1])


def negated(answer: Answer) -> Answer:
    return answer[0].negated(), answer[1]


class ResourceArn:
    """What a request is for: an ARN, every ARN of a pattern, or nothing in particular.

    In a text `*` and `?` are wildcards: `arn:aws:iam::*:role/*` asks about every role at once,
    and yes then means each of them. None is an action that takes no resource.
    """

    __slots__ = ("tokens",)

    def __init__(self, arn: str | Pattern | None) -> None:
        self.tokens: Tokens
        if arn is None:
            self.tokens = ("*",)
        elif isinstance(arn, str):
            self.tokens = text_tokens(arn, Wildcards.ARN)
        else:
            self.tokens = arn.arn_tokens

    @classmethod
    def exactly(cls, arn: str) -> ResourceArn:
        """One ARN, in which nothing is a wildcard: the key of an S3 object may hold a `*`."""
        return cls.of(tuple(arn))

    @classmethod
    def of(cls, tokens: Tokens) -> ResourceArn:
        found = cls(None)
        found.tokens = tokens
        return found


class _ActionNames:
    """The action patterns of one statement, sorted by service."""

    __slots__ = ("_answers", "_by_service", "_everywhere", "_is_all")

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self._by_service: dict[str, _ServicePatterns] = {}
        self._everywhere: list[Pattern] = []
        self._is_all = False
        for pattern in patterns:
            text = pattern.text.lower()
            service, _, name = text.partition(":")
            if text in ("*", "*:*") and not pattern.assumptions:
                self._is_all = True
            elif not pattern.is_known or "*" in service or "?" in service:
                self._everywhere.append(pattern)
            else:
                known = self._by_service.get(service)
                if known is None:
                    known = self._by_service[service] = _ServicePatterns()
                known.add(name, bool(pattern.assumptions))

    def covers(self, service: str, name: str) -> Answer:
        if self._is_all:
            return YES
        best = NO
        own = self._by_service.get(service)
        if own is not None:
            best = own.covers(name)
        if best is YES or not self._everywhere:
            return best
        return best_of((best, *(_covers(p, service, name) for p in self._everywhere)))


class _ServicePatterns:
    __slots__ = ("assumed", "globs", "literals")

    def __init__(self) -> None:
        self.literals: set[str] = set()
        self.globs: list[re.Pattern[str]] = []
        self.assumed: list[str] = []

    def add(self, name: str, is_assumed: bool) -> None:
        if is_assumed:
            self.assumed.append(name)
        elif "*" in name or "?" in name:
            self.globs.append(glob_regex(name))
        else:
            self.literals.add(name)

    def covers(self, name: str) -> Answer:
        if name in self.literals or any(glob.match(name) for glob in self.globs):
            return YES
        if any(glob_regex(assumed).match(name) for assumed in self.assumed):
            return Truth.MAYBE, Doubt.ASSUMPTION
        return NO


def _covers(pattern: Pattern, service: str, name: str) -> Answer:
    parts = texts_of(pattern.parts)
    lowered = tuple(p if isinstance(p, Symbol) else p.lower() for p in parts)
    if lowered in (("*",), ("*:*",)):
        truth = Truth.YES
    else:
        wanted = tokenize(lowered, Wildcards.TEXT)
        truth = text_matches(wanted, tuple(f"{service}:{name}"))
    if pattern.assumptions:
        return min(truth, Truth.MAYBE), Doubt.ASSUMPTION
    return truth, Doubt.HOLE if truth is Truth.MAYBE else Doubt.NONE


class StatementMatcher:
    """One statement of a document."""

    __slots__ = (
        "_actions",
        "_answers",
        "_covering",
        "_of_service",
        "_prefixes",
        "_resources",
        "_uses_variables",
        "conditions",
        "document",
        "is_about_everything",
        "standing",
        "statement",
    )

    def __init__(self, document: Document, statement: Statement) -> None:
        self.document = document
        self.statement = statement
        variables = document.has_policy_variables
        self.conditions = tuple(ConditionMatcher(c, variables) for c in statement.conditions)
        self._actions = _ActionNames(statement.actions)
        self._uses_variables = variables and any(
            "${" in part
            for pattern in statement.resources
            for part in pattern.parts
            if isinstance(part, str)
        )
        self._resources: tuple[tuple[Tokens, bool], ...] = ()
        if not self._uses_variables:
            self._resources = tuple(self._tokens(None))
        self.is_about_everything = (
            statement.has_resource
            and not statement.is_not_resource
            and not self.needs_context
            and any(is_anything(tokens) and not assumed for tokens, assumed in self._resources)
        )
        """Whether neither the resource nor the context of a request matters to it."""
        self._answers: dict[ResourceArn, Answer] = {}
        self._covering: dict[str, Pattern | None] = {}
        self._of_service: dict[str, tuple[Pattern, ...]] = {}
        self._prefixes: list[tuple[Pattern, str]] | None = None
        doubt = Doubt.NONE
        if statement.assumptions:
            doubt |= Doubt.ASSUMPTION
        if not statement.is_effect_known:
            doubt |= Doubt.HOLE
        self.standing: Answer = (Truth.MAYBE, doubt) if doubt else YES
        """Whether the statement is there, and with this effect: a choice may decide."""

    # ---- elements

    def action(self, service: str, name: str) -> Answer:
        """Whether it is about an action, both parts of whose name are in lower case."""
        answer = self._actions.covers(service, name)
        return negated(answer) if self.statement.is_not_action else answer

    def action_pattern(self, action: str, catalog: Catalog) -> Pattern | None:
        """The pattern that covers an action, or may; None where `NotAction` leaves it in."""
        if action not in self._covering:
            self._covering[action] = self._action_pattern(action, catalog)
        return self._covering[action]

    def _action_pattern(self, action: str, catalog: Catalog) -> Pattern | None:
        if self.statement.is_not_action:
            return None
        service = action.partition(":")[0].lower()
        for pattern in self._patterns_of(service):
            if action in catalog.expand(pattern.text):
                return pattern
        return next((each for each in self.statement.actions if not each.is_known), None)

    def _patterns_of(self, service: str) -> tuple[Pattern, ...]:
        """The action patterns without holes that can be about a service."""
        found = self._of_service.get(service)
        if found is None:
            found = self._of_service[service] = tuple(
                pattern
                for pattern, prefix in self._known_patterns()
                if prefix == service or "*" in prefix or "?" in prefix
            )
        return found

    def _known_patterns(self) -> list[tuple[Pattern, str]]:
        if self._prefixes is None:
            self._prefixes = [
                (pattern, pattern.text.partition(":")[0].lower())
                for pattern in self.statement.actions
                if pattern.is_known
            ]
        return self._prefixes

    @property
    def tells_apart(self) -> bool:
        """Whether the users of one account, or its roles, are not alike to it."""
        return (
            self.needs_context
            or self.statement.is_not_principal
            or any(is_about_one(principal) for principal in self.statement.principals)
        )

    @property
    def needs_context(self) -> bool:
        """Whether it depends on who asks, when and from where."""
        return self._uses_variables or bool(self.conditions)

    def resource(self, arn: ResourceArn, context: Context) -> Answer:
        if not self.statement.has_resource:
            return YES
        if self._uses_variables:
            return self._resource(arn, tuple(self._tokens(variables_from(context))))
        answer = self._answers.get(arn)
        if answer is None:
            answer = self._answers[arn] = self._resource(arn, self._resources)
        return answer

    def _tokens(self, variable: Callable[[str], Tokens] | None) -> Iterator[tuple[Tokens, bool]]:
        for pattern in self.statement.resources:
            if variable is None:
                yield pattern.arn_tokens, bool(pattern.assumptions)
                continue
            try:
                tokens = tokenize(texts_of(pattern.parts), Wildcards.ARN, variable)
            except UnresolvedVariableError:
                continue  # a variable without a value is like no text at all
            yield tokens, bool(pattern.assumptions)

    def _resource(self, arn: ResourceArn, patterns: tuple[tuple[Tokens, bool], ...]) -> Answer:
        answer = best_of(_lies_in(arn.tokens, tokens, assumed) for tokens, assumed in patterns)
        return negated(answer) if self.statement.is_not_resource else answer

    def principal(self, caller: Caller, *, is_bounded: bool = False) -> tuple[Truth, Via]:
        """Whether it is about a caller, and how it names it.

        `is_bounded`: the caller has a permissions boundary.
        """
        statement = self.statement
        if not statement.has_principal:
            return Truth.YES, Via.ANYONE
        if statement.is_not_principal:
            return self._leaves_out(caller, is_bounded=is_bounded).negated(), Via.ANYONE
        best = (Truth.NO, Via.NOBODY)
        for principal in statement.principals:
            truth, via = names(principal, caller)
            if principal.pattern.assumptions:
                truth = min(truth, Truth.MAYBE)
            if (truth, _DIRECTNESS[via]) > (best[0], _DIRECTNESS[best[1]]):
                best = (truth, via)
        return best

    def naming_doubt(self, caller: Caller) -> Doubt:
        """What it hangs on whether a caller is named, where that is a maybe."""
        is_near = any(is_namesake(principal, caller) for principal in self.statement.principals)
        return Doubt.PLACE if is_near and not self.statement.is_not_principal else Doubt.HOLE

    def _leaves_out(self, caller: Caller, *, is_bounded: bool) -> Truth:
        """Whether a `NotPrincipal` spares the caller.

        It has to be named itself, and its account too: AWS may look at the account first.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
        """
        if is_bounded and not self.statement.is_allow:
            return Truth.NO  # such a Deny always denies whoever has a permissions boundary
        own = account = Truth.NO
        for principal in self.statement.principals:
            truth, via = names(principal, caller)
            if principal.pattern.assumptions:
                truth = min(truth, Truth.MAYBE)
            if via is Via.ACCOUNT:
                account = max(account, truth)
            elif via is Via.ANYONE:
                own = account = max(own, truth)
            else:
                own = max(own, truth)
        match caller.kind:
            case CallerKind.ROOT:
                return account
            case CallerKind.ACCOUNT:
                return min(account, Truth.MAYBE)
        if self.statement.is_allow or not caller.is_aws:
            return max(own, account)
        return min(own, max(account, Truth.MAYBE))

    def conditions_hold(
        self,
        context: Context,
        never: Callable[[str], bool] | None = None,
        since: Decimal | None = None,
        homes: tuple[str, ...] = (),
    ) -> Answer:
        """Whether all conditions are met.

        `never` knows keys that no such request carries; no request is made before `since`, and
        all go to one of `homes`, if there are any.
        """
        truth, doubt = YES
        for condition in self.conditions:
            if never is not None and condition.key is not None and never(condition.key):
                one: Answer = condition.when_absent(), Doubt.NONE
            elif homes and condition.key == REGION:
                one = condition.holds_in(homes, context)
            else:
                one = condition.holds(context, since)
            if one[0] is Truth.NO:
                return NO
            truth = min(truth, one[0])
            doubt |= one[1]
        return truth, doubt


def _lies_in(asked: Tokens, pattern: Tokens, is_assumed: bool) -> Answer:
    """Whether what is asked about lies in a resource pattern."""
    if is_anything(pattern):
        truth = Truth.YES
    else:
        truth = text_matches(pattern, asked)
    if truth is Truth.NO or (truth is Truth.YES and not is_assumed):
        return truth, Doubt.NONE
    if is_assumed:
        return Truth.MAYBE, Doubt.ASSUMPTION
    if relation(asked, pattern) is Relation.OVERLAPS:
        return Truth.MAYBE, Doubt.PART
    if any(sign.startswith("${") for sign in pattern if len(sign) > 1):
        return Truth.MAYBE, Doubt.CONDITION
    match relation_in_place(asked, pattern):
        case Relation.INSIDE:
            return Truth.MAYBE, Doubt.PLACE
        case Relation.OVERLAPS:
            return Truth.MAYBE, Doubt.PLACE | Doubt.PART
        case _:
            return Truth.MAYBE, Doubt.HOLE


class DocumentMatcher:
    """All statements of a document, by action."""

    __slots__ = ("_by_action", "_tells_apart", "document", "statements")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.statements = tuple(StatementMatcher(document, s) for s in document.statements)
        self._by_action: dict[str, tuple[tuple[StatementMatcher, Answer], ...]] = {}
        self._tells_apart: dict[str, bool] = {}

    def about(self, action: str) -> tuple[tuple[StatementMatcher, Answer], ...]:
        """The statements that are, or may be, about an action given in lower case."""
        found = self._by_action.get(action)
        if found is None:
            service, _, name = action.partition(":")
            answers = ((s, s.action(service, name)) for s in self.statements)
            found = tuple((s, answer) for s, answer in answers if answer[0] is not Truth.NO)
            self._by_action[action] = found
        return found

    def tells_apart(self, action: str) -> bool:
        """Whether users of one account, or its roles, may get different answers about an action.

        As a policy of a resource; the action is given in lower case.
        """
        found = self._tells_apart.get(action)
        if found is None:
            found = any(matcher.tells_apart for matcher, _ in self.about(action))
            self._tells_apart[action] = found
        return found


_DIRECTNESS = {Via.NOBODY: 0, Via.ACCOUNT: 1, Via.ROLE: 2, Via.ANYONE: 3, Via.DIRECT: 4}
