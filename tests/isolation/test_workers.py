"""Plugins in processes of their own do what they would do inside, and their processes come and go unnoticed."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.config import Settings
from gitu_core.contracts import Claim, Entry, MemoryQuery, ModelRequest
from gitu_core.errors import ConfigError
from gitu_core.model import user_message
from gitu_core.registry import apart as apart_module
from gitu_core.testing import ScriptedModel
from tests.border.toys import CALL, ToyContext
from tests.isolation.conftest import Open, fenced, plugin
from tests.registry.conftest import Site, tool_manifest

pytestmark = pytest.mark.anyio

FACETS = '\n[capabilities]\nfacets = ["kv", "notify", "log"]\n'

SEAMS = (
    Path("tests/border/toys.py").read_text()
    + """

def gitu_memory_stores(host): return [ToyMemory()]
def gitu_model_providers(host): return [ToyProvider()]
def gitu_model_routers(host): return [ToyRouter()]
def gitu_embedders(host): return [ToyEmbedder()]
def gitu_rule_actions(host): return [ToyAction()]
def gitu_tools(host): return [ToyTool()]
def gitu_adapters(host): return [ToyAdapter()]
def gitu_pages(host): return [ToyPage()]
def gitu_commands(host): return [ToyCommand()]
"""
)

LISTENS = """
from gitu_core import tool
SEEN = []

@tool
def seen() -> list[str]:
    "Tells what it saw."
    return SEEN

def gitu_tools(host):
    return [seen]

async def gitu_start(host):
    known = await host.kv.get("starts")
    from gitu_core.contracts import Entry
    await host.kv.put(Entry("starts", (known.value if known else 0) + 1))

def gitu_turn_started(turn):
    SEEN.append("turn")

async def gitu_filter_result(turn, call, result):
    SEEN.append("result of " + call.tool)

def gitu_guard_call(turn, call, tool):
    return "nobody may add here" if call.tool == "add" else None
"""

LISTENING = (
    tool_manifest("seen")
    .replace("Says seen.", "Tells what it saw.")
    .replace(
        "gitu_tools = 0",
        "gitu_tools = 0\ngitu_start = 0\ngitu_turn_started = 0\ngitu_filter_result = 0\ngitu_guard_call = 0",
    )
    + FACETS
)


async def until(what: Any, seconds: float = 10.0) -> None:
    """Waits until *what* gives something true."""
    with anyio.fail_after(seconds):
        while not what():  # noqa: ASYNC110 - what ends is a process
            await anyio.sleep(0.02)


async def test_a_tool_keeps_its_state_and_asks_its_host(site: Site, opened: Open) -> None:
    body = """
