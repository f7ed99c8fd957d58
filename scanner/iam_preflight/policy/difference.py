"""Whether new policies allow anything that old ones do not.

    match difference(old, new):
        case NoNewAccess(): ...
        case NewAccess(witnesses): ...
        case Undecided(reason): ...

*No new access* is a proof, for all that the policies say; *new access* comes with a request that
the evaluator allows under the new policies and not under the old; *undecided* is neither, and
must not be taken for *no*. Context keys are taken to be independent of each other, except those
that the caller fixes.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.knowledge.catalog import catalog as shipped_catalog
from iam_preflight.policy.automaton import TooLarge
from iam_preflight.policy.clauses import Side, Stack
from iam_preflight.policy.context import Context, Presence, symbol_of
from iam_preflight.policy.document import Document, Effect, Pattern, Statement
from iam_preflight.policy.domains import NotModelled
from iam_preflight.policy.evaluate import PolicySet
from iam_preflight.policy.matchers import ResourceArn
from iam_preflight.policy.pair import Asked, Pair, is_variable, variable_key
from iam_preflight.policy.rewriting import as_assumptions, decided, environments, said_by
from iam_preflight.policy.search import MAX_NAMES, STAR, Find, Limits, Search
from iam_preflight.policy.solver import solve
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iam_preflight.knowledge.catalog import Catalog
    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.callers import Caller
    from iam_preflight.policy.context import ContextValue
    from iam_preflight.values import Assumptions

MAX_WITNESSES = 10
MAX_TRIALS = 60
"""Values tried for holes and variables."""


class Witness(Struct, frozen=True):
    """A request that the new policies allow and the old ones do not."""

    action: str
    """As AWS spells it; made up where only actions that AWS may add are new."""
    is_known: bool
    """Whether AWS has the action today."""
    resource: str | None
    """An ARN, with `«name»` for a hole; `*` for an action without resource, None for trust."""
    context: tuple[tuple[str, tuple[str, ...] | None], ...]
    """The keys that matter, with their values; None for a key that must be absent."""
    statements: tuple[Statement, ...]
    """The new policies' statements that allow it."""
    caller: Caller | None = None
    actions: tuple[str, ...] = ()
    """Other actions of AWS's that are new in the same way."""
    depends_on: tuple[str, ...] = ()
    """Holes whose values could make it no new access after all."""
    assumptions: Assumptions = ()
    """Choices in the code under which it is so."""


class NoNewAccess(Struct, frozen=True):
    """Whatever the new policies allow, the old ones allow too."""


class NewAccess(Struct, frozen=True):
    witnesses: tuple[Witness, ...]

    @property
    def is_certain(self) -> bool:
        """Whether one of the witnesses hangs on nothing unknown."""
        return any(not w.depends_on and not w.assumptions for w in self.witnesses)


class Undecided(Struct, frozen=True):
    reason: str


Difference: TypeAlias = "NoNewAccess | NewAccess | Undecided"
Policies: TypeAlias = "Document | Sequence[Document] | PolicySet"


def difference(
    old: Policies,
    new: Policies,
    *,
    limits: Limits | None = None,
    catalog: Catalog | None = None,
    max_witnesses: int = MAX_WITNESSES,
) -> Difference:
    """Whether `new` allows a request that `old` does not.

    Documents are taken together, as those of one principal are; a `PolicySet` counts its
    boundary, session and control policies too. Policies with principals (of resources, or trust)
    are asked about every caller.
    """
    comparison = _Comparison(
        limits or Limits(), catalog or shipped_catalog(), max(1, max_witnesses)
    )
    return comparison.compare(_stack(old), _stack(new))


def _stack(policies: Policies) -> Stack:
    if isinstance(policies, Document):
        return ((policies,),)
    if not isinstance(policies, PolicySet):
        return (tuple(policies),)
    denials = tuple(document for level in policies.rcps for document in level)
    resource = () if policies.resource is None else (policies.resource,)
    limits = (policies.session, policies.endpoint, *policies.scps)
    boundary = () if policies.boundary is None else ((policies.boundary,),)
    own = (*policies.identity, *resource, *denials)
    return (own, *boundary, *(layer for layer in limits if layer))


