"""What a plugin gets from its host: the facets it declared, typed refusals for everything else."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core import Conversation, Gitu, Text
from gitu_core.config import Settings
from gitu_core.contracts.host import Entry
from gitu_core.errors import AuthFailed, ConfigError, Denied, FacetUnavailable, InputError, NotReady
from gitu_core.testing import RecordingAdapter, ScriptedModel
from tests.registry.conftest import TOOL, Site, tool_manifest

pytestmark = pytest.mark.anyio

CODE = (
    TOOL.format(name="look")
    + """
HOST = None

def gitu_tools(host):
    global HOST
    HOST = host
    return [look]
"""
)

DECLARES = """
[capabilities]
facets = ["kv", "blobs", "secrets", "model", "notify", "admin", "memory"]
[[capabilities.secrets]]
name = "SHOP_KEY"
mode = "revealed"
[[capabilities.secrets]]
name = "HEADER_KEY"
mode = "injected"
[config]
schema = '''{"type": "object", "properties": {
    "limit": {"type": "integer", "minimum": 1, "default": 3, "x-env": "SHOP_LIMIT"}}}'''
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A folder of installed distributions that this process finds."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.delitem(sys.modules, "x_shop", raising=False)
    return site


class Own:
    """The embedder's own plugin, with the channel of the test."""

    def __init__(self, adapter: RecordingAdapter) -> None:
        self._adapter = adapter

    def gitu_adapters(self) -> list[RecordingAdapter]:
        """The channel."""
        return [self._adapter]


@asynccontextmanager
async def hosted(
    site: Site, home: Path, more: str = DECLARES, *, adapter: Any = None, replies: Any = (), **section: Any
) -> AsyncIterator[Any]:
    """The host of an installed plugin, as its own code or its process is handed it."""
    site.install("shop", CODE, 'start = "eager"\n' + tool_manifest("look") + more)
    settings = Settings(home=str(home), plugins={"shop": {"enabled": True, **section}})
    own = [Own(adapter)] if adapter else []
    async with (
        Gitu(model=ScriptedModel(*replies), config=settings, plugins=own) as gitu,
        anyio.create_task_group() as group,
    ):
        if adapter:
            group.start_soon(gitu.serve, adapter.channel.name)
            await adapter._ready()
        active = gitu.house.registry._record("shop").active
        assert active is not None
        yield active.host
        group.cancel_scope.cancel()


async def test_a_plugin_keeps_finds_and_removes_its_own_entries(site: Site, home: Path) -> None:
    async with hosted(site, home) as host:
        for key, person in (("cart.1", "ana"), ("cart.2", "bob"), ("other", "ana")):
            await host.kv.put(Entry(key, {"n": 1}, person))
        assert (await host.kv.get("cart.1")).value == {"n": 1}
        assert [each.key for each in await host.kv.list("cart.")] == ["cart.1", "cart.2"]
        assert [each.key for each in await host.kv.list(person="ana")] == ["cart.1", "other"]
        assert (await host.kv.delete("cart.1"), await host.kv.delete("cart.1")) == (True, False)
        assert await host.kv.get("cart.1") is None


async def test_bytes_are_written_and_read_in_pieces(site: Site, home: Path) -> None:
    async with hosted(site, home) as host:
        handle = await host.blobs.begin("text/plain", "greeting.txt")
        await host.blobs.write(handle, b"good ")
        await host.blobs.write(handle, b"morning")
        blob = await host.blobs.commit(handle)
        assert (blob.size, blob.media_type) == (12, "text/plain")
        assert await host.blobs.read(blob, 5) == b"morning"
        assert await host.blobs.read(blob, 0, 4) == b"good"
        assert await host.blobs.read(blob, 12) == b""
        with pytest.raises(InputError, match="smaller pieces"):
            await host.blobs.write(await host.blobs.begin(), bytes((1 << 20) + 1))
        for late in (host.blobs.write(handle, b"!"), host.blobs.commit(handle)):
            with pytest.raises(InputError, match="call begin first"):
                await late


