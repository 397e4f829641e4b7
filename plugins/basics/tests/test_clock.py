"""The clock knows places by city, country, region, abbreviation and offset, and says when it does not."""

from __future__ import annotations

import contextlib
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_basics.clock import tell_time
from gitu_basics.places import find_place
from gitu_core import ToolError

SUMMER, WINTER = 1_783_000_000.0, 1_800_000_000.0


def test_the_time_is_told_in_words_and_as_data() -> None:
    """The sentence names day, date, place, zone and offset."""
    told = tell_time(1_795_323_900.0, "Tokyo")
    assert told.text == "It is 14:05 on Sunday 22 November 2026 in Tokyo (Asia/Tokyo, UTC+09:00)."
    assert (told.zone, told.offset, told.local_time) == ("Asia/Tokyo", "UTC+09:00", "2026-11-22T14:05:00+09:00")


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("tokyo", "Asia/Tokyo"),
        ("JAPAN", "Asia/Tokyo"),
        ("new york", "America/New_York"),
        ("New York City", "America/New_York"),
        ("San Francisco", "America/Los_Angeles"),
        ("Washington D.C.", "America/New_York"),
        ("São Paulo", "America/Sao_Paulo"),
        ("Zürich", "Europe/Zurich"),
        ("München", "Europe/Berlin"),
        ("India", "Asia/Kolkata"),
        ("UK", "Europe/London"),
        ("south korea", "Asia/Seoul"),
        ("the Netherlands", "Europe/Amsterdam"),
        ("China", "Asia/Shanghai"),
        ("Georgia", "Asia/Tbilisi"),
        ("Texas", "America/Chicago"),
        ("California", "America/Los_Angeles"),
        ("Paris", "Europe/Paris"),
        ("Paris, France", "Europe/Paris"),
        ("Paris, Texas", "America/Chicago"),
        ("London, Ontario", "America/Toronto"),
        ("Portland, Oregon", "America/Los_Angeles"),
        ("Boise, Idaho", "America/Boise"),
        ("Louisville, Kentucky", "America/Kentucky/Louisville"),
        ("Ceuta, Spain", "Africa/Ceuta"),
        ("Sydney, Australia", "Australia/Sydney"),
        ("Los Angeles, California, USA", "America/Los_Angeles"),
        ("PST", "America/Los_Angeles"),
        ("gmt", "UTC"),
        ("Europe/Rome", "Europe/Rome"),
        ("america/argentina/buenos_aires", "America/Argentina/Buenos_Aires"),
        ("what time is it in Berlin please", "Europe/Berlin"),
        ("UTC+5:30", "UTC+05:30"),
        ("GMT-3", "UTC-03:00"),
    ],
)
def test_places_are_found_however_people_write_them(place: str, zone: str) -> None:
    """Case, accents, punctuation and qualifiers do not matter."""
    assert find_place(place).zone == zone


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        ("Toky", "Tokyo"),
        ("Atlantis", "did you mean"),
        ("Australia", "Sydney"),
        ("USA", "Chicago"),
        ("Russia", "Moscow"),
        ("UTC+15", "UTC-12"),
        ("", "a larger city"),
        ("🙂", "a larger city"),
        ("x" * 5000, "a larger city"),
    ],
)
def test_a_place_that_nobody_can_tell_is_an_error_with_a_way_on(place: str, hint: str) -> None:
    """Near names for a misspelling, cities for a large country."""
    with pytest.raises(ToolError) as error:
        find_place(place)
    assert hint in error.value.hint


def test_summer_time_is_counted() -> None:
    """The offset is that of the day, also for an abbreviation."""
    assert [tell_time(at, "London").offset for at in (SUMMER, WINTER)] == ["UTC+01:00", "UTC+00:00"]
    assert [tell_time(at, "EST").offset for at in (SUMMER, WINTER)] == ["UTC-04:00", "UTC-05:00"]
    assert tell_time(WINTER, "Kathmandu").offset == "UTC+05:45"
    assert tell_time(WINTER, "UTC-03:30").offset == "UTC-03:30"


def test_without_a_place_it_is_the_setting_or_this_machine() -> None:
    """No place is not an error."""
    assert "in Rome" in tell_time(WINTER, "", "Rome").text
    here = tell_time(WINTER)
    assert here.local_time == datetime.fromtimestamp(WINTER).astimezone().isoformat(timespec="seconds")
    assert " in " not in here.text


@pytest.mark.parametrize("zone", sorted(z for z in available_timezones() if "/" in z and not z.startswith("Etc/"))[::7])
def test_every_zone_is_found_under_its_own_name(zone: str) -> None:
    """Whatever the database holds."""
    assert find_place(zone).zone == zone


@given(st.floats(0, 4e9), st.sampled_from(["Tokyo", "New York", "Sydney", "UTC", "Kathmandu"]))
def test_the_local_time_is_always_the_same_moment(at: float, place: str) -> None:
    """Told and read back, no more than a second is lost."""
    told = tell_time(at, place)
    assert 0 <= at - datetime.fromisoformat(told.local_time).timestamp() < 1
    assert datetime.fromtimestamp(at, ZoneInfo(told.zone)).strftime("%H:%M") in told.text


@given(st.text(max_size=40))
def test_no_text_breaks_the_search(text: str) -> None:
    """It is found or refused, never anything else."""
    with contextlib.suppress(ToolError):
        assert find_place(text).zone