class _Comparison:
    def __init__(self, limits: Limits, catalog: Catalog, max_witnesses: int) -> None:
        self.limits = limits
        self.catalog = catalog
        self.max_witnesses = max_witnesses

    # ---- what is not known

    def compare(self, old: Stack, new: Stack) -> Difference:
        lost_old, lost_new = _lost(old), _lost(new)
        found = self._whatever_is_chosen(old, new)
        if not lost_old and not lost_new:
            return found
        labels = tuple(sorted(lost_old | lost_new))
        if isinstance(found, NewAccess):
            return NewAccess(tuple(replace(w, depends_on=labels) for w in found.witnesses))
        if isinstance(found, NoNewAccess) and lost_old == lost_new and len(old) == len(new) == 1:
            # the same unknown statements on both sides: what they allow is new where a Deny went
            denials = self._whatever_is_chosen(_only_denials(old), _only_denials(new))
            if isinstance(denials, NoNewAccess):
                return found
        return Undecided(f"there are statements that are not known: {', '.join(labels)}")

    def _whatever_is_chosen(self, old: Stack, new: Stack) -> Difference:
        """The answer for every way that the code's undecided choices can turn out."""
        if [list(map(said_by, layer)) for layer in old] == [
            list(map(said_by, layer)) for layer in new
        ]:
            return NoNewAccess()
        ways = environments(
            document for stack in (old, new) for layer in stack for document in layer
        )
        if ways is None:
            return Undecided("the policies hang on too many undecided choices")
        doubt: Undecided | None = None
        for way in ways:
            decided_old, decided_new = (
                tuple(tuple(decided(d, way) for d in layer) if way else layer for layer in stack)
                for stack in (old, new)
            )
            found = self._compare(Pair(decided_old, decided_new))
            match found:
                case NewAccess(witnesses=witnesses):
                    given = as_assumptions(way)
                    return NewAccess(tuple(replace(w, assumptions=given) for w in witnesses))
                case Undecided():
                    doubt = doubt or found
        return doubt or NoNewAccess()

    # ---- policies without choices

    def _compare(self, pair: Pair) -> Difference:
        try:
            witnesses, is_open = self._witnesses(pair)
            if witnesses:
                return NewAccess(witnesses)
            if not pair.symbols and not pair.is_guessed:
                return _undecided(pair) if is_open else NoNewAccess()
            if not any(self._search(pair, is_sound=True).finds()):
                return NoNewAccess()
        except TooLarge:
            return self._by_solver(pair, Undecided("the policies are too involved to compare"))
        except NotModelled as error:
            return self._by_solver(pair, Undecided(str(error)))
        return self._for_some_value(pair)

    def _search(self, pair: Pair, *, is_sound: bool) -> Search:
        return Search(
            pair.clauses, pair.layers, pair.callers, self.limits, self.catalog, is_sound=is_sound
        )

    def _witnesses(self, pair: Pair) -> tuple[tuple[Witness, ...], bool]:
        """Confirmed finds, and whether there are finds that could not be confirmed."""
        witnesses: list[Witness] = []
        is_open = False
        search = self._search(pair, is_sound=False)
        for find in search.finds():
            if not find.action.is_known:
                find = _with_known_names(find, search)
            witness = self._confirmed(pair, find)
            if witness is None:
                is_open = True
                continue
            witnesses.append(witness)
            if len(witnesses) == self.max_witnesses:
                break
        witnesses.sort(key=lambda witness: not witness.is_known)
        return tuple(witnesses), is_open

    def _confirmed(self, pair: Pair, find: Find) -> Witness | None:
        """A find as a request that the evaluator allows now and did not before."""
        values = pair.fresh_values
        concrete = pair.with_fresh_values
        names = [n for n in find.action.names if _is_new(concrete, _asked(n, find, values))]
        if not names:
            return None
        variables = {name: value for name, value in values.items() if is_variable(name)}
        symbolic = _asked(names[0], find, variables)
        return Witness(
            names[0],
            find.action.is_known,
            None if find.resource is None else "".join(find.resource),
            tuple(
                (key, None if value is None else tuple(map("".join, value)))
                for key, value in sorted(find.context.items())
            ),
            tuple(pair.allowing(Side.NEW, symbolic)) or (find.focus.statement,),
            find.caller,
            tuple(names[1:]) if find.action.is_known else (),
            () if _is_new(pair, symbolic) else tuple(sorted(pair.holes)),
        )

    # ---- values of holes and variables

    def _for_some_value(self, pair: Pair) -> Difference:
        """Tries values for holes and variables."""
        symbols = sorted(pair.symbols)
        trials = itertools.product(pair.candidates(), repeat=len(symbols)) if symbols else ()
        for chosen in itertools.islice(trials, MAX_TRIALS):
            found = self._with_values(pair, dict(zip(symbols, chosen, strict=True)))
            if found is not None:
                return found
        return self._by_solver(pair, _undecided(pair))

    def _with_values(self, pair: Pair, given: dict[str, str]) -> Difference | None:
        """What is new for one value of a variable is new; for one of a hole it only may be."""
        try:
            witnesses, _ = self._witnesses(pair.with_values(given))
        except (TooLarge, NotModelled):
            return None
        if not witnesses:
            return None
        if pair.holes:
            what = (f'{name} is "{value}"' for name, value in given.items())
            return Undecided(f"there is new access if {' and '.join(what)}")
        keys = tuple((variable_key(name), (value,)) for name, value in given.items())
        return NewAccess(tuple(replace(w, context=(*w.context, *keys)) for w in witnesses))

    def _by_solver(self, pair: Pair, doubt: Undecided) -> Difference:
        """What z3 makes of it, where it is installed."""
        solution = solve(pair)
        if solution.is_new is False:
            return NoNewAccess()
        if solution.is_new and solution.symbols:
            return self._with_values(pair, dict(solution.symbols)) or doubt
        return doubt


