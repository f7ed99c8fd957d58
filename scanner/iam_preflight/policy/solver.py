"""The question of new access as formulas for z3, for policies that the search cannot settle.

Needs the `z3-solver` package, which is optional. What cannot be put exactly, or takes too long,
stays undecided.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from iam_preflight.policy.automaton import ANY, ANY_INSIDE, ONE, ONE_INSIDE
from iam_preflight.policy.clauses import Side
from iam_preflight.policy.conditions import ORDERS, date_of, network_of, number_of
from iam_preflight.policy.globs import Symbol, Wildcards, text_tokens
from iam_preflight.policy.search import ANY_ARN, pinned
from iam_preflight.policy.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.callers import Caller
    from iam_preflight.policy.clauses import Atom, Clause
    from iam_preflight.policy.pair import Pair

TIMEOUT_MS = 3_000


class NotExpressible(Exception):
    """Something that has no exact formula."""


class Solution(Struct, frozen=True):
    """Whether there is new access (None: not settled), and the values of symbols if there is."""

    is_new: bool | None
    symbols: tuple[tuple[str, str], ...] = ()


def solve(pair: Pair) -> Solution:
    """Asks z3, where it is installed."""
    try:
        z3 = importlib.import_module("z3")
    except ImportError:
        return Solution(None)
    if pair.is_guessed:
        return Solution(None)
    try:
        for caller in pair.callers or (None,):
            found = _Formulas(z3, pair, caller).solve()
            if found.is_new is not False:
                return found
    except NotExpressible:
        return Solution(None)
    return Solution(False)


class _Formulas:
    """The formulas for one caller. z3 has no types to speak of."""

    def __init__(self, z3: Any, pair: Pair, caller: Caller | None) -> None:
        self.z3 = z3
        self.pair = pair
        self.caller = caller
        self.pinned = pinned(caller)
        self.action = z3.String("action")
        self.resource = z3.String("resource")
        self.symbols = {symbol: z3.String(f"symbol {symbol}") for symbol in pair.symbols}
        self.keys: dict[str, _Key] = {}
        uses: dict[str, list[Atom]] = {}
        for clause in pair.clauses:
            for atom in clause.atoms:
                if atom.key is not None:
                    uses.setdefault(atom.key, []).append(atom)
        for key, atoms in uses.items():
            self.keys[key] = _Key(z3, key, atoms)

    def solve(self) -> Solution:
        z3 = self.z3
        solver = z3.Solver()
        solver.set("timeout", TIMEOUT_MS)
        printable = z3.Star(self._any())
        solver.add(z3.InRe(self.action, self._regex(text_tokens("?*:?*", Wildcards.TEXT))))
        solver.add(
            z3.Or(self.resource == "*", z3.InRe(self.resource, self._regex(ANY_ARN))),
        )
        for value in self.symbols.values():
            solver.add(z3.InRe(value, printable), z3.Length(value) > 0)
        for name, key in self.keys.items():
            solver.add(*key.constraints)
            for text in key.texts:
                solver.add(z3.InRe(text, printable))
            if name in self.pinned:
                solver.add(*self._pin(key, self.pinned[name]))
        solver.add(self._allows(Side.NEW), z3.Not(self._allows(Side.OLD)))
        answer = solver.check()
        if answer == z3.unsat:
            return Solution(False)
        if answer != z3.sat:
            return Solution(None)
        model = solver.model()
        values = tuple(
            (symbol, model.eval(variable, model_completion=True).as_string())
            for symbol, variable in self.symbols.items()
        )
        return Solution(True, values)

    def _pin(self, key: _Key, value: tuple[Tokens, ...] | None) -> Iterator[Any]:
        if value is None:
            yield self.z3.Not(key.is_there)
            return
        yield key.is_there
        if len(value) != 1 or len(key.texts) != 1:
            raise NotExpressible
        yield key.texts[0] == self._text(value[0])

    # ---- policies

    def _allows(self, side: Side) -> Any:
        z3 = self.z3
        clauses = [clause for clause in self.pair.clauses if clause.side is side]
        denied = z3.Or([self._applies(clause) for clause in clauses if not clause.is_allow])
        allowed = [
            z3.Or([self._applies(c) for c in clauses if c.is_allow and c.layer == layer])
            for layer in range(self.pair.layers[side])
        ]
        return z3.And(*allowed, z3.Not(denied))

    def _applies(self, clause: Clause) -> Any:
        z3 = self.z3
        statement = clause.statement
        if self.caller is not None:
            truth, _ = clause.matcher.principal(self.caller)
            if truth is Truth.MAYBE:
                raise NotExpressible
            if truth is Truth.NO:
                return z3.BoolVal(False)
        actions = z3.Or(
            [
                z3.InRe(
                    self.action,
                    self._regex(text_tokens(f"{p.service}:{p.name}", Wildcards.TEXT)),
                )
                for p in clause.actions
            ]
        )
        formulas = [z3.Not(actions) if statement.is_not_action else actions]
        if statement.has_resource:
            resources = z3.Or([self._matches(self.resource, p) for p in clause.resources])
            formulas.append(z3.Not(resources) if statement.is_not_resource else resources)
        formulas.extend(self._holds(atom) for atom in clause.atoms)
        return z3.And(formulas)

    # ---- text

    def _any(self) -> Any:
        # a wider range misbehaves in some versions of z3
        return self.z3.Range(" ", "~")

    def _regex(self, pattern: Tokens) -> Any:
        z3 = self.z3
        inside = z3.Union(z3.Range(" ", "9"), z3.Range(";", "~"))
        parts = [z3.Re("")]
        for sign in pattern:
            match sign:
                case _ if sign == ANY:
                    parts.append(z3.Star(self._any()))
                case _ if sign == ONE:
                    parts.append(self._any())
                case _ if sign == ANY_INSIDE:
                    parts.append(z3.Star(inside))
                case _ if sign == ONE_INSIDE:
                    parts.append(inside)
                case _ if len(sign) == 2:
                    parts.append(z3.Union(z3.Re(sign[1]), z3.Re(sign[1].upper())))
                case _:
                    parts.append(z3.Re(sign))
        return z3.Concat(*parts, z3.Re(""))

    def _text(self, text: Tokens) -> Any:
        z3 = self.z3
        parts = [
            self.symbols[sign] if isinstance(sign, Symbol) else z3.StringVal(sign) for sign in text
        ]
        return z3.Concat(z3.StringVal(""), z3.StringVal(""), *parts)

    def _matches(self, text: Any, pattern: Tokens) -> Any:
        """Whether a text matches a pattern; one with symbols only if it is `*text*` at most."""
        z3 = self.z3
        if not any(isinstance(sign, Symbol) for sign in pattern):
            return z3.InRe(text, self._regex(pattern))
        starts = pattern[:1] != (ANY,)
        ends = pattern[-1:] != (ANY,)
        middle = pattern[0 if starts else 1 : len(pattern) if ends else -1]
        if any(sign in (ANY, ONE, ANY_INSIDE, ONE_INSIDE) or len(sign) == 2 for sign in middle):
            raise NotExpressible
        known = self._text(middle)
        if starts and ends:
            return text == known
        if starts:
            return z3.PrefixOf(known, text)
        return z3.SuffixOf(known, text) if ends else z3.Contains(text, known)

    # ---- conditions

    def _holds(self, atom: Atom) -> Any:
        z3 = self.z3
        if atom.key is None:
            raise NotExpressible
        how = atom.condition.operator
        key = self.keys[atom.key]
        if how.base == "null":
            wanted = {value.text.lower() for value in atom.condition.values}
            return z3.Or(
                z3.And("true" in wanted, z3.Not(key.is_there)),
                z3.And("false" in wanted, key.is_there),
            )
        met = []
        for number in range(key.count):
            one = z3.Or([self._meets(atom, key, number, i) for i in range(len(atom.values))])
            met.append(z3.Not(one) if how.is_negated else one)
        if how.quantifier == "foranyvalue":
            there = z3.Or([z3.And(u, m) for u, m in zip(key.used, met, strict=True)])
        else:
            there = z3.And([z3.Implies(u, m) for u, m in zip(key.used, met, strict=True)])
        absent = (
            how.is_if_exists
            or how.quantifier == "forallvalues"
            or (how.is_negated and not how.quantifier)
        )
        return z3.If(key.is_there, there, z3.BoolVal(absent))

    def _meets(self, atom: Atom, key: _Key, number: int, index: int) -> Any:
        z3 = self.z3
        base = atom.condition.operator.base
        written = atom.condition.values[index]
        if atom.is_text:
            return self._matches(key.texts[number], atom.values[index])
        if not written.is_known:
            raise NotExpressible
        if base == "ipaddress":
            network = network_of(written.text)
            if network is None:
                return z3.BoolVal(False)
            address = key.numbers[number]
            return z3.And(
                key.is_v6[number] == (network.version == 6),
                address >= int(network.network_address),
                address <= int(network.broadcast_address),
            )
        wanted = (date_of if base.startswith("date") else number_of)(written.text)
        if wanted is None:
            return z3.BoolVal(False)
        order = ORDERS[base.removeprefix("date").removeprefix("numeric")]
        return order(key.numbers[number], z3.RealVal(str(wanted)))


class _Key:
    """The values of one key: as many as its set operators can tell apart."""

    def __init__(self, z3: Any, name: str, atoms: list[Atom]) -> None:
        quantified = any(atom.condition.operator.quantifier for atom in atoms)
        self.count = len({atom.said for atom in atoms}) if quantified else 1
        self.is_there = z3.Bool(f"there {name}")
        self.used = [z3.Bool(f"used {name} {i}") for i in range(self.count)]
        kinds = {_kind(atom) for atom in atoms if atom.condition.operator.base != "null"}
        if len(kinds) > 1:
            raise NotExpressible
        kind = next(iter(kinds), "text")
        self.texts: list[Any] = []
        self.numbers: list[Any] = []
        self.is_v6: list[Any] = []
        self.constraints: list[Any] = [z3.Or(self.used)] if quantified else list(self.used)
        if kind == "text":
            self.texts = [z3.String(f"text {name} {i}") for i in range(self.count)]
            if {a.condition.operator.base for a in atoms} <= {"bool", "null"}:
                for text in self.texts:
                    self.constraints.append(z3.Or(text == "true", text == "false"))
        elif kind == "number":
            self.numbers = [z3.Real(f"number {name} {i}") for i in range(self.count)]
        else:
            self.numbers = [z3.Int(f"address {name} {i}") for i in range(self.count)]
            self.is_v6 = [z3.Bool(f"v6 {name} {i}") for i in range(self.count)]
            for number, is_v6 in zip(self.numbers, self.is_v6, strict=True):
                self.constraints += [number >= 0, number < z3.If(is_v6, 2**128, 2**32)]


def _kind(atom: Atom) -> str:
    if atom.is_text:
        return "text"
    return "address" if atom.condition.operator.base == "ipaddress" else "number"
