"""Terraform's numbers: binary floating point of 512 bits, shown in the shortest decimal.

A number is an `int` where it is whole and a `Decimal` elsewhere; the Decimal is the shortest
that reads back as the same 512-bit number, as Terraform prints it, so nothing is lost between
two operations. https://pkg.go.dev/math/big#Float
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from iam_preflight.values import MAX_EXPONENT, Known, Value

Number: TypeAlias = "int | Decimal"

BITS = 512


class NumberError(ArithmeticError):
    """The operation is in error in Terraform too, or its result is too large to hold."""


def number_of(value: Value) -> Number | None:
    """The number that a known value is or converts to; None where it does not."""
    if not isinstance(value, Known):
        return None
    match value.value:
        case bool() | None:
            return None
        case int() | Decimal() as number:
            return number
        case float() as number:
            return from_decimal(Decimal(repr(number)))
        case str() as text:
            return parse(text)


def parse(text: str) -> Number | None:
    """A number as `tonumber` reads it; None when the text is none."""
    if not text or len(text) > MAX_EXPONENT or text[0].isspace() or text[-1].isspace():
        return None
    if not text.isascii() or "_" in text or text.lstrip("+-")[:1].isalpha():
        return None
    try:
        return from_decimal(Decimal(text))
    except (InvalidOperation, NumberError):
        return None


def from_decimal(number: Decimal) -> Number:
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT:
        raise NumberError("too large")
    if number == number.to_integral_value():
        return _whole(int(number))
    from iam_preflight.terraform.exact_numbers import rounded

    return rounded(number)


def _whole(number: int) -> Number:
    if number.bit_length() <= BITS:
        return number
    from iam_preflight.terraform.exact_numbers import rounded

    return rounded(number)


def arithmetic(operator: str, a: Number, b: Number) -> Number:
    """`+ - * / %`; raises `NumberError` on a division by zero."""
    if isinstance(a, int) and isinstance(b, int) and operator in "+-*":
        return _whole(a + b if operator == "+" else a - b if operator == "-" else a * b)
    from iam_preflight.terraform.exact_numbers import calculated

    result = calculated(operator, a, b)
    if result is None:
        raise NumberError("division by zero")
    return result


def from_float(number: float) -> Number:
    """A result of 64-bit arithmetic (`pow`, `log`), which Terraform shows with 53 bits."""
    return from_decimal(Decimal(repr(number)))


def render(number: Number) -> str:
    """A number in text, never with an exponent."""
    if isinstance(number, int):
        return str(number)
    return format(number, "f")
