"""Numbers as people read them. Exact ones are fractions; the others are binary floating point."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

Number = Fraction | float

DIGITS = 15
"""Significant digits of a result that is not exact: what binary floating point can promise."""

LONGEST = 40
"""The longest exact number that is written out in words, in digits."""

_CONTEXT = Context(prec=30)


def is_exact(value: Number) -> bool:
    """True if *value* is a fraction that `show` writes without rounding."""
    return isinstance(value, Fraction) and _decimals(value) is not None


def show(value: Number) -> str:
    """*value* in decimal notation: all digits where they end, else `DIGITS` significant ones."""
    if isinstance(value, Fraction):
        places = _decimals(value)
        if places is not None:
            return _decimal(value, places)
        return _tidy(f"{_divided(value):.{DIGITS}g}")
    return _tidy(f"{value:.{DIGITS}g}")


def short(value: Number) -> str:
    """*value* for a sentence: a very long number in scientific notation, without losing its size."""
    text = show(value)
    if len(text) <= LONGEST or not isinstance(value, Fraction):
        return text
    return _tidy(f"{_divided(value):.5e}")


def _divided(value: Fraction) -> Decimal:
    """Decimal floating point has room for exponents that the binary one has not."""
    return _CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _decimals(value: Fraction) -> int | None:
    """How many decimal places write *value* exactly; None if none do, or too many would be needed."""
    twos, rest = _times(value.denominator, 2)
    fives, rest = _times(rest, 5)
    places = max(twos, fives)
    return places if rest == 1 and places <= LONGEST else None


def _times(value: int, factor: int) -> tuple[int, int]:
    count = 0
    while value % factor == 0:
        value //= factor
        count += 1
        if count > LONGEST:
            break
    return count, value


def _decimal(value: Fraction, places: int) -> str:
    scaled = abs(value.numerator) * 10**places // value.denominator
    text = str(scaled).rjust(places + 1, "0")
    whole, part = (text[:-places], text[-places:]) if places else (text, "")
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def _tidy(text: str) -> str:
    """``1e+20`` for ``1e+020``, no trailing point, and no negative nothing."""
    mantissa, mark, exponent = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    text = f"{mantissa}e{int(exponent):+d}" if mark else mantissa
    return "0" if text == "-0" else text


def exact(value: float) -> Fraction:
    """The decimal number that a person wrote, not the binary one next to it: 0.1 is a tenth."""
    if not math.isfinite(value):
        raise ValueError("not a number that can be written")
    return Fraction(repr(float(value)))
