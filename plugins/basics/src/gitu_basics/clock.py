"""Tells the time of a place in words and as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitu_basics.places import Place, find_place

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class LocalTime:
    """The time somewhere. `local_time` is ISO 8601 with its offset; `text` says it in words."""

    place: str
    zone: str
    local_time: str
    offset: str
    text: str


def tell_time(seconds: float, place: str = "", home: str = "") -> LocalTime:
    """The time in *place* at *seconds* since 1970, UTC. Without a place: in the zone *home*, else this
    machine's.

    `ToolError` if nobody can tell which time zone is meant.
    """
    seconds = math.floor(seconds)  # a clock shows the second that runs, never the next one
    wanted = place.strip() or home
    if wanted:
        return _told(datetime.fromtimestamp(seconds, (found := find_place(wanted)).info), found)
    # Not from the operating system's zone name, which not every system has: its offset is enough.
    here = datetime.fromtimestamp(seconds).astimezone()
    assert here.tzinfo is not None
    return _told(here, Place(name="", zone=here.tzname() or "local", info=here.tzinfo))


def _told(when: datetime, place: Place) -> LocalTime:
    offset = _offset(when.utcoffset() or timedelta())
    # Not strftime: its names depend on the locale of the machine.
    date = f"{_DAYS[when.weekday()]} {when.day} {_MONTHS[when.month - 1]} {when.year}"
    where = f" in {place.name}" if place.name and place.name != place.zone else ""
    zone = place.zone if place.zone in (offset, "UTC") else f"{place.zone}, {offset}"
    return LocalTime(
        place=place.name,
        zone=place.zone,
        local_time=when.isoformat(timespec="seconds"),
        offset=offset,
        text=f"It is {when:%H:%M} on {date}{where} ({zone}).",
    )


def _offset(delta: timedelta) -> str:
    minutes = round(delta.total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
