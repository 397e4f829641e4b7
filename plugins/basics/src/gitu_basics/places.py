"""Finds the time zone that a person means by a city, a country, a region, an abbreviation or an offset."""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

from gitu_basics.place_names import ALIASES, COUNTRY_NAMES, MAIN_ZONES, STATE_PREFIXES, STATES
from gitu_core.errors import ToolError

_NOISE = re.compile(r"\b(?:what|is|it|now|in|at|the|city of|city|time|zone|timezone|current|local|please|right)\b")
_OFFSET = re.compile(r"(?:utc|gmt)\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_NOT_PLACES = ("Etc/", "SystemV/", "posix/", "right/", "US/", "Canada/", "Brazil/", "Chile/", "Mexico/")


@dataclass(frozen=True)
class Place:
    """A place's time zone. `name` is as a person would write it, `zone` the zone's own name."""

    name: str
    zone: str
    info: tzinfo


def plain(text: str) -> str:
    """*text* for comparison: lower case, without accents and punctuation, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    letters = "".join(each for each in decomposed if not unicodedata.combining(each))
    return " ".join(re.sub(r"[^\w]+", " ", letters.replace("_", " ")).split())


def find_place(text: str) -> Place:
    """The place that *text* names.

    `ToolError` where nobody can tell, with the nearest names or the choices.
    """
    for attempt in (text, _NOISE.sub(" ", text.casefold()).strip(" ?!.,")):
        place = _offset(attempt) or _qualified(attempt) or _lookup(attempt)
        if place is not None:
            return place
    raise _unknown(text)


def _lookup(text: str) -> Place | None:
    key = plain(text)
    if key in _countries_with_many():
        raise _several(text, _countries_with_many()[key])
    zone = _zones().get(key)
    return _place(text, zone) if zone else None


def _qualified(text: str) -> Place | None:
    """``city, region``: the region decides where both are known and differ, as in ``Paris, Texas``."""
    city, comma, region = text.rpartition(",")
    if not comma:
        return None
    known = _zones()
    outer, inner = known.get(plain(region)), known.get(plain(city))
    if inner and outer and plain(region) not in STATES and plain(region) in _country_keys():
        # A zone of its own inside a country that has several: Ceuta, Spain.
        return _place(city, inner if inner in _country_keys()[plain(region)] else outer)
    found = outer if plain(region) in STATES and not _within(inner, plain(region)) else inner or outer
    return _place(city, found) if found else _qualified(city)


def _within(zone: str | None, state: str) -> bool:
    """True if a city's zone is used in the state, so that it may differ from the state's main zone."""
    if zone is None or state not in STATES:
        return False
    return zone in STATES[state] or zone.startswith(STATE_PREFIXES.get(state, "-"))


def _place(text: str, zone: str) -> Place:
    name = text.strip(" ?!.,")
    if "/" in name:
        name = _title(zone)
    elif name.islower():
        name = name.upper() if len(name) <= 3 else name.title()
    return Place(name=name, zone=zone, info=ZoneInfo(zone))


def _title(zone: str) -> str:
    return zone.rpartition("/")[2].replace("_", " ")


def _offset(text: str) -> Place | None:
    found = _OFFSET.fullmatch(text.strip())
    if not found:
        return None
    sign, hours, minutes = found[1], int(found[2]), int(found[3] or 0)
    if hours > 14 or minutes > 59:
        raise ToolError(f"no place is {hours}:{minutes:02} hours from UTC", hint="use UTC-12 to UTC+14")
    delta = timedelta(hours=hours, minutes=minutes)
    name = f"UTC{sign}{hours:02}:{minutes:02}"
    return Place(name=name, zone=name, info=timezone(-delta if sign == "-" else delta, name))


@functools.cache
def _tables() -> tuple[dict[str, str], dict[str, list[str]]]:
    """Country names by code, and the zones of each country, as the time zone database lists them."""
    folder = files("tzdata") / "zoneinfo"
    names: dict[str, str] = {}
    zones: dict[str, list[str]] = {}
    for line in (folder / "iso3166.tab").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            code, name = line.split("\t")
            names[code] = name
    for line in (folder / "zone.tab").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            code, _, zone, *_ = line.split("\t")
            zones.setdefault(code, []).append(zone)
    return names, zones


@functools.cache
def _country_keys() -> dict[str, tuple[str, ...]]:
    """The zones of every country, by each of its names."""
    names, zones = _tables()
    found = {plain(names[code]): tuple(zones[code]) for code in zones}
    for code, name in list(names.items()):
        bare = plain(re.sub(r"\(.*\)", "", name))
        if code in zones:
            found.setdefault(bare, tuple(zones[code]))
    for name, code in COUNTRY_NAMES.items():
        found[plain(name)] = tuple(zones[code])
    return found


@functools.cache
def _countries_with_many() -> dict[str, tuple[str, ...]]:
    """Countries where the country alone does not say which time it is. Cities of the same name go first."""
    cities = _cities()
    return {
        name: zones
        for name, zones in _country_keys().items()
        if len(zones) > 1 and MAIN_ZONES.isdisjoint(zones) and name not in cities
    }


@functools.cache
def _cities() -> dict[str, str]:
    """Zones by the city that names them."""
    found: dict[str, str] = {}
    for zone in sorted(available_timezones()):
        area, slash, _ = zone.partition("/")
        if slash and not zone.startswith(_NOT_PLACES) and area[0].isupper():
            found.setdefault(plain(_title(zone)), zone)
    return found


@functools.cache
def _zones() -> dict[str, str]:
    """Every name that stands for exactly one zone."""
    found = {plain(zone): zone for zone in sorted(available_timezones())}
    for name, zones in _country_keys().items():
        main = [zone for zone in zones if zone in MAIN_ZONES]
        if len(zones) == 1 or main:
            found[name] = (main or zones)[0]
    found |= {name: zone for name, zone in _cities().items()}
    found |= {state: zones[0] for state, zones in STATES.items()}
    found |= {plain(name): zone for name, zone in ALIASES.items()}
    return found


def _several(text: str, zones: tuple[str, ...]) -> ToolError:
    large = set(ALIASES.values())
    # Zones that large cities without a zone of their own share come first: those are the ones people mean.
    cities = ", ".join(_title(zone) for zone in sorted(zones, key=lambda zone: zone not in large)[:8])
    return ToolError(f"{text.strip()} has several time zones", hint=f"name a city, for instance {cities}")


def _unknown(text: str) -> ToolError:
    names = {**{key: _title(zone) for key, zone in _cities().items()}, **_spelled()}
    near = difflib.get_close_matches(plain(text), list(names), n=5, cutoff=0.6)
    listed = ", ".join(dict.fromkeys(names[key] for key in near))
    hint = f"did you mean {listed}?" if near else "name a larger city nearby, a country or a zone like Europe/Rome"
    return ToolError(f"there is no place {text.strip()[:80]!r} with a known time zone", hint=hint)


def _spelled() -> dict[str, str]:
    names, _ = _tables()
    known = [*names.values(), *COUNTRY_NAMES, *ALIASES]
    return {plain(name): name for name in known if not name.isupper()}