from gitu_core.contracts import Entry
known = await host.kv.get("n")
await host.kv.put(Entry("n", (known.value if known else 0) + 1))
return os.getpid()
"""
    plugin(site, "counter", body, FACETS)
    async with opened("counter") as house:
        pids = {(await house.ask("counter")).results[0].content for _ in range(3)}
        assert len(pids) == 1
        assert pids != {os.getpid()}
        kept = await house.gitu.house.store.kv_get("counter", "n")
        assert isinstance(kept, Entry)
        assert kept.value == 3
        assert house.status("counter").isolation == "process"


async def test_a_killed_worker_is_started_again_and_begins_anew(site: Site, opened: Open) -> None:
    site.install("listens", LISTENS, LISTENING)
    async with opened("listens") as house:
        assert (await house.ask("seen")).results[0].content == ["turn"]
        first = house.worker("listens")._run
        os.kill(first.pid, signal.SIGKILL)
        await until(first.over.is_set)
        assert (await house.ask("seen")).results[0].status == "ok"
        assert house.worker("listens")._run is not first
        starts = await house.gitu.house.store.kv_get("listens", "starts")
        assert starts is not None
        assert starts.value == 2


async def test_hooks_observe_filter_and_guard_from_outside(site: Site, opened: Open) -> None:
    site.install("listens", LISTENS, LISTENING)
    async with opened("listens") as house:
        reply = await house.gitu.send("2+3", user="ana")
        assert reply.results[0].status == "denied"
        assert "nobody may add here" in repr(reply.results[0])
        seen = (await house.ask("seen")).results[0].content
        assert seen[0] == "turn"
        assert seen.count("turn") == 2


async def test_other_seams_work_from_outside_streams_included(site: Site, home: Path) -> None:
    site.install("seams", SEAMS, None)
    settings = Settings(home=str(home), plugins={"seams": {"enabled": True}})
    async with Gitu(model=ScriptedModel([]), config=settings) as gitu:
        registry = gitu.house.registry
        (found,) = [each for each in registry.plugins() if each.id == "seams"]
        offered = [each.split(":", 1) for each in found.contributions]
        assert len(offered) == 9
        there = {seam: await registry.get(seam, f"seams:{name}") for seam, name in offered}
        assert (await there["tool"].run(CALL, ToyContext())).status == "ok"
        memory = there["memory"]
        await memory.put([Claim("1", "ana", "likes tea"), Claim("2", "bo", "likes coffee")])
        assert [claim.id async for claim in memory.export("ana")] == ["1"]
        assert [hit.claim.id for hit in await memory.search(MemoryQuery("ana", "tea"))] == ["1"]
        request = ModelRequest("toy", (user_message("hi"),))
        events = [each async for each in there["provider"].stream(request)]
        assert type(events[-1]).__name__ == "Finish"
        assert len(await there["embedder"].embed(["a", "b"])) == 2
        assert (await there["adapter"].health()).state == "degraded"


async def test_an_idle_worker_rests_and_comes_back(
    site: Site, opened: Open, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(apart_module, "IDLE", 0.3)
    plugin(site, "lazy", "return os.getpid()")
    async with opened("lazy") as house:
        first = (await house.ask("lazy")).results[0].content
        run = house.worker("lazy")._run
        await until(run.over.is_set)
        assert list((home / "tmp").iterdir()) == []
        second = (await house.ask("lazy")).results[0].content
        assert first != second
        assert house.status("lazy").state == "enabled"


async def test_nothing_is_left_when_everything_closes(site: Site, opened: Open, home: Path) -> None:
    plugin(site, "plain", "return os.getpid()")
    async with opened("plain") as house:
        pid = (await house.ask("plain")).results[0].content
    await until(lambda: not Path(f"/proc/{pid}").exists())
    assert list((home / "tmp").iterdir()) == []


async def test_what_goes_wrong_is_in_the_log_with_its_traceback(
    site: Site, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plugin(site, "broken", "print('before it broke')\nraise ValueError('the axle broke')")
    async with opened("broken") as house:
        reply = await house.ask("broken")
        assert "ValueError: the axle broke" in str(reply.results[0])
        await until(lambda: "the axle broke" in caplog.text and "before it broke" in caplog.text)
    assert "Traceback" in caplog.text
    assert "x_broken/__init__.py" in caplog.text
    assert {each.name for each in caplog.records if "axle" in each.getMessage()} >= {"gitu.plugins.broken"}


async def test_whoever_is_trusted_runs_inside(site: Site, opened: Open) -> None:
    plugin(site, "friend", "return os.getpid()")
    async with opened("friend", friend={"trusted": True}) as house:
        assert (await house.ask("friend")).results[0].content == os.getpid()
        assert house.status("friend").isolation == "host"


async def test_what_can_only_run_inside_asks_for_trust(site: Site, opened: Open) -> None:
    code = "from tests.isolation.carrier import Carrier\n\ndef gitu_dispatchers(host):\n    return [Carrier()]\n"
    manifest = (
        '[contracts]\ndispatcher = 1\n[hooks]\ngitu_dispatchers = 0\n[[contributes]]\nseam = "dispatcher"\nname = "x"\n'
    )
    site.install("carrier", code, 'isolation = "host"\n' + manifest)
    async with opened("carrier") as house:
        found = house.status("carrier")
        assert found.state == "incompatible"
        assert "can only run inside the host" in found.reason
        assert "trusted = true" in found.hint


@fenced
async def test_who_declares_programs_may_start_them_and_still_reach_nothing_else(
    site: Site, opened: Open, tmp_path: Path
) -> None:
    root = tmp_path / "work"
    root.mkdir()
    (tmp_path / "private").write_text("not for plugins")
    body = f"""
import subprocess
said = subprocess.run(["/bin/sh", "-c", "echo made > {root}/file; cat {tmp_path}/private; cat {root}/file"],
                      capture_output=True, text=True)