async def test_only_a_secret_that_is_declared_as_revealed_is_revealed(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(site, home) as host:
        with pytest.raises(AuthFailed, match="SHOP_KEY is not set"):
            await host.secrets.reveal("SHOP_KEY")
        monkeypatch.setenv("SHOP_KEY", "s3cret")
        assert await host.secrets.reveal("SHOP_KEY") == "s3cret"
        for name in ("HEADER_KEY", "PATH", "platform:PATH"):
            with pytest.raises(Denied, match="does not declare the secret"):
                await host.secrets.reveal(name)


async def test_a_plugin_asks_a_model_for_words_and_for_values(site: Site, home: Path) -> None:
    schema = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
    async with hosted(site, home, replies=["blue", {"price": 3.5}]) as host:
        assert await host.model.complete("Which colour?") == "blue"
        assert await host.model.complete("Which price?", schema) == {"price": 3.5}


async def test_a_plugin_says_something_of_its_own_accord_where_a_channel_runs(site: Site, home: Path) -> None:
    adapter = RecordingAdapter()
    async with hosted(site, home, adapter=adapter) as host:
        await host.notify.send(Conversation("test", "ana"), [Text("Your order left.")], "order-1")
        said = await adapter.reply()
        assert (said.text, said.key) == ("Your order left.", "shop.order-1")
        assert said.label.origins == {"plugin:shop"}
        with pytest.raises(NotReady, match="is not there"):
            await host.notify.send(Conversation("elsewhere", "ana"), [Text("x")], "order-2")


async def test_the_same_notice_again_is_said_once_on_a_channel_that_keeps_keys(site: Site, home: Path) -> None:
    adapter = RecordingAdapter(delivery="idempotent")
    async with hosted(site, home, adapter=adapter) as host:
        for _ in range(2):
            await host.notify.send(Conversation("test", "ana"), [Text("Your order left.")], "order-1")
    assert len(adapter.sent) == 1


async def test_what_a_plugin_logs_carries_its_name(site: Site, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with hosted(site, home, more="") as host:
        with caplog.at_level(logging.INFO, "gitu.plugins.shop"):
            await host.log.write("warning", "shelves are empty")
            await host.log.write("nonsense", "x" * 3000)
    shelves, long = [each for each in caplog.records if each.name == "gitu.plugins.shop"]
    assert (shelves.levelname, shelves.getMessage()) == ("WARNING", "shelves are empty")
    assert (long.levelname, len(long.getMessage())) == ("INFO", 2000)


async def test_only_a_trusted_plugin_looks_into_the_installation(site: Site, home: Path) -> None:
    async with hosted(site, home) as host:
        with pytest.raises(FacetUnavailable, match="not trusted"):
            await host.admin.plugins()
    async with hosted(site, home, trusted=True) as host:
        assert {"shop", "basics"} <= {each["id"] for each in await host.admin.plugins()}
        assert [each async for each in host.admin.sessions()] == []


async def test_what_is_not_declared_or_not_offered_is_refused_with_the_next_step(site: Site, home: Path) -> None:
    async with hosted(site, home) as host:
        with pytest.raises(FacetUnavailable, match="this host does not offer the facet 'memory'"):
            await host.memory.search(None)
        with pytest.raises(FacetUnavailable, match="does not declare the facet 'files'") as caught:
            await host.files.list("")
        assert "gitu-plugin.toml of shop" in caught.value.hint
        with pytest.raises(AttributeError):
            _ = host.nonsense


async def test_configuration_comes_from_the_settings_then_the_environment_then_the_schema(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(site, home) as host:
        assert host.config == {"limit": 3}
        monkeypatch.setenv("SHOP_LIMIT", "4")
        assert host.config == {"limit": 4}
    async with hosted(site, home, limit=5) as host:
        assert host.config == {"limit": 5}


async def test_configuration_that_does_not_fit_names_its_field(site: Site, home: Path) -> None:
    async with hosted(site, home, limit=0) as host:
        with pytest.raises(ConfigError, match=r"plugins\.shop\.limit") as caught:
            _ = host.config
        assert caught.value.details["field"] == "plugins.shop.limit"
