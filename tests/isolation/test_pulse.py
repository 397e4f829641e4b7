"""How a channel is whose plugin has a process of its own: hanging, dying, back again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.config import Settings
from gitu_core.contracts import Entry
from gitu_core.testing import ScriptedModel
from tests.isolation.test_workers import LETTERS, POSTED, until
from tests.registry.conftest import Site

pytestmark = pytest.mark.anyio


async def test_a_channel_whose_process_dies_or_hangs_shows_it_and_is_well_again(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = LETTERS.replace('return Health("ok")', "return await self.how()").replace(
        "    async def verify",
        """    async def how(self):
        if await self.host.kv.get("hangs") is not None:
            await anyio.sleep_forever()
        return Health("ok")

    async def verify""",
    )
    monkeypatch.setattr("gitu_core.gateway.channels.EVERY", 0.05)
    monkeypatch.setattr("gitu_core.gateway.pulse.EVERY", 0.05)
    site.install("letters", code, POSTED)
    settings = Settings(home=str(home), plugins={"letters": {"enabled": True}})
    async with Gitu(model=ScriptedModel(["Dear Anna"]), config=settings) as gitu, anyio.create_task_group() as group:
        store, states = gitu.house.store, []
        group.start_soon(gitu.serve, "letters")

        def how(state: str) -> bool:
            found = gitu.house.channels.health.get("letters")
            states.append(found.state if found else "")
            return states[-1] == state

        with anyio.fail_after(20):
            while await store.kv_get("letters", "finished") is None:  # noqa: ASYNC110 - a process writes it
                await anyio.sleep(0.05)
        await until(lambda: how("ok"))
        await store.kv_put("letters", Entry("hangs", True))
        await until(lambda: how("failed"))
        assert "within 1 s" in gitu.house.channels.health["letters"].detail
        await store.kv_delete("letters", "hangs")
        await until(lambda: how("ok"))
        active = gitu.house.registry._record("letters").active
        assert active is not None
        assert active.apart is not None
        assert active.apart._run is not None
        os.kill(active.apart._run.pid, signal.SIGKILL)
        await until(lambda: how("degraded") or how("failed"))
        await until(lambda: how("ok"), 20)
        group.cancel_scope.cancel()
