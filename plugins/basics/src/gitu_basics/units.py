"""Converts between units of one kind.

Factors are exact; only the result is rounded, to ten significant digits.
"""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from gitu_basics.numbers import exact
from gitu_basics.unit_names import KINDS
from gitu_core.errors import ToolError

DIGITS = 10
"""Significant digits of a converted value."""


_SPELLINGS = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\bsq\.?\s+", "square "),
        (r"\b(?:cu\.?|cube)\s+", "cubic "),
        (r"^square (mm|cm|m|km|ft|in|yd|mi)$", r"\g<1>2"),
        (r"^cubic (dm|cm|m|ft|in|yd)$", r"\g<1>3"),
        (r"\s+per\s+|\s*/\s*", "/"),
        (r"^deg(?:rees?|\.)?\s+", ""),
    )
)


@dataclass(frozen=True)
class Unit:
    """A unit: a value in it is `factor` times the value plus `offset` in the base unit of its kind."""

    kind: str
    name: str
    plural: str
    factor: Fraction
    offset: Fraction = Fraction(0)


@dataclass(frozen=True)
class Converted:
    """A value in another unit; `text` says it in words."""

    value: float
    unit: str
    kind: str
    text: str


def convert(value: float, source: str, target: str) -> Converted:
    """*value* of *source* in *target*. `ToolError` names the known units, or why these do not go together."""
    start, end = find_unit(source), find_unit(target)
    if start.kind != end.kind:
        raise ToolError(
            f"{start.plural} measure {start.kind} and {end.plural} measure {end.kind}",
            hint=f"convert {start.plural} to one of: {names_of(start.kind)}",
        )
    try:
        given = exact(value)
    except ValueError as error:
        raise ToolError(f"{value} is not a number that can be converted", hint="pass a finite number") from error
    base = given * start.factor + start.offset
    if start.kind == "temperature" and base < 0:
        raise ToolError(f"{_amount(given, start)} is below absolute zero", hint="check the temperature")
    result = (base - end.offset) / end.factor
    text = f"{_amount(given, start)} = {_amount(result, end)}"
    return Converted(value=float(_rounded(result)), unit=end.plural, kind=end.kind, text=text)


def find_unit(name: str) -> Unit:
    """The unit that *name* means, by symbol, name or plural. `ToolError` lists what is known."""
    wanted = _plain(name)
    found = _symbols().get(wanted) or _names().get(wanted.casefold())
    if found is None:
        near = difflib.get_close_matches(wanted.casefold(), list(_names()), n=3, cutoff=0.7)
        listed = " or ".join(dict.fromkeys(_names()[each].plural for each in near))
        everything = "; ".join(f"{kind}: {names_of(kind)}" for kind in KINDS)
        hint = f"did you mean {listed}?" if near else f"known are {everything}"
        raise ToolError(f"there is no unit {name.strip()[:60]!r}", hint=hint)
    return found


def names_of(kind: str) -> str:
    """The plural names of all units of a kind, separated by commas."""
    return ", ".join(dict.fromkeys(unit.plural for unit in _units() if unit.kind == kind))


def _amount(value: Fraction, unit: Unit) -> str:
    rounded = _rounded(value)
    small = abs(rounded) < 1_000_000_000_000_000 and (not rounded or abs(rounded) >= Decimal("1e-6"))
    number = f"{rounded:f}" if small else f"{rounded.normalize():e}"
    return f"{number} {unit.name if abs(value) == 1 else unit.plural}"


def _rounded(value: Fraction) -> Decimal:
    context = Context(prec=DIGITS)
    result = context.divide(Decimal(value.numerator), Decimal(value.denominator)).normalize(context)
    return result or Decimal(0)


def _plain(name: str) -> str:
    """A unit as the tables spell it: ``sq. metres`` and ``m²`` become ``square metres`` and ``m2``."""
    text = name.strip().strip(".").replace("²", "2").replace("³", "3").replace("^", "").replace("µ", "u")
    text = text.replace("μ", "u").replace("º", "°").replace("·", "")
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    return " ".join(text.replace("-", " ").replace("_", " ").split())


@functools.cache
def _units() -> tuple[Unit, ...]:
    return tuple(unit for unit, _ in _parsed())


@functools.cache
def _parsed() -> tuple[tuple[Unit, tuple[str, ...]], ...]:
    """Reads the table: factor, plural, singular, then every other name."""
    found = []
    for kind, table in KINDS.items():
        for line in table.strip().splitlines():
            factor, plural, singular, *others = [each.strip() for each in line.split("|")]
            scale, _, offset = factor.partition("+")
            unit = Unit(kind, singular, plural, Fraction(scale.strip()), Fraction(offset.strip() or 0))
            found.append((unit, (plural, singular, *others)))
    return tuple(found)


@functools.cache
def _symbols() -> dict[str, Unit]:
    """Units by every spelling where upper and lower case matter: Mb is not MB."""
    return {_plain(name): unit for unit, names in _parsed() for name in _spellings(names)}


@functools.cache
def _names() -> dict[str, Unit]:
    """Units by every spelling in lower case; the first in the table wins."""
    found: dict[str, Unit] = {}
    for unit, names in _parsed():
        for name in _spellings(names):
            found.setdefault(_plain(name).casefold(), unit)
    return found


def _spellings(names: tuple[str, ...]) -> list[str]:
    """Both spellings of words in -re, and plurals of longer names."""
    found = list(names)
    found += [each.replace("metre", "meter").replace("litre", "liter") for each in found if "tre" in each]
    return found + [f"{each}s" for each in found if len(each) > 2 and each.isalpha() and not each.endswith("s")]
