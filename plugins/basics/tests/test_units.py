"""Units: known values, the way back, spellings, and errors that list what is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_basics.unit_names import KINDS
from gitu_basics.units import convert, find_unit, names_of
from gitu_core import ToolError

EVERY = [line.split("|")[1].strip() for table in KINDS.values() for line in table.strip().splitlines()]


@pytest.mark.parametrize(
    ("value", "source", "target", "text"),
    [
        (5, "miles", "kilometres", "5 miles = 8.04672 kilometres"),
        (70, "kg", "lbs", "70 kilograms = 154.3235835 pounds"),
        (100, "Fahrenheit", "celsius", "100 °F = 37.77777778 °C"),
        (-40, "C", "F", "-40 °C = -40 °F"),
        (0, "kelvin", "degrees Celsius", "0 kelvins = -273.15 °C"),
        (1, "mile", "feet", "1 mile = 5280 feet"),
        (10, "inches", "cm", "10 inches = 25.4 centimetres"),
        (2, "cups", "ml", "2 US cups = 473.176473 millilitres"),
        (1, "imperial gallon", "litres", "1 imperial gallon = 4.54609 litres"),
        (1, "acre", "m²", "1 acre = 4046.856422 square metres"),
        (100, "km/h", "mph", "100 kilometres per hour = 62.13711922 miles per hour"),
        (3, "hours", "minutes", "3 hours = 180 minutes"),
        (1, "GiB", "MB", "1 gibibyte = 1073.741824 megabytes"),
        (100, "Mb", "MB", "100 megabits = 12.5 megabytes"),
        (1, "kWh", "kJ", "1 kilowatt hour = 3600 kilojoules"),
        (30, "psi", "bar", "30 pounds per square inch = 2.068427188 bar"),
        (1, "light-year", "km", "1 light year = 9460730473000 kilometres"),
        (1, "eV", "J", "1 electronvolt = 1.602176634e-19 joules"),
        (0.1, "m", "cm", "0.1 metres = 10 centimetres"),
        (1, "sq. ft.", "square meters", "1 square foot = 0.09290304 square metres"),
    ],
)
def test_known_conversions(value: float, source: str, target: str, text: str) -> None:
    """The sentence names both units in full, so that a wrong guess at a unit is seen."""
    assert convert(value, source, target).text == text


@pytest.mark.parametrize("name", EVERY)
def test_every_unit_is_found_and_converts_to_itself(name: str) -> None:
    """Also in capitals, where no symbol says otherwise."""
    assert find_unit(name).plural == name
    assert convert(3.5, name, name).value == 3.5
    assert find_unit(name.upper()).plural


@given(st.floats(0.001, 1e9), st.sampled_from(EVERY), st.sampled_from(EVERY))
def test_there_and_back_is_the_same(value: float, source: str, target: str) -> None:
    """Within one kind; between kinds it is refused."""
    kinds = find_unit(source).kind, find_unit(target).kind
    if kinds[0] != kinds[1]:
        with pytest.raises(ToolError, match="measure"):
            convert(value, source, target)
        return
    if kinds[0] == "temperature":
        value += 300
    there = convert(value, source, target)
    assert convert(there.value, target, source).value == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize(
    ("value", "source", "target", "words"),
    [
        (1, "blorp", "m", "there is no unit 'blorp'"),
        (1, "kg", "metres", "kilograms measure mass and metres measure length"),
        (-300, "C", "F", "below absolute zero"),
        (float("inf"), "m", "km", "finite number"),
        (float("nan"), "m", "km", "finite number"),
        (1, "", "km", "there is no unit ''"),
    ],
)
def test_errors_say_what_is_known(value: float, source: str, target: str, words: str) -> None:
    """The hint lists units or the next step."""
    with pytest.raises(ToolError) as error:
        convert(value, source, target)
    assert words in str(error.value)
    assert error.value.hint


def test_a_misspelled_unit_is_guessed() -> None:
    """Near names if there are any, else everything."""
    with pytest.raises(ToolError, match="did you mean kilometres"):
        find_unit("kilometrs2")
    with pytest.raises(ToolError) as error:
        find_unit("blorp")
    assert all(kind in error.value.hint for kind in KINDS)
    assert "nautical miles" in names_of("length")
