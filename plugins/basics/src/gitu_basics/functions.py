"""The functions and constants of the calculator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from gitu_basics.numbers import Number
from gitu_core.errors import ToolError

MAX_BITS = 13_000
"""The largest exact number, in bits of numerator and denominator each: about 3,900 decimal digits."""

MAX_FACTORIAL = 1_300
"""The largest argument of ``factorial``; its result has 3,500 digits."""


def bits(value: Fraction) -> int:
    """The size of a number."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


@dataclass(frozen=True)
class Function:
    """A function and how many numbers it takes."""

    work: Callable[..., Number]
    least: int = 1
    most: int = 1


def _whole(value: Number, name: str) -> int:
    if value != int(value):
        raise ToolError(f"{name} takes whole numbers", hint="round the number first")
    return int(value)


def _sqrt(value: Number) -> Number:
    if value < 0:
        raise ToolError("the square root of a negative number is not a real number", hint="use abs(…)")
    if isinstance(value, Fraction):
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if top * top == value.numerator and bottom * bottom == value.denominator:
            return Fraction(top, bottom)
    return math.sqrt(value)


def _cbrt(value: Number) -> Number:
    root = math.copysign(abs(float(value)) ** (1 / 3), value)
    whole = Fraction(round(root))
    return whole if whole**3 == value else root


def _round(value: Number, places: Number = 0) -> Number:
    """Half away from zero, as people round."""
    count = _whole(places, "round")
    if abs(count) > 100:
        raise ToolError("round takes at most 100 places", hint="use fewer places")
    scale = Fraction(10) ** count
    scaled = Fraction(value) * scale
    rounded = math.floor(abs(scaled) + Fraction(1, 2))
    return Fraction(-rounded if scaled < 0 else rounded) / scale


def _factorial(value: Number) -> Number:
    count = _whole(value, "factorial")
    if not 0 <= count <= MAX_FACTORIAL:
        raise ToolError(f"factorial takes 0 to {MAX_FACTORIAL}", hint="use a smaller number")
    return Fraction(math.factorial(count))


def _choose(work: Callable[[int, int], int], name: str) -> Callable[..., Number]:
    def chosen(count: Number, size: Number) -> Number:
        whole = _whole(count, name), _whole(size, name)
        if not all(0 <= each <= MAX_FACTORIAL for each in whole):
            raise ToolError(f"{name} takes 0 to {MAX_FACTORIAL}", hint="use smaller numbers")
        return Fraction(work(*whole))

    return chosen


def _of_whole(work: Callable[..., int], name: str) -> Callable[..., Number]:
    return lambda *values: Fraction(work(*(_whole(each, name) for each in values)))


def _log(value: Number, base: Number = Fraction(10)) -> Number:
    if value <= 0 or base <= 0 or base == 1:
        raise ToolError("a logarithm needs a number above 0 and a base above 0 other than 1", hint="check them")
    result = _ln(value) / _ln(base)
    whole = round(result)
    if isinstance(base, Fraction) and bits(base) * abs(whole) <= 2 * MAX_BITS and base**whole == value:
        return Fraction(whole)
    return result


def _ln(value: Number) -> float:
    """Not of the number as a float: an exact number may be larger than any."""
    if isinstance(value, Fraction):
        return math.log(value.numerator) - math.log(value.denominator)
    return math.log(value)


def _natural(value: Number) -> Number:
    if value <= 0:
        raise ToolError("a logarithm needs a number above 0", hint="check the number")
    return Fraction(0) if value == 1 else _ln(value)


def _turning(work: Callable[[float], float]) -> Callable[..., Number]:
    """Rounded where floating point is noise: the sine of pi is nothing."""
    return lambda value: round(work(float(value)), 15)


def _float(work: Callable[..., float]) -> Callable[..., Number]:
    return lambda *values: work(*(float(each) for each in values))


def _sum(*values: Number) -> Number:
    return sum(values, start=Fraction(0))


def _mean(*values: Number) -> Number:
    return _sum(*values) / len(values)


def _median(*values: Any) -> Number:
    ordered: list[Number] = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


_MANY = 100

FUNCTIONS: dict[str, Function] = {
    "abs": Function(abs),
    "sqrt": Function(_sqrt),
    "cbrt": Function(_cbrt),
    "round": Function(_round, 1, 2),
    "floor": Function(lambda value: Fraction(math.floor(value))),
    "ceil": Function(lambda value: Fraction(math.ceil(value))),
    "trunc": Function(lambda value: Fraction(math.trunc(value))),
    "factorial": Function(_factorial),
    "comb": Function(_choose(math.comb, "comb"), 2, 2),
    "perm": Function(_choose(math.perm, "perm"), 2, 2),
    "gcd": Function(_of_whole(math.gcd, "gcd"), 1, _MANY),
    "lcm": Function(_of_whole(math.lcm, "lcm"), 1, 10),
    "min": Function(lambda *values: min(values), 1, _MANY),
    "max": Function(lambda *values: max(values), 1, _MANY),
    "sum": Function(_sum, 1, _MANY),
    "mean": Function(_mean, 1, _MANY),
    "average": Function(_mean, 1, _MANY),
    "median": Function(_median, 1, _MANY),
    "hypot": Function(lambda *values: _sqrt(_sum(*(each * each for each in values))), 1, 10),
    "log": Function(_log, 1, 2),
    "log10": Function(_log),
    "log2": Function(lambda value: _log(value, Fraction(2))),
    "ln": Function(_natural),
    "exp": Function(lambda value: Fraction(1) if value == 0 else math.exp(value)),
    **{name: Function(_turning(getattr(math, name))) for name in ("sin", "cos", "tan")},
    **{
        name: Function(_float(getattr(math, name)))
        for name in ("asin", "acos", "atan", "sinh", "cosh", "tanh", "degrees", "radians")
    },
    "atan2": Function(_float(math.atan2), 2, 2),
}
"""Every function by name.

``log`` has base 10 unless a second number says otherwise; angles are in radians.
"""

CONSTANTS: dict[str, Number] = {
    "pi": math.pi,
    "e": math.e,
    "tau": math.tau,
    "phi": (1 + math.sqrt(5)) / 2,
    "deg": math.pi / 180,
}
"""Every constant by name; ``deg`` turns degrees into radians."""