return said.stdout + said.stderr
"""
    plugin(site, "shell", body, f'\n[capabilities]\nsubprocess = true\nfiles = ["{root}"]\n')
    async with opened("shell") as house:
        said = (await house.ask("shell")).results[0].content
    assert "made" in said
    assert "not for plugins" not in said
    assert "Permission denied" in said


def released(folder: Path) -> None:
    """Writes down what an installer writes down."""
    files = {each.relative_to(folder).as_posix(): sha256(each.read_bytes()).hexdigest()
             for each in folder.rglob("*") if each.is_file()}  # fmt: skip
    (folder / "release.json").write_text(json.dumps({"files": files}))


async def test_two_plugins_need_two_versions_of_one_library(opened: Open, home: Path) -> None:
    for number in (1, 2):
        folder = home / "plugins" / f"uses{number}" / "r1"
        site = Site(folder)
        body = "import clashing\nreturn clashing.VERSION"
        plugin(site, f"uses{number}", body)
        (folder / "clashing.py").write_text(f"VERSION = {number}\n")
        (folder.parent / "current").write_text("r1\n")
        released(folder)
    async with opened("uses1", "uses2") as house:
        for _ in range(2):
            for number in (1, 2):
                assert (await house.ask(f"uses{number}")).results[0].content == number


async def test_what_was_changed_is_not_run_in_the_place_of_a_worker_that_died(opened: Open, home: Path) -> None:
    folder = home / "plugins" / "mine" / "r1"
    plugin(Site(folder), "mine", "return os.getpid()")
    (folder.parent / "current").write_text("r1\n")
    released(folder)
    async with opened("mine") as house:
        pid = (await house.ask("mine")).results[0].content
        code = next(folder.rglob("x_mine/__init__.py"))
        code.write_text(code.read_text().replace("os.getpid()", "'changed'"))
        os.kill(pid, signal.SIGKILL)
        assert (await house.ask("mine")).results[0].content != "changed"
        await until(lambda: house.status("mine").state == "quarantined")
        assert "x_mine/__init__.py was changed" in house.status("mine").reason


def test_a_worker_dies_with_its_host(site: Site, home: Path, tmp_path: Path) -> None:
    plugin(site, "plain", "return os.getpid()")
    code = f"""
import anyio, os
from gitu_core import Gitu
from gitu_core.config import Settings
from gitu_core.testing import ScriptedModel, call

async def main():
    settings = Settings(home={str(home)!r}, plugins={{"plain": {{"enabled": True}}}})
    async with Gitu(model=ScriptedModel([call("plain"), "x"]), config=settings) as gitu:
        reply = await gitu.send("go", user="ana")
        print(reply.results[0].content, flush=True)
        await anyio.sleep(60)

