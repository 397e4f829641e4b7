"""Gitu as a guest: in an existing loop, twice in a process, without side effects, with the host's own database."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading

import anyio
import pytest

from gitu_core import Gitu, SyncGitu, ToolContext, tool
from gitu_core.errors import ConfigError, GituError, NoModel
from gitu_core.model import AnswerDelta, TurnFinished
from gitu_core.testing import FunctionModel, ScriptedModel, call


@tool
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2


@pytest.mark.anyio
async def test_two_assistants_live_in_one_process_and_loop(tmp_path):
    one, two = ScriptedModel(["one"]), ScriptedModel(["two"])
    async with Gitu(model=one, home=tmp_path / "1") as first, Gitu(model=two, home=tmp_path / "2") as second:
        assert (await first.send("x", user="u")).text == "one"
        assert (await second.send("x", user="u")).text == "two"
        assert len(await first.sessions()) == 1


@pytest.mark.anyio
async def test_it_installs_no_signal_handler_and_configures_no_logging():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = list(logging.getLogger().handlers)
    async with Gitu(model=ScriptedModel(["hi"])) as gitu:
        await gitu.send("x", user="u")
        assert {number: signal.getsignal(number) for number in before} == before
        assert logging.getLogger().handlers == handlers


@pytest.mark.anyio
async def test_it_leaves_nothing_behind_when_it_is_closed():
    threads = set(threading.enumerate())
    async with Gitu(model=ScriptedModel([call("double", number=1), "two"]), tools=[double]) as gitu:
        await gitu.send("x", user="u")

    def left() -> list[str]:
        """Threads that are new, without those that anyio and asyncio keep for the life of the loop."""
        new = (each.name for each in set(threading.enumerate()) - threads)
        return [name for name in new if not name.startswith(("AnyIO", "asyncio_"))]

    with anyio.move_on_after(3):
        while left():  # noqa: ASYNC110 - a thread that ends sets no event
            await anyio.sleep(0.01)
    assert left() == []


@pytest.mark.anyio
async def test_an_error_inside_the_block_comes_out_as_it_is():
    with pytest.raises(ZeroDivisionError):
        async with Gitu(model=ScriptedModel([])):
            raise ZeroDivisionError


@pytest.mark.anyio
async def test_outside_of_the_block_it_says_how_to_use_it():
    gitu = Gitu(model="offline/offline")
    with pytest.raises(RuntimeError, match="async with"):
        await gitu.send("x")
    async with gitu:
        with pytest.raises(RuntimeError, match="already open"):
            await gitu.__aenter__()
    async with gitu:
        pass


@pytest.mark.anyio
async def test_a_provider_that_is_not_there_is_named():
    async with Gitu(model="nowhere/model") as gitu:
        with pytest.raises(NoModel, match="nowhere"):
            await gitu.send("x", user="u")


@pytest.mark.anyio
async def test_an_unknown_profile_is_named():
    async with Gitu(model=ScriptedModel([])) as gitu:
        with pytest.raises(ConfigError, match="no profile 'x'"):
            await gitu.send("x", user="u", profile="x")


@pytest.mark.anyio
async def test_the_hosts_own_engine_and_prefix_are_used(tmp_path):
    from sqlalchemy import create_engine, inspect

    file = tmp_path / "host.db"
    engine = create_engine(f"sqlite:///{file}")
    async with Gitu(model=ScriptedModel(["hi"]), engine=engine, prefix="gitu_", home=tmp_path) as gitu:
        assert (await gitu.send("x", user="u")).text == "hi"
    names = inspect(engine).get_table_names()
    assert names
    assert all(name.startswith("gitu_") for name in names)


def test_the_synchronous_twin_sends_streams_and_lists():
    model = ScriptedModel([call("double", number=4), "eight", "again"])
    with SyncGitu(model=model, tools=[double]) as gitu:
        assert gitu.send("x", user="u").text == "eight"
        events = list(gitu.stream("y", user="u"))
        assert isinstance(events[-1], TurnFinished)
        assert "".join(event.text for event in events if isinstance(event, AnswerDelta)) == "again"
        session = gitu.sessions("u")[0]
        assert len(gitu.history(session.id)) == 6
        gitu.end_session(session.id)
        assert gitu.sessions("u")[0].ended_at
    with pytest.raises(RuntimeError, match="with SyncGitu"):
        gitu.send("x")


def test_the_synchronous_twin_raises_typed_errors_and_takes_several_threads():
    model = FunctionModel(lambda request: request.messages[-1].text)
    with SyncGitu(model=model) as gitu:
        found: list[str] = []

        def send(number: int) -> None:
            found.append(gitu.send(str(number), user=str(number)).text)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [str(number) for number in range(8)]
        with pytest.raises(GituError):
            gitu.send("")


def test_the_synchronous_twin_works_where_a_loop_runs_already():
    async def inside() -> str:
        with SyncGitu(model=ScriptedModel(["hi"])) as gitu:
            return gitu.send("x", user="u").text

    assert anyio.run(inside) == "hi"


def test_making_one_loads_nothing_heavy():
    heavy = ("sqlalchemy", "litellm", "mcp", "stevedore", "jsonschema", "aiohttp", "pydantic", "pluggy", "alembic")
    code = (
        "import sys; from gitu_core import Gitu, tool; Gitu(model='offline/offline'); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.anyio
async def test_in_tests_no_model_is_asked_that_would_leave_this_machine(monkeypatch, model_server):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    async with Gitu(model="openai/some-model") as gitu:
        with pytest.raises(NoModel, match="would leave this machine"):
            await gitu.send("x", user="u")
    monkeypatch.setenv("OPENAI_BASE_URL", model_server.url)
    async with Gitu(model="openai/some-model") as gitu:
        assert "x" in (await gitu.send("x", user="u")).text


@pytest.mark.anyio
async def test_a_plugins_own_tools_are_offered_and_others_only_when_they_are_named():
    class Plugin:
        def gitu_tools(self):
            return [double]

    model = FunctionModel(lambda request: " ".join(sorted(spec.name for spec in request.tools)) or "none")
    async with Gitu(model=model, plugins=[Plugin()]) as gitu:
        assert (await gitu.send("x", user="u")).text == "double"
    async with Gitu(model=model, tools=[double], use=["basics:c*"]) as gitu:
        assert (await gitu.send("x", user="u")).text == "calculate clock convert double"


@pytest.mark.anyio
async def test_falsy_dependencies_are_dependencies():
    @tool
    def count(ctx: ToolContext[list[int]]) -> int:
        """Counts."""
        return len(ctx.deps)

    model = ScriptedModel([call("count"), lambda request: request.messages[-1].text])
    async with Gitu(model=model, tools=[count], deps=[1, 2]) as gitu:
        assert (await gitu.send("x", user="u", deps=[])).text == "0"


@pytest.mark.anyio
async def test_a_plugin_migrates_its_state_once_and_never_backwards(tmp_path):
    import msgspec

    calls = []

    class Plugin:
        version = 2

        def gitu_migrate(self, host, before, after):
            calls.append((before, after))

    async with Gitu(model=ScriptedModel([]), home=tmp_path) as gitu:
        from gitu_core.registry.activation import Activation
        from gitu_core.registry.loading import Active
        from gitu_core.registry.manager import Manager

        manifest = msgspec.structs.replace(gitu.house.registry.manifest("basics"), id="mine", state_version=2)
        active = Active(None, manifest, Manager().add(Plugin(), "mine"))
        activation = Activation(gitu.house.registry, None, print, 1, gitu.house.store, tmp_path, {})
        await activation._migrate(active)
        await activation._migrate(active)
        assert calls == [(0, 2)]
        active.manifest = msgspec.structs.replace(manifest, state_version=1)
        with pytest.raises(GituError, match="has version 2"):
            await activation._migrate(active)
