"""Conditions as boolean formulas, and which of them can hold together.

A condition compares parameters with values. One that nobody can decide keeps both arms of every
`Fn::If` on it; arms that contradict each other (`IsProd` and `IsDev`, or `IsProd` and
`Env = "dev"`) are pruned by looking for values of the parameters that make all of them true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MAX_STEPS = 2_000
"""Assignments that are tried before formulas are taken to be possible."""

OTHER = "\0other"
"""A value that no constant of the template equals."""


class Constant(Struct, frozen=True):
    value: bool


class Equal(Struct, frozen=True):
    """A parameter (or whatever else is not known) has a value."""

    subject: str
    value: str


class Same(Struct, frozen=True):
    """Two things that are not known are equal."""

    left: str
    right: str


class Every(Struct, frozen=True):
    parts: tuple[Formula, ...]


class Some(Struct, frozen=True):
    parts: tuple[Formula, ...]


class Negation(Struct, frozen=True):
    part: Formula


Formula: TypeAlias = "Constant | Equal | Same | Every | Some | Negation"

TRUE = Constant(True)
FALSE = Constant(False)


def every(parts: Iterable[Formula]) -> Formula:
    kept: list[Formula] = []
    for part in parts:
        if part == FALSE:
            return FALSE
        if part != TRUE and part not in kept:
            kept.append(part)
    if not kept:
        return TRUE
    return kept[0] if len(kept) == 1 else Every(tuple(kept))


def some(parts: Iterable[Formula]) -> Formula:
    kept: list[Formula] = []
    for part in parts:
        if part == TRUE:
            return TRUE
        if part != FALSE and part not in kept:
            kept.append(part)
    if not kept:
        return FALSE
    return kept[0] if len(kept) == 1 else Some(tuple(kept))


def negate(part: Formula) -> Formula:
    match part:
        case Constant(value=value):
            return Constant(not value)
        case Negation(part=inner):
            return inner
        case _:
            return Negation(part)


def is_possible(formula: Formula, allowed: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether some values make the formula true; yes where the search is too long.

    `allowed` has the values that a subject may have, where they are limited.
    """
    if isinstance(formula, Constant):
        return formula.value
    return _Search(formula, allowed).run()


class _Search:
    def __init__(self, formula: Formula, allowed: Mapping[str, tuple[str, ...]]) -> None:
        self.formula = formula
        self.domains: dict[str, list[str]] = {}
        self.steps = 0
        constants: dict[str, None] = {}
        for atom in atoms_of(formula):
            if isinstance(atom, Equal):
                self.domains.setdefault(atom.subject, [])
                constants[atom.value] = None
                if atom.value not in self.domains[atom.subject]:
                    self.domains[atom.subject].append(atom.value)
            else:
                for name in (atom.left, atom.right):
                    self.domains.setdefault(name, [])
        paired = {
            name
            for atom in atoms_of(formula)
            if isinstance(atom, Same)
            for name in (atom.left, atom.right)
        }
        for name in paired:
            constants |= dict.fromkeys(allowed.get(name, ()))
        for name, values in self.domains.items():
            if name in allowed:
                self.domains[name] = list(allowed[name])
            elif name in paired:
                self.domains[name] = [*constants, OTHER, f"{OTHER} {name}"]
            else:
                values.append(OTHER)
        self.names = sorted(self.domains, key=lambda name: len(self.domains[name]))

    def run(self) -> bool:
        return self._extend({}, 0)

    def _extend(self, chosen: dict[str, str], depth: int) -> bool:
        verdict = _truth(self.formula, chosen)
        if verdict is not None:
            return verdict
        self.steps += 1
        if self.steps > MAX_STEPS or depth >= len(self.names):
            return True
        name = self.names[depth]
        for value in self.domains[name]:
            chosen[name] = value
            if self._extend(chosen, depth + 1):
                return True
        chosen.pop(name, None)
        return False


def atoms_of(formula: Formula) -> Iterator[Equal | Same]:
    match formula:
        case Equal() | Same():
            yield formula
        case Every(parts=parts) | Some(parts=parts):
            for part in parts:
                yield from atoms_of(part)
        case Negation(part=part):
            yield from atoms_of(part)
        case Constant():
            return


def _truth(formula: Formula, chosen: Mapping[str, str]) -> bool | None:
    """Whether the formula holds under the values chosen so far; None where they do not decide."""
    match formula:
        case Constant(value=value):
            return value
        case Equal(subject=subject, value=wanted):
            found = chosen.get(subject)
            return None if found is None else found == wanted
        case Same(left=left, right=right):
            first, second = chosen.get(left), chosen.get(right)
            return None if first is None or second is None else first == second
        case Negation(part=part):
            inner = _truth(part, chosen)
            return None if inner is None else not inner
        case Every(parts=parts):
            return _fold(parts, chosen, decides=False)
        case Some(parts=parts):
            return _fold(parts, chosen, decides=True)


def _fold(parts: tuple[Formula, ...], chosen: Mapping[str, str], *, decides: bool) -> bool | None:
    verdict: bool | None = not decides
    for part in parts:
        inner = _truth(part, chosen)
        if inner is decides:
            return decides
        if inner is None:
            verdict = None
    return verdict


class Possibilities:
    """Remembers which formulas are possible: the same few are asked for again and again."""

    __slots__ = ("_allowed", "_known", "_meaning")

    def __init__(
        self,
        allowed: Mapping[str, tuple[str, ...]],
        meaning: Callable[[str, bool | str], Formula],
    ) -> None:
        self._allowed = allowed
        self._meaning = meaning
        self._known: dict[frozenset[tuple[str, bool | str]], bool] = {}

    def is_possible(self, formula: Formula, *, negated: bool = False) -> bool:
        return is_possible(negate(formula) if negated else formula, self._allowed)

    def can_hold(self, *facts: tuple[str, bool | str]) -> bool:
        """Whether conditions with these outcomes, and parameters with these values, go together."""
        key = frozenset(facts)
        known = self._known.get(key)
        if known is None:
            formula = every(self._meaning(subject, holds) for subject, holds in key)
            known = self._known[key] = is_possible(formula, self._allowed)
        return known
