"""The facet ``schedule`` and the hook ``gitu_timer``, in a whole assistant."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core import Gitu, Host, hook, tool
from gitu_core.config import Settings
from gitu_core.contracts.scope import CURRENT_CALL
from gitu_core.errors import FacetUnavailable, InputError, LeaseLost, NotReady
from gitu_core.model import Label, TurnInfo, Usage
from gitu_core.testing import FunctionModel, ScriptedModel, call
from gitu_core.timers import timers
from tests.app.around import until
from tests.registry.conftest import Site
from tests.timers.around import rows

pytestmark = pytest.mark.anyio
OWN = "local-plugin-0"
OK = FunctionModel(lambda request: "ok")


@pytest.fixture(autouse=True)
def home(gitu_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and looks that follow each other fast."""
    monkeypatch.setattr(timers, "LOOK", 0.05)
    return gitu_home


class Shop:
    """A plugin that notes what it is handed, and lets a test act inside its hook."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any, int]] = []
        self.host: Any = None

    def gitu_start(self, host: Host) -> None:
        """Keeps the host for the test."""
        self.host = host

    async def gitu_timer(self, host: Host, key: str, data: dict[str, Any], attempt: int) -> None:
        """Notes it."""
        self.seen.append((key, data, attempt))
        await self.work(key, attempt)

    async def work(self, key: str, attempt: int) -> None:
        """What a test makes of it."""


async def test_a_plugin_sets_a_timer_and_is_handed_its_data_once() -> None:
    shop = Shop()
    async with Gitu(model=OK, plugins=[shop], use=[]) as gitu:
        await shop.host.schedule.at(time.time() + 0.1, "tea", {"minutes": 4})
        await shop.host.schedule.at(time.time() + 0.1, "milk", {})
        assert await shop.host.schedule.cancel("milk")
        assert not await shop.host.schedule.cancel("milk")
        await until(lambda: bool(shop.seen))
        await anyio.sleep(0.3)
        assert shop.seen == [("tea", {"minutes": 4}, 1)]
        assert await rows(gitu.house.store, OWN) == []


async def test_a_timer_outlives_the_assistant() -> None:
    shop = Shop()
    async with Gitu(model=OK, plugins=[shop], use=[]):
        await shop.host.schedule.at(time.time() + 0.5, "tea", {})
    assert shop.seen == []
    await anyio.sleep(0.5)
    async with Gitu(model=OK, plugins=[shop], use=[]):
        await until(lambda: bool(shop.seen))
    assert shop.seen == [("tea", {}, 1)]


async def test_a_timer_is_its_users_with_everything_that_influenced_it() -> None:
    found: list[Any] = []

    class Reminders(Shop):
        def gitu_tools(self, host: Host) -> list[Any]:
            @tool(writers={"": "outside"})
            async def read_page() -> str:
                """Reads a page."""
                return "remind her"

            @tool
            async def remind() -> str:
                """Sets a reminder."""
                await host.schedule.at(time.time(), "first", {})
                return "done"

            return [read_page, remind]

        async def work(self, key: str, attempt: int) -> None:
            found.append(CURRENT_CALL.get())
            if key == "first":
                await self.host.schedule.at(time.time(), "second", {})
                await self.host.model.complete("what now?")

        def gitu_model_called(self, turn: TurnInfo, model: str, usage: Usage) -> None:
            principals.append((turn.principal, turn.id.count(".")))

    principals: list[tuple[str, int]] = []
    shop = Reminders()
    model = ScriptedModel([call("read_page"), call("remind"), "done", "tea!"])
    async with Gitu(model=model, plugins=[shop], use=["*"]) as gitu:
        await gitu.send("go", user="ana")
        await until(lambda: len(found) == 2)
        assert [each.principal for each in found] == ["user:ana", "user:ana"]
        for each in found:
            assert "user:ana" in each.label.origins
            assert any(origin.startswith("outside:") for origin in each.label.origins), each.label
        await until(lambda: not gitu.house.timers._running)
        assert await gitu.house.store.check() == []
    assert principals[-1] == ("user:ana", 0)


async def test_a_timer_that_a_plugin_sets_of_its_own_accord_has_the_plugins_label() -> None:
    found: list[Any] = []

    class Own(Shop):
        async def work(self, key: str, attempt: int) -> None:
            found.append(CURRENT_CALL.get())

    shop = Own()
    async with Gitu(model=OK, plugins=[shop], use=[]):
        await shop.host.schedule.at(0, "tea", {})
        await until(lambda: bool(found))
    own = f"plugin:{OWN}"
    assert (found[0].principal, found[0].label) == (own, Label(origins=frozenset((own,))))


async def test_what_its_handler_raises_counts_against_the_plugin_and_the_timer_is_done() -> None:
    class Broken(Shop):
        async def work(self, key: str, attempt: int) -> None:
            raise ZeroDivisionError

    shop = Broken()
    async with Gitu(model=OK, plugins=[shop], use=[]) as gitu:
        registry, store = gitu.house.registry, gitu.house.store
        for n in range(4):
            await shop.host.schedule.at(0, f"{n}", {})
        await until(lambda: len(shop.seen) == 4)
        await until(lambda: next(each.faults for each in registry.plugins() if each.id == OWN) == 4)
        await until(lambda: not gitu.house.timers._running)
        assert await rows(store, OWN) == []
        await shop.host.schedule.at(0, "last straw", {})
        await until(lambda: next(each.state for each in registry.plugins() if each.id == OWN) == "quarantined")
        await shop.host.schedule.at(0, "kept", {})
        await anyio.sleep(0.2)
        assert await rows(store, OWN) == [("kept", "armed", 0)], "who cannot run keeps its timers"
        assert (await gitu.send("hello", user="ana")).text == "ok"
    assert [attempt for *_, attempt in shop.seen] == [1] * 5


async def test_a_handler_that_hangs_is_cut_off_and_counts_more() -> None:
    class Slow(Shop):
        @hook(timeout=0.1)
        async def gitu_timer(self, key: str) -> None:
            """Never ends."""
            self.seen.append((key, None, 0))
            await anyio.sleep_forever()

    shop = Slow()
    async with Gitu(model=OK, plugins=[shop], use=[]) as gitu:
        await shop.host.schedule.at(0, "tea", {})
        await until(lambda: next(each.faults for each in gitu.house.registry.plugins() if each.id == OWN) == 3)
        await until(lambda: not gitu.house.timers._running)
        assert await rows(gitu.house.store, OWN) == []


async def test_not_ready_means_later_and_counts_against_nobody() -> None:
    class Closed(Shop):
        async def work(self, key: str, attempt: int) -> None:
            raise NotReady("the shop is closed", retry_after=3600)

    shop = Closed()
    async with Gitu(model=OK, plugins=[shop], use=[]) as gitu:
        await shop.host.schedule.at(0, "tea", {})
        await until(lambda: bool(shop.seen) and not gitu.house.timers._running)
        assert await rows(gitu.house.store, OWN) == [("tea", "armed", 1)]
        assert all(each.faults == 0 for each in gitu.house.registry.plugins())


async def test_a_def_may_block() -> None:
    class Blocking(Shop):
        def gitu_timer(self, key: str, attempt: int) -> None:  # type: ignore[override]
            """Blocks its thread."""
            time.sleep(0.2)
            self.seen.append((key, None, attempt))

    shop = Blocking()
    async with Gitu(model=OK, plugins=[shop], use=[]):
        await shop.host.schedule.at(0, "tea", {})
        await until(lambda: bool(shop.seen))
    assert shop.seen == [("tea", None, 1)]


async def test_what_cannot_be_set_is_refused() -> None:
    class Deaf:
        host: Any = None

        def gitu_start(self, host: Host) -> None:
            Deaf.host = host

    shop = Shop()
    async with Gitu(model=OK, plugins=[shop, Deaf()], use=[]):
        for when, key, data in ((float("nan"), "k", {}), (0, "nul\x00", {}), (0, "k", {"x": (1, 2)}), (0, "k", [])):
            with pytest.raises(InputError):
                await shop.host.schedule.at(when, key, data)
        with pytest.raises(InputError, match="has no hook gitu_timer"):
            await Deaf.host.schedule.at(0, "k", {})


INSTALLED = """
SEEN = []
HOST = None