def _with_known_names(find: Find, search: Search) -> Find:
    """The find with actions that AWS has, where it has any that are alike."""
    names = tuple(itertools.islice(search.known_like(find.action), MAX_NAMES))
    if not names:
        return find
    return replace(find, action=replace(find.action, names=names, is_known=True))


def _undecided(pair: Pair) -> Undecided:
    names = ", ".join(sorted(pair.symbols)) or "what is not known"
    return Undecided(f"it hangs on the values of {names}")


def _is_new(pair: Pair, asked: Asked) -> bool:
    return pair.allows(Side.NEW, asked) is Truth.YES and pair.allows(Side.OLD, asked) is Truth.NO


def _asked(name: str, find: Find, values: Mapping[str, str]) -> Asked:
    """A find as a request, with values for its symbols."""

    def text(tokens: Tokens) -> Tokens:
        if not values:
            return tokens
        return tuple(char for sign in tokens for char in values.get(sign, (sign,)))

    known: dict[str, ContextValue] = {
        key: Presence.ABSENT if value is None else tuple(map(text, value))
        for key, value in find.context.items()
    }
    for symbol, value in values.items():
        if is_variable(symbol):
            known.setdefault(variable_key(symbol), value)
    context = Context(known, Presence.ABSENT)
    if find.caller is not None:
        context = context.with_keys(find.caller.keys())
    return Asked(
        name.lower(),
        ResourceArn.of(STAR if find.resource is None else text(find.resource)),
        find.caller,
        context,
    )


def _lost(stack: Stack) -> frozenset[str]:
    return frozenset(
        symbol_of(hole) for layer in stack for document in layer for hole in document.lost
    )


def _only_denials(stack: Stack) -> Stack:
    """The stack with everything allowed that is not denied."""
    return tuple(
        tuple(
            replace(
                document,
                statements=(
                    *(s for s in document.statements if not s.is_allow),
                    *(_allowing_everything(document) if not number else ()),
                ),
            )
            for number, document in enumerate(layer)
        )
        for layer in stack
    )


def _allowing_everything(document: Document) -> Iterator[Statement]:
    anything = (Pattern(("*",), document.span),)
    yield Statement(Effect.ALLOW, anything, anything, (), (), document.span, 0)
