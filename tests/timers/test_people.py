"""Timers of who is switched off are held: none is handed over, none is lost."""

from __future__ import annotations

import pytest

from gitu_core.model import Account
from gitu_core.store import Store
from tests.timers.around import JumpingClock, Plugins, pass_by, rows, running, timer

pytestmark = pytest.mark.anyio


async def test_a_timer_of_somebody_switched_off_is_held_and_comes_when_they_are_back(
    store: Store, other: Store, clock: JumpingClock
) -> None:
    plugins, start = Plugins(), clock.now()
    ana = (await store.person_for(Account("c", "ana"))).id
    await store.put_timer(timer("hers", start + 1, person=ana))
    await store.put_timer(timer("nobody's", start + 3))
    await other.change_person(ana, enabled=False)
    async with running(store, plugins, clock) as timers:
        for _ in range(2):
            await pass_by(clock, timers)
        assert plugins.keys == []
        assert (await store.take_timers(["shop"], 9, ()))[1] == start + 3, "what is held is not looked for all the time"
        await pass_by(clock, timers)
        assert plugins.keys == ["nobody's"]
        assert await rows(store) == [("hers", "armed", 0)]
        await other.change_person(ana, enabled=True)
        await pass_by(clock, timers)
        assert plugins.seen[1:] == [("shop", "hers", {"key": "hers"}, 1)]
    assert await rows(store) == []