def gitu_start(host):
    global HOST
    HOST = host

async def gitu_timer(host, key, data, attempt):
    SEEN.append((key, data, attempt))
"""
MANIFEST = "[hooks]\ngitu_start = 0\ngitu_timer = 0\n"


async def test_an_installed_plugin_is_activated_when_its_timer_is_due(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.delitem(sys.modules, "x_shop", raising=False)
    site.install("shop", INSTALLED, MANIFEST + '[capabilities]\nfacets = ["schedule"]\n')
    settings = Settings(home=str(home), plugins={"shop": {"enabled": True, "trusted": True}})
    async with Gitu(model=OK, config=settings) as gitu:
        await gitu.house.registry.check(begin=True)
        module = sys.modules["x_shop"]
        await module.HOST.schedule.at(time.time() + 0.3, "tea", {"n": 1})
    off = Settings(home=str(home), plugins={"shop": {"enabled": False}})
    await anyio.sleep(0.3)
    async with Gitu(model=OK, config=off) as gitu:
        await anyio.sleep(0.2)
        assert await rows(gitu.house.store) == [("tea", "armed", 0)], "disabled: it stays until the plugin is back"
    assert module.SEEN == []
    monkeypatch.delitem(sys.modules, "x_shop")
    async with Gitu(model=OK, config=settings) as gitu:
        await until(lambda: "x_shop" in sys.modules and bool(sys.modules["x_shop"].SEEN))
        assert sys.modules["x_shop"].SEEN == [("tea", {"n": 1}, 1)]
        await until(lambda: not gitu.house.timers._running)
        assert await rows(gitu.house.store) == []


async def test_a_plugin_that_does_not_declare_the_facet_has_none(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.delitem(sys.modules, "x_shop", raising=False)
    site.install("shop", INSTALLED, MANIFEST)
    async with Gitu(model=OK, config=Settings(home=str(home), plugins={"shop": {"enabled": True}})) as gitu:
        await gitu.house.registry.check(begin=True)
        active = gitu.house.registry._record("shop").active
        assert active is not None
        with pytest.raises(FacetUnavailable):
            await active.host.schedule.at(0, "k", {})


async def test_a_plugin_that_cannot_be_loaded_keeps_its_timers(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.delitem(sys.modules, "x_shop", raising=False)
    site.install("shop", "1 / 0", MANIFEST)
    async with Gitu(model=OK, config=Settings(home=str(home), plugins={"shop": {"enabled": True}})) as gitu:
        from gitu_core.contracts.timers import Timer

        await gitu.house.store.put_timer(Timer("shop", "tea", 0.0, {}))
        registry = gitu.house.registry
        await until(lambda: next(each.state for each in registry.plugins() if each.id == "shop") == "quarantined")
        await until(lambda: not gitu.house.timers._running)
        assert await rows(gitu.house.store) == [("tea", "armed", 1)]


async def test_a_worker_that_lost_its_lease_ends_nothing_and_goes_on_as_a_new_one() -> None:
    """Its handler is cut off before it can write anything under the new lease; the other worker hands the timer over
    again, and says that it does."""
    cut: list[BaseException] = []

    class Slow(Shop):
        async def work(self, key: str, attempt: int) -> None:
            if attempt == 1 and key == "tea":
                try:
                    await anyio.sleep_forever()
                finally:
                    cut.append(LeaseLost())

    first, second = Slow(), Shop()
    async with Gitu(model=OK, plugins=[first], use=[]) as one:
        await first.host.schedule.at(0, "tea", {})
        await until(lambda: bool(first.seen))
        async with Gitu(model=OK, plugins=[second], use=[]) as two:
            old = one.house.keeper.id
            (worker,) = [each for each in await two.house.store.others() if each.id == old]
            assert await two.house.store.take_over(worker)
            await until(lambda: bool(cut) and one.house.keeper.id != old)
            await until(lambda: len(first.seen) + len(second.seen) == 2)
            assert (first.seen[1:] + second.seen) == [("tea", {}, 2)]
            await until(lambda: not one.house.timers._running and not two.house.timers._running)
            assert await rows(two.house.store, OWN) == []
            await first.host.schedule.at(0, "next", {})
            await until(lambda: len(first.seen) + len(second.seen) == 3)
