"""How an old plugin is driven: one function a seam. Each gives plain data, which has to be exactly what was frozen."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import msgspec

from gitu_core import Gitu, tool
from gitu_core.config import Settings
from gitu_core.contracts import SEAMS, CallInfo, Candidate, Claim, MemoryQuery, RouteTask, ToolCall, ToolSpec
from gitu_core.errors import Denied
from gitu_core.testing import RecordingAdapter, ScriptedModel, call
from gitu_core.testing.loopback import loopback
from tests.app.around import On, until

Open = Callable[..., AbstractAsyncContextManager[Gitu]]
"""Opens an assistant in which the plugin is enabled."""

Drive = Callable[[Open, Any], Awaitable[Any]]


def opener(home: str, id: str, config: dict[str, Any], trusted: bool) -> Open:
    """Opens assistants with one plugin enabled: inside where it is *trusted*, else in a process of its own."""
    settings = Settings(home=home, plugins={id: {"enabled": True, "trusted": trusted, **config}})

    def approve(*asked: Any) -> bool:
        return True

    def make(model: Any = "", use: tuple[str, ...] = ("*",), **options: Any) -> AbstractAsyncContextManager[Gitu]:
        return Gitu(model=model, config=settings, use=use, approve=approve, **options)

    return make


def plain(value: Any) -> Any:
    """What was given, as JSON data."""
    return msgspec.json.decode(msgspec.json.encode(value))


class Silent:
    """What a call that nobody watches knows."""

    info, deps = CallInfo("c", "k", principal="ana"), None

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Shows nothing."""


@asynccontextmanager
async def objects(open_: Open, seam: str, name: str) -> Any:
    """An object of the plugin, then the same as an isolated plugin's host sees it."""
    async with AsyncExitStack() as stack:
        gitu = await stack.enter_async_context(open_(ScriptedModel()))
        found = await gitu.house.registry.get(seam, name)
        yield found, await stack.enter_async_context(loopback(found, SEAMS[seam].protocol))


