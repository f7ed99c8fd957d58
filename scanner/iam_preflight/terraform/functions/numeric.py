"""Functions on numbers.

https://developer.hashicorp.com/terraform/language/functions (numeric functions)
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from iam_preflight.terraform import numbers
from iam_preflight.terraform.functions.arguments import Function, Invocation, WrongArguments
from iam_preflight.values import MAX_EXPONENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.values import Value

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _of_one(compute: Callable[[numbers.Number], numbers.Number]) -> Function:
    def apply(call: Invocation, arguments: tuple[Value, ...]) -> Value:
        return call.known(compute(call.number(arguments[0])))

    return apply


def _abs(number: numbers.Number) -> numbers.Number:
    return -number if number < 0 else number


def _ceil(number: numbers.Number) -> numbers.Number:
    return math.ceil(Fraction(number))


def _floor(number: numbers.Number) -> numbers.Number:
    return math.floor(Fraction(number))


def _signum(number: numbers.Number) -> numbers.Number:
    return (number > 0) - (number < 0)


def _max(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known(max(call.number(argument) for argument in arguments))


def _min(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    return call.known(min(call.number(argument) for argument in arguments))


def _sum(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    items = call.items(arguments[0])
    if not items:
        raise WrongArguments
    total: numbers.Number = 0
    for item in items:
        total = numbers.arithmetic("+", total, call.number(item))
    return call.known(total)


def _pow(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    base, exponent = (float(call.number(argument)) for argument in arguments)
    return call.known(numbers.from_float(math.pow(base, exponent)))


def _log(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    number, base = (float(call.number(argument)) for argument in arguments)
    return call.known(numbers.from_float(math.log(number) / math.log(base)))


def _parseint(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    text, base = call.text(arguments[0]), call.integer(arguments[1])
    if not 2 <= base <= 62:
        raise WrongArguments
    digits = text[1:] if text[:1] in ("-", "+") else text
    if base <= 36:
        digits = digits.lower()
    total = 0
    for digit in digits:
        value = DIGITS.find(digit)
        if not 0 <= value < base:
            raise WrongArguments
        total = total * base + value
    if not digits or len(digits) > MAX_EXPONENT:
        raise WrongArguments
    return call.known(-total if text.startswith("-") else total)


FUNCTIONS: dict[str, Function] = {
    "abs": _of_one(_abs),
    "ceil": _of_one(_ceil),
    "floor": _of_one(_floor),
    "log": _log,
    "max": _max,
    "min": _min,
    "parseint": _parseint,
    "pow": _pow,
    "signum": _of_one(_signum),
    "sum": _sum,
}
