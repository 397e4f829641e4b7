"""Questions as buttons, and the choice that a press on one makes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from gitu_core.contracts import Answer, Ask, Entry

if TYPE_CHECKING:
    from gitu_core.contracts import Host

MOST = 64
"""Bytes that Telegram keeps of a button for us."""

DAYS = (1, 7, 30)
"""For how many days a permission is offered that holds until a day; another day can be typed."""


async def buttons(host: Host, ask: Ask, now: float) -> list[tuple[str, str]]:
    """The label of every choice, and what Telegram hands back when it is pressed."""
    return [(choice, await _data(host, Answer(ask.id, choice))) for choice in _choices(ask.choices, now)]


def _choices(choices: Sequence[str], now: float) -> list[str]:
    found: list[str] = []
    for choice in choices:
        if choice == "until":
            days = (datetime.fromtimestamp(now, UTC) + timedelta(days=days) for days in DAYS)
            found += [f"until {day:%Y-%m-%d}" for day in days]
        else:
            found.append(choice)
    return found


async def _data(host: Host, answer: Answer) -> str:
    data = f"{answer.ask} {answer.choice}"
    if " " not in answer.ask and len(data.encode()) <= MOST:
        return data
    key = "#" + sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[: MOST - 8]
    await host.kv.put(Entry(f"button:{key}", {"ask": answer.ask, "choice": answer.choice}))
    return key


async def pressed(host: Host, data: str) -> Answer | None:
    """The choice behind a button; None where it is none of ours, or not known any more."""
    if data.startswith("#"):
        known = await host.kv.get(f"button:{data}")
        return Answer(str(known.value["ask"]), str(known.value["choice"])) if known else None
    ask, space, choice = data.partition(" ")
    return Answer(ask, choice) if ask and space and choice else None