async def both(open_: Open, seam: str, name: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """What *work* gives with an object; the same on both sides of the process border."""
    async with objects(open_, seam, name) as (here, across):
        near = plain(await work(here))
        assert plain(await work(across)) == near
        return near


def said_of_itself(spec: ToolSpec) -> Any:
    """A spec, of its schema what binds: libraries write the rest differently from release to release."""
    schema: dict[str, Any] = spec.input_schema
    kinds = {name: part.get("enum") or part.get("type") for name, part in schema["properties"].items()}
    return {**plain(spec), "input_schema": [kinds, schema.get("required", [])]}


async def tools(open_: Open, given: Any) -> Any:
    """Each tool is called by a model in a real turn."""
    model = ScriptedModel([*(call(name, **arguments) for name, arguments in given["calls"]), "done"])
    async with open_(model) as gitu:
        reply = await gitu.send(given["said"], user="ana")
        offered = {each.name: each for each in model.requests[0].tools}
        specs = {name: said_of_itself(offered[name]) for name, _ in given["calls"]}
    error = (each.error and [each.error.code, each.error.message, each.error.hint] for each in reply.results)
    results = [[each.status, plain(each.content), wrong] for each, wrong in zip(reply.results, error, strict=True)]
    return {"results": results, "text": reply.text, "specs": specs}


async def channel(open_: Open, given: Any) -> Any:
    """The channel hands a message over twice, and hears one answer."""
    async with open_(ScriptedModel(given["says"])) as gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        bell = await gitu.house.registry.get("adapter", given["name"])
        await until(lambda: bell.sent and len(bell.receipts) == 2 and "TurnFinished" in bell.shown)
        group.cancel_scope.cancel()
        health = await bell.health()
        return {"receipts": bell.receipts, "sent": [*bell.sent.values()], "health": health.state}


async def memory(open_: Open, given: Any) -> Any:
    """What is put is got, found, exported, and gone when it is deleted."""

    async def work(store: Any) -> Any:
        claims = msgspec.convert(given["claims"], tuple[Claim, ...])
        await store.put(claims)
        query = msgspec.convert(given["query"], MemoryQuery)
        found = {
            "get": [each.text for each in await store.get(given["ids"])],
            "same": list(await store.get([claims[0].id])) == [claims[0]],
            "search": [[hit.claim.id, hit.score] for hit in await store.search(query)],
            "export": [each.id async for each in store.export(query.person)],
            "delete": await store.delete(given["ids"]),
            "left": [each.id async for each in store.export(query.person)],
        }
        await store.delete([each.id for each in claims])
        return found

    return await both(open_, "memory", given["name"], work)


async def provider(open_: Open, given: Any) -> Any:
    """Its model answers a turn, and calls a tool of the application."""

    @tool
    def lamp(number: int) -> str:
        """Tells about a lamp."""
        return f"lamp {number} is on"

    async with open_(given["model"], use=(), tools=[lamp]) as gitu:
        reply = await gitu.send(given["said"], user="ana")
        found = await gitu.house.registry.get("provider", given["model"].partition("/")[0])
        return {
            "text": reply.text,
            "tokens": [reply.usage.input_tokens, reply.usage.output_tokens],
            "results": [plain(each.content) for each in reply.results],
            "catalogue": plain(await found.catalogue()),
        }


async def router(open_: Open, given: Any) -> Any:
    """Ranks."""
    task, found = msgspec.convert(given["task"], RouteTask), msgspec.convert(given["candidates"], list[Candidate])

    async def work(one: Any) -> Any:
        return [each.model for each in await one.rank(task, found)]

    return await both(open_, "router", given["name"], work)


async def embedder(open_: Open, given: Any) -> Any:
    """Turns texts into vectors."""

    async def work(one: Any) -> Any:
        return [[one.dimensions, one.version, one.batch], await one.embed(given["texts"], "query")]

    return await both(open_, "embedder", given["name"], work)


async def action(open_: Open, given: Any) -> Any:
    """Runs and verifies."""

    async def work(one: Any) -> Any:
        what = ToolCall("c", one.spec.name, given["arguments"])
        return [one.spec, await one.run(what, Silent()), await one.verify(what, Silent())]

    return await both(open_, "action", given["name"], work)


async def page(open_: Open, given: Any) -> Any:
    """Shows itself and does what is asked for."""

    async def work(one: Any) -> Any:
        acts = [await one.act("ana", name, values) for name, values in given["acts"]]
        return [[one.path, one.title, one.icon], await one.blocks("ana"), acts]

    return await both(open_, "page", given["path"], work)


async def command(open_: Open, given: Any) -> Any:
    """Runs with each of the arguments."""

    async def work(one: Any) -> Any:
        return [one.spec, *[await one.run(each) for each in given["arguments"]]]

    return await both(open_, "command", given["name"], work)


async def hear(adapter: RecordingAdapter, words: str) -> str:
    """What is said back, or why not."""
    try:
        return await adapter.talk(words)
    except Denied as error:
        return f"denied: {error.message}"


async def hooks(open_: Open, given: Any) -> Any:
    """Talks on a channel, with a tool call, an event and a timer; tells what was called with what, and what came of
    filters and guards."""

    @tool
    def lamp(number: int) -> str:
        """Tells about a lamp."""
        return f"lamp {number} is on"

    def repeat(request: Any) -> str:
        return f"{request.temperature} {request.messages[-1].text}"

    adapter = RecordingAdapter()
    script = [call("lamp", number=3), repeat, call("lamp", number=13), repeat, repeat]
    async with AsyncExitStack() as stack:
        opened = open_(ScriptedModel(script), tools=[lamp], plugins=[On(adapter)])  # type: ignore[no-untyped-call]
        gitu = await stack.enter_async_context(opened)
        group = await stack.enter_async_context(anyio.create_task_group())
        group.start_soon(gitu.serve)
        module = sys.modules[given["module"]]
        gitu.house.registry.quarantine(*given["quarantine"])
        said = [await hear(adapter, words) for words in given["said"]]
        await until(lambda: {"gitu_event", "gitu_timer"} <= module.CALLED.keys())
        running = module.STATE.running
        group.cancel_scope.cancel()
    called = {name: calls[0] for name, calls in sorted(module.CALLED.items())}
    return {"said": said, "called": called, "running": [running, module.STATE.running]}


DRIVES: dict[str, Drive] = {
    each.__name__: each for each in (tools, channel, memory, provider, router, embedder, action, page, command, hooks)
}