anyio.run(main)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site.folder), os.getcwd()])}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env) as host:
        assert host.stdout is not None
        pid = int(host.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        host.kill()
        host.wait()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


async def test_a_plugin_that_goes_on_dying_is_quarantined(site: Site, opened: Open) -> None:
    plugin(site, "mortal", "os._exit(3)")
    async with opened("mortal") as house:
        first = await house.ask("mortal")
        assert first.results[0].status in ("error", "unknown")
        assert house.status("mortal").state == "enabled"
        await house.ask("mortal")
        await until(lambda: house.status("mortal").state == "quarantined")
        assert "its process ended by itself (exit code 3)" in house.status("mortal").reason
        assert await house.sum() == "5"


async def test_many_calls_at_once_share_one_worker(site: Site, opened: Open) -> None:
    plugin(site, "busy", "await asyncio.sleep(0.05)\nreturn os.getpid()")
    async with opened("busy") as house:
        replies: list[Any] = []

        async def one(number: int) -> None:
            replies.append(await house.ask("busy", user=f"person{number}"))

        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(one, number)
        assert len({each.results[0].content for each in replies}) == 1


async def test_what_a_plugin_asks_for_during_a_call_is_asked_for_its_person(
    site: Site, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """
from gitu_core.contracts import Entry
await host.schedule.at(time.time() + 3600, "later", {})
return "set"
"""
    more = '\n[capabilities]\nfacets = ["schedule"]\n'
    plugin(site, "timer", body, more)
    home = site.folder / "x_timer" / "__init__.py"
    home.write_text(home.read_text() + "\nasync def gitu_timer(key, data):\n    pass\n")
    manifest = site.folder / "x_timer" / "gitu-plugin.toml"
    manifest.write_text(manifest.read_text().replace("gitu_tools = 0", "gitu_tools = 0\ngitu_timer = 0"))
    async with opened("timer") as house:
        kept: list[Any] = []
        put = house.gitu.house.store.put_timer

        async def noting(timer: Any) -> None:
            kept.append(timer)
            await put(timer)

        monkeypatch.setattr(house.gitu.house.store, "put_timer", noting)
        assert (await house.ask("timer", user="ana")).results[0].content == "set"
        assert [each.person for each in kept] == ["ana"]


LETTERS = """
from gitu_core import Account, Conversation, Delivery, Message, Text
from gitu_core.contracts import Channel, Entry, Health
import anyio

class Letters:
    channel = Channel(name="letters", delivery="idempotent", access="open", trusted=True)

    def __init__(self, host):
        self.host = host

    async def receive(self, inbox):
        where, who = Conversation("letters", "anna"), Account("letters", "anna")
        receipt = await inbox.accept(Message("letter-1", where, who, (Text("Dear Gitu"),)))
        await inbox.finished(receipt.id)
        await self.host.kv.put(Entry("finished", receipt.id))
        await anyio.sleep_forever()

    async def send(self, outgoing):
        await self.host.kv.put(Entry("sent", outgoing.text))
        return Delivery("sent", ids=("1",))

    async def verify(self, outgoing):
        return Delivery("unknown")

    async def show(self, conversation, event):
        pass

    async def health(self):
        return Health("ok")

def gitu_adapters(host):
    return [Letters(host)]
"""

POSTED = """start = "eager"
[contracts]
adapter = 1
[hooks]
gitu_adapters = 0
[capabilities]
facets = ["kv"]
[[contributes]]
seam = "adapter"
name = "letters"
spec = '''{"name": "letters", "delivery": "idempotent", "access": "open", "trusted": true}'''
"""


async def test_a_channel_speaks_from_outside_and_outlives_its_process(site: Site, home: Path) -> None:
    site.install("letters", LETTERS, POSTED)
    settings = Settings(home=str(home), plugins={"letters": {"enabled": True}})
    async with Gitu(model=ScriptedModel(["Dear Anna"]), config=settings) as gitu, anyio.create_task_group() as group:
        store = gitu.house.store
        group.start_soon(gitu.serve, "letters")

        async def kept(key: str) -> Any:
            with anyio.fail_after(20):
                while (entry := await store.kv_get("letters", key)) is None:  # noqa: ASYNC110 - a process writes it
                    await anyio.sleep(0.05)
            return entry.value

        assert await kept("sent") == "Dear Anna"
        first = await kept("finished")
        (active,) = [gitu.house.registry._record("letters").active]
        assert active is not None
        assert active.apart is not None
        run = active.apart._run
        assert run is not None
        await store.kv_delete("letters", "finished")
        os.kill(run.pid, signal.SIGKILL)
        # It connects again, hands the same letter over again, and nobody answers it twice.
        assert await kept("finished") == first
        assert active.apart._run is not run
        group.cancel_scope.cancel()


async def test_what_fails_when_it_is_started_again_waits_longer_each_time_and_is_quarantined(
    site: Site, opened: Open
) -> None:
    """Not once for every call: a plugin that cannot begin any more must not cost a process each time."""
    site.install("fickle", LISTENS, LISTENING)
    code = site.folder / "x_fickle" / "__init__.py"
    async with opened("fickle") as house:
        assert (await house.ask("seen")).results[0].status == "ok"
        code.write_text("raise RuntimeError('the axle broke')\n")
        first = house.worker("fickle")._run
        os.kill(first.pid, signal.SIGKILL)
        await until(first.over.is_set)
        for _ in range(200):
            await house.ask("seen")
            if house.status("fickle").state == "quarantined":
                break
            await anyio.sleep(0.05)
        assert house.status("fickle").state == "quarantined"
        assert "the axle broke" in house.status("fickle").reason


async def test_a_listener_that_died_once_hears_the_next_turn(site: Site, opened: Open) -> None:
    """A turn calls several hooks at once: they wait for the one process, and none of it counts as a fault."""
    site.install("listens", LISTENS, LISTENING)
    async with opened("listens") as house:
        await house.ask("seen")
        first = house.worker("listens")._run
        os.kill(first.pid, signal.SIGKILL)
        await until(first.over.is_set)
        assert (await house.ask("seen")).results[0].content == ["turn"]
        assert (house.status("listens").state, house.status("listens").faults) == ("enabled", 3)


async def test_a_plugin_that_is_quarantined_while_it_loads_is_not_taken_in(site: Site, opened: Open) -> None:
    plugin(site, "busy", "return 'x'")
    async with opened("busy") as house:
        registry = house.gitu.house.registry
        load = registry._activation._load_apart

        async def meanwhile(record: Any) -> Any:
            active = await load(record)
            registry.quarantine("busy", "for a test")
            return active

        registry._activation._load_apart = meanwhile
        reply = await house.ask("busy")
        assert reply.results[0].status == "error"
        assert house.status("busy").state == "quarantined"
        record = registry._record("busy")
        assert record.active is None
        registry._activation._load_apart = load
        registry.reset("busy")
        assert (await house.ask("busy")).results[0].content == "x"


async def test_a_setting_of_a_worker_that_cannot_be_meant_names_its_field(home: Path) -> None:
    for wrong in ("lots", True, 0, -5, 1.5):
        with pytest.raises(ConfigError, match=r"plugins\.busy\.memory"):
            async with Gitu(
                model=ScriptedModel([]), config=Settings(home=str(home), plugins={"busy": {"memory": wrong}})
            ):
                pass
