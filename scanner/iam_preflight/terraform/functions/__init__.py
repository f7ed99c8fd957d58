"""Terraform's pure functions on values, as far as they are known.

A function is one entry of its theme's `FUNCTIONS`. Those that only move things about (`concat`,
`merge`, `flatten`) keep holes, alternatives and places; the others ask for known arguments and
give a hole where one is missing. Nothing here raises: a wrong call is an error hole, as `try`
and `can` need it.

The list: https://developer.hashicorp.com/terraform/language/functions
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING

from iam_preflight.terraform.functions.arguments import (
    Function,
    Invocation,
    NotKnown,
    TooLarge,
    Undecided,
    WrongArguments,
)
from iam_preflight.terraform.narrowing import cause_of, has_choice, narrow, without_errors
from iam_preflight.terraform.types import ConversionError
from iam_preflight.values import (
    MAX_ARMS,
    Assumptions,
    Choice,
    Known,
    Listing,
    Reason,
    Unknown,
    Value,
    choice,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

UNPREDICTABLE = frozenset({"bcrypt", "plantimestamp", "rsadecrypt", "timestamp", "uuid"})
"""Functions whose result is known only when Terraform runs (or with a secret key)."""


THEMES = (
    "encoding",
    "formatting",
    "conversion",
    "collections",
    "maps",
    "sets",
    "files",
    "numeric",
    "text",
    "aws",
    "hashes",
    "network",
    "dates",
    "yaml",
)
"""The modules that hold the functions, those that policies use most first: each is imported when
a function is in none before it."""


def names() -> Iterator[str]:
    """The names of all functions."""
    for theme in _themes():
        yield from theme.FUNCTIONS


def _themes() -> Iterator[ModuleType]:
    return (importlib.import_module(f"{__name__}.{theme}") for theme in THEMES)


@functools.cache
def _named(name: str) -> tuple[Function | None, bool]:
    """A function, and whether it takes every alternative of an argument into one result."""
    for theme in _themes():
        if name in theme.FUNCTIONS:
            return theme.FUNCTIONS[name], name in getattr(theme, "FOLDING", ())
    return None, False


def call(invocation: Invocation, arguments: tuple[Value, ...]) -> Value:
    """Calls a function by name; every alternative of an argument gives an alternative result."""
    name = invocation.name
    function, is_folding = _named(name)
    function = function or invocation.scope.frame.function(name)
    if function is None:
        if name in UNPREDICTABLE:
            return invocation.unknown(Reason.COMPUTED)
        return invocation.unknown(Reason.UNSUPPORTED)
    if not is_folding:
        for argument in arguments:
            if isinstance(argument, Choice):
                return _split(invocation, arguments, argument)
    return _call(invocation, function, arguments)


def _noted(invocation: Invocation, value: Value) -> Value:
    """The same value. Another text that is made of a sensitive one is a secret, too."""
    for one in value.items if isinstance(value, Listing) else (value,):
        if isinstance(one, Known) and one.sensitive:
            pieces = [piece for piece in one.fragments if piece.sensitive]
            for secret in [Known(piece.text, piece.span) for piece in pieces] or [one]:
                invocation.scope.frame.keep_secret(secret)
    return value


def _call(invocation: Invocation, function: Function, arguments: tuple[Value, ...]) -> Value:
    for argument in arguments:
        if isinstance(argument, Unknown) and argument.reason is Reason.ERROR:
            return argument
    try:
        return _noted(invocation, function(invocation, arguments))
    except NotKnown as missing:
        reason = missing.reason
        if reason is Reason.FUNCTION:
            reason = cause_of(arguments) or reason
        return invocation.unknown(reason, arguments)
    except Undecided as undecided:
        return _split(invocation, arguments, undecided.choice)
    except TooLarge:
        return invocation.scope.frame.limit(invocation.label(), invocation.span)
    except (WrongArguments, ConversionError, IndexError, ValueError, ArithmeticError):
        return invocation.unknown(Reason.ERROR, arguments)


def _split(invocation: Invocation, arguments: tuple[Value, ...], undecided: Choice) -> Value:
    """The call once for each alternative of one of the values that it depends on.

    Past the bound the value is a hole instead.
    """
    width = invocation.width * len(undecided.arms)
    if width > MAX_ARMS:
        hole = Unknown(Reason.FUNCTION, "one of several values", undecided.span)
        return call(invocation, tuple(narrow(a, (), (undecided, hole)) for a in arguments))
    varying = [has_choice(argument) for argument in arguments]
    arms: list[tuple[Assumptions, Value]] = []
    for given, arm in undecided.arms:
        scope = invocation.scope.assuming(given)
        if scope is None:
            continue
        narrowed = tuple(
            narrow(argument, scope.given, (undecided, arm)) if varies else argument
            for argument, varies in zip(arguments, varying, strict=True)
        )
        again = Invocation(invocation.name, invocation.node, scope, width)
        again.sensitive = invocation.sensitive
        arms.append((given, call(again, narrowed)))
    return choice(arms if invocation.scope.tries else without_errors(arms), invocation.span)
