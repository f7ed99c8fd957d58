"""Terraform's numbers: binary floating point of 512 bits, shown in the shortest decimal.

A number is an `int` where it is whole and a `Decimal` elsewhere; the Decimal is the shortest
that reads back as the same 512-bit number, as Terraform prints it, so nothing is lost between
two operations. https://pkg.go.dev/math/big#Float
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import TypeAlias

from iam_preflight.values import MAX_EXPONENT, Known, Value

Number: TypeAlias = "int | Decimal"

BITS = 512
MAX_DIGITS = 156
"""So many decimal digits tell any two 512-bit numbers apart."""


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
    return from_fraction(Fraction(number))


def from_fraction(exact: Fraction) -> Number:
    """The nearest 512-bit number, in its shortest decimal form."""
    rounded = _to_bits(exact)
    if rounded.denominator == 1:
        return rounded.numerator
    low, high = 1, MAX_DIGITS
    while low < high:
        middle = (low + high) // 2
        if _to_bits(Fraction(_digits(rounded, middle))) == rounded:
            high = middle
        else:
            low = middle + 1
    return _digits(rounded, low)


def _whole(number: int) -> int:
    return number if number.bit_length() <= BITS else int(_to_bits(Fraction(number)))


def _digits(exact: Fraction, precision: int) -> Decimal:
    context = Context(prec=precision)
    return context.divide(Decimal(exact.numerator), Decimal(exact.denominator))


def _to_bits(exact: Fraction) -> Fraction:
    """Rounded to 512 bits of mantissa, ties to even."""
    if not exact:
        return exact
    numerator, denominator = abs(exact.numerator), exact.denominator
    shift = BITS - (numerator.bit_length() - denominator.bit_length())
    scaled = _divide_even(numerator, denominator, shift)
    if scaled.bit_length() > BITS:
        shift -= 1
        scaled = _divide_even(numerator, denominator, shift)
    sign = -1 if exact < 0 else 1
    if shift >= 0:
        return Fraction(sign * scaled, 1 << shift)
    return Fraction(sign * (scaled << -shift))


def _divide_even(numerator: int, denominator: int, shift: int) -> int:
    if shift >= 0:
        numerator <<= shift
    else:
        denominator <<= -shift
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        quotient += 1
    return quotient


def _exact(number: Number) -> Fraction:
    return Fraction(number) if isinstance(number, int) else _to_bits(Fraction(number))


def arithmetic(operator: str, a: Number, b: Number) -> Number:
    """`+ - * / %`; raises `NumberError` on a division by zero."""
    if isinstance(a, int) and isinstance(b, int) and operator in "+-*":
        return _whole(a + b if operator == "+" else a - b if operator == "-" else a * b)
    x, y = _exact(a), _exact(b)
    match operator:
        case "+":
            return from_fraction(x + y)
        case "-":
            return from_fraction(x - y)
        case "*":
            return from_fraction(x * y)
        case "/" | "%" if not y:
            raise NumberError("division by zero")
        case "/":
            return from_fraction(x / y)
        case _:
            whole = int(_to_bits(x / y))
            return from_fraction(x - whole * y)


def from_float(number: float) -> Number:
    """A result of 64-bit arithmetic (`pow`, `log`), which Terraform shows with 53 bits."""
    return from_decimal(Decimal(repr(number)))


def render(number: Number) -> str:
    """A number in text, never with an exponent."""
    if isinstance(number, int):
        return str(number)
    return format(number, "f")
