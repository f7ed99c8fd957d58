"""What an expression is evaluated in: a frame, local names, and what is taken for granted.

A frame is one instance of one module (or something that stands for it, as a terragrunt.hcl
does). The assumptions of a scope are those under which the expression matters at all: inside
the `true` arm of an undecided condition that condition holds, so a second question about it has
one answer. That is what keeps alternatives from multiplying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import Struct

from iam_preflight.timing import TIMEOUT, Stopwatch
from iam_preflight.values import Assumptions, Unknown, Value, combine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.errors import Problem
    from iam_preflight.source import SourceFile, Span
    from iam_preflight.terraform.functions.arguments import Function
    from iam_preflight.terraform.tree import Expression, Template

Evaluate: TypeAlias = "Callable[[Expression, Scope], Value]"
"""What evaluates expressions: handed to whatever has expressions inside of its own."""

MAX_STEPS = 12_000_000
"""Expressions evaluated for one root; the largest real one seen needs a twentieth of it."""
_QUANTUM = 20_000
"""Expressions between two looks at the watch."""


class Budget:
    """How much work evaluation may still do."""

    __slots__ = ("_more", "steps", "watch")

    def __init__(self, steps: int = MAX_STEPS, seconds: float = TIMEOUT) -> None:
        self.watch = Stopwatch(seconds)
        self.steps = 0
        """What may be done before somebody has to ask for more."""
        self._more = steps

    def renew(self) -> str:
        """Makes room for more steps; says which bound was reached where there is none."""
        if self.watch.is_over:
            return f"it takes longer than {self.watch.limit:g} seconds"
        if self._more <= 0:
            return "the work for one configuration"
        self.steps = min(_QUANTUM, self._more)
        self._more -= self.steps
        return ""

    def spend(self, steps: int) -> str:
        """Takes steps for something else; says which bound was reached where there are too few."""
        self.steps -= steps
        return self.renew() if self.steps < 0 else ""

    def refill(self) -> None:
        """As much as there was at first."""
        self._more = MAX_STEPS
        self.watch = Stopwatch(self.watch.limit)


class Step(Struct, frozen=True):
    """One step of a reference: an attribute name, or an index key."""

    key: str | Expression
    span: Span


class Frame(Protocol):
    """What expressions can refer to, and what they may read."""

    budget: Budget
    problems: list[Problem]

    def resolve(self, root: str, steps: list[Step], scope: Scope) -> tuple[Value, int] | None:
        """The value that a reference begins with and how many steps it used up.

        None when there is nothing of that kind.
        """

    def read_file(self, path: str) -> SourceFile | None:
        """A file by its path from the root module; None when it may not or cannot be read."""

    def has_file(self, path: str) -> bool | None:
        """Whether there is such a file; None when the path leaves the tree."""

    def files_below(self, directory: str) -> Iterator[str] | None:
        """Files under a directory, relative to it; None when it leaves the tree."""

    def template_of(self, source: SourceFile, parse: Callable[[], Template]) -> Template:
        """A template file, parsed once."""

    def decoded(self, source: SourceFile, text: str, decode: Callable[[], Value]) -> Value:
        """What the text of a whole file holds, decoded once for all roots that read it."""

    def function(self, name: str) -> Function | None:
        """A function that only this kind of frame knows."""

    def planned_keys(self, address: str) -> list[str | int] | None:
        """The keys that a plan has for a repeated block; None when no plan knows the block."""

    def keep_secret(self, value: Value) -> Value:
        """Remembers what is marked as sensitive, so that no label shows it; the same value."""

    def limit(self, label: str, span: Span) -> Unknown:
        """Notes that a bound was reached; the hole for what was not evaluated."""


class Scope:
    """A frame and the names that loops, `each`, `count` and `self` add to it."""

    __slots__ = ("budget", "frame", "given", "is_closed", "names", "tries")

    def __init__(
        self,
        frame: Frame,
        names: dict[str, Value],
        given: Assumptions = (),
        *,
        tries: bool = False,
        is_closed: bool = False,
    ) -> None:
        self.frame = frame
        self.names = names
        self.given = given
        self.tries = tries
        """Inside `try` and `can` an alternative that is in error counts."""
        self.is_closed = is_closed
        """A template sees its own variables and nothing of the module."""
        self.budget = frame.budget

    def with_names(self, names: dict[str, Value], given: Assumptions | None = None) -> Scope:
        return Scope(
            self.frame,
            {**self.names, **names},
            self.given if given is None else given,
            tries=self.tries,
            is_closed=self.is_closed,
        )

    def assuming(self, more: Assumptions) -> Scope | None:
        """The scope with more assumptions; None when they contradict those it has."""
        if not more:
            return self
        given = combine(self.given, more)
        if given is None:
            return None
        return self.with_names({}, given)

    def trying(self) -> Scope:
        return Scope(self.frame, self.names, self.given, tries=True, is_closed=self.is_closed)

    def closed(self, names: dict[str, Value]) -> Scope:
        return Scope(self.frame, names, self.given, tries=self.tries, is_closed=True)
