"""Arithmetic on numbers that are no small whole ones: exact, then rounded to 512 bits."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from iam_preflight.terraform.numbers import BITS

if TYPE_CHECKING:
    from iam_preflight.terraform.numbers import Number

MAX_DIGITS = 156
"""So many decimal digits tell any two 512-bit numbers apart."""


def rounded(number: int | Decimal) -> Number:
    """The nearest 512-bit number, in its shortest decimal form."""
    return _shortest(Fraction(number))


def calculated(operator: str, a: Number, b: Number) -> Number | None:
    """`+ - * / %`; None for a division by zero."""
    x, y = _exact(a), _exact(b)
    match operator:
        case "+":
            return _shortest(x + y)
        case "-":
            return _shortest(x - y)
        case "*":
            return _shortest(x * y)
        case "/" | "%" if not y:
            return None
        case "/":
            return _shortest(x / y)
        case _:
            whole = int(_to_bits(x / y))
            return _shortest(x - whole * y)


def _shortest(exact: Fraction) -> Number:
    near = _to_bits(exact)
    if near.denominator == 1:
        return near.numerator
    low, high = 1, MAX_DIGITS
    while low < high:
        middle = (low + high) // 2
        if _to_bits(Fraction(_digits(near, middle))) == near:
            high = middle
        else:
            low = middle + 1
    return _digits(near, low)


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
