"""Every seam works through the border as it works without it: the same tests, twice."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import pytest

from gitu_core.contracts import (
    FACETS,
    Adapter,
    Candidate,
    Claim,
    Command,
    Embedder,
    Host,
    MemoryQuery,
    MemoryStore,
    ModelInfo,
    ModelMessage,
    ModelProvider,
    ModelRequest,
    ModelRouter,
    Outgoing,
    Page,
    RouteTask,
    RuleAction,
    Tool,
    ToolCall,
)
from gitu_core.errors import FacetUnavailable, HookError, RateLimited
from gitu_core.model import Finish, Opaque, Text, TextDelta, from_outside, user_message
from gitu_core.testing.borders import Across
from tests.border import toys

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("toy", "protocol"), [(toys.ToyTool, Tool), (toys.ToyAction, RuleAction)])
async def test_a_tool_or_action_runs_and_reports_its_progress(across: Across, toy: type, protocol: type) -> None:
    """The spec, the arguments, the result, its label and the calls to the context are the same."""
    own, context = toy(), toys.ToyContext()
    tool = await across(own, protocol)
    assert tool.spec == own.spec
    result = await tool.run(toys.CALL, context)
    assert (result.content, result.label) == (toys.CALL.arguments, from_outside("toy"))
    assert context.said == [("half", 0.5)]


async def test_an_error_of_gitu_arrives_as_the_same_class(across: Across) -> None:
    """With message, hint, details and what is computed from them."""
    tool = await across(toys.ToyTool(), Tool)
    with pytest.raises(RateLimited, match="slow down") as caught:
        await tool.run(ToolCall("c", "toy", {"limit": True}), toys.ToyContext())
    assert (caught.value.hint, caught.value.retry_after) == ("wait", 1.5)


async def test_any_other_error_arrives_by_name_without_a_trace(across: Across) -> None:
    """Directly it is the error itself; through the border a HookError names it."""
    tool = await across(toys.ToyTool(), Tool)
    with pytest.raises(HookError if across.far else KeyError) as caught:
        await tool.run(ToolCall("c", "toy", {"crash": True}), toys.ToyContext())
    assert "no such thing" in str(caught.value)
    if across.far:
        assert str(caught.value).startswith("KeyError: ")
        assert "toys.py" not in str(caught.value)


async def test_cancelling_a_call_cancels_the_implementation_before_the_caller_goes_on(across: Across) -> None:
    """When the cancelled call has ended, the implementation's clean-up has run: nothing leaks."""
    own = toys.ToyTool()
    tool = await across(own, Tool)
    async with anyio.create_task_group() as group:
        group.start_soon(tool.run, ToolCall("c", "toy", {"wait": True}), toys.ToyContext())
        await own.started.wait()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert own.cancelled.is_set()
    assert own.ended == 1


async def test_an_adapter_hands_messages_to_the_inbox_until_it_is_cancelled(across: Across) -> None:
    """The inbox is the caller's own object; the adapter calls it from where it is."""
    own, inbox = toys.ToyAdapter(), toys.ToyInbox()
    adapter = await across(own, Adapter)
    assert adapter.channel == own.channel
    async with anyio.create_task_group() as group:
        group.start_soon(adapter.receive, inbox)
        await own.received.wait()
        group.cancel_scope.cancel()
    assert inbox.messages == [toys.MESSAGE]
    assert own.receipts[0].id == "1"
    assert own.stopped
    parts = (Text("hi"), Opaque({"type": "poll", "options": [1]}))
    outgoing = Outgoing("o", "key", toys.CHAT, parts)
    assert (await adapter.send(outgoing)).ids == ("key",)
    assert (await adapter.verify(outgoing)).detail == "hi"
    await adapter.show(toys.CHAT, toys.progress())
    assert own.shown == [toys.progress()]
    assert (await adapter.health()).state == "degraded"


async def test_a_memory_store_keeps_claims_with_label_and_unknown_fields(across: Across) -> None:
    """Laws M1 and M6, through lists and streams."""
    memory = await across(toys.ToyMemory(), MemoryStore)
    claims = [Claim(str(n), "ann", "x", label=from_outside("web"), extra={"new": [n, None]}) for n in range(100)]
    await memory.put(claims)
    assert list(await memory.get(["5", "none", "3"])) == [claims[5], claims[3]]
    assert [hit.claim for hit in await memory.search(MemoryQuery("ann"))] == claims
    assert [claim async for claim in memory.export("ann")] == claims
    assert await memory.delete(["1", "none"]) == 1


async def test_closing_a_stream_early_stops_its_producer(across: Across) -> None:
    """The producer's clean-up has run, waits included, when the close returns; it ran ahead by the window
    at most."""
    own = toys.ToyMemory()
    memory = await across(own, MemoryStore)
    await memory.put([Claim(str(n), "ann", "x") for n in range(500)])
    async with aclosing(memory.export("ann")) as stream:  # type: ignore[type-var]
        async for _ in stream:
            await anyio.wait_all_tasks_blocked()
            break
    assert own.closed == 1
    assert own.made <= 34


async def test_a_provider_streams_events_and_typed_failures(across: Across) -> None:
    """Every kind of event keeps its type; an error may come after events."""
    provider = await across(toys.ToyProvider(), ModelProvider)
    assert list(await provider.catalogue()) == [ModelInfo("toy", input_price=3)]
    request = ModelRequest("toy", (user_message("a"), ModelMessage("assistant", calls=(toys.CALL,)), user_message("b")))
    events = [event async for event in provider.stream(request)]
    assert events[:3] == [TextDelta("a"), TextDelta(""), TextDelta("b")]
    assert isinstance(events[-1], Finish)
    got = []
    broken = provider.stream(ModelRequest("toy", (user_message("a"), user_message("break"))))
    with pytest.raises(RateLimited):  # noqa: PT012 - what came before the error counts
        async for event in broken:
            got.append(event)
    assert got == [TextDelta("a")]


async def test_router_embedder_page_and_command(across: Across) -> None:
    """The seams of plain calls."""
    router = await across(toys.ToyRouter(), ModelRouter)
    dear, cheap = (Candidate(name, ModelInfo(name), estimate) for name, estimate in (("dear", 9), ("cheap", 1)))
    assert list(await router.rank(RouteTask(needs=frozenset({"tools"})), (dear, cheap))) == [cheap, dear]
    embedder = await across(toys.ToyEmbedder(), Embedder)
    assert (embedder.dimensions, embedder.version, embedder.batch) == (2, "1", 8)
    assert [list(vector) for vector in await embedder.embed(["abc"])] == [[3.0, 0.5]]
    page = await across(toys.ToyPage(), Page)
    assert (page.path, (await page.blocks("user:ann"))[0].data) == ("toy", {"rows": [[1, None]]})
    assert (await page.act("p", "a", {"x": None})).content == ["p", "a", {"x": None}]
    command = await across(toys.ToyCommand(), Command)
    assert (await command.run({"n": 1})).content == {"n": 1}


async def test_a_guest_uses_every_facet_of_its_host(across: Across) -> None:
    """What the guest saw through the border is what it sees directly, bytes included; the host saw the same
    calls."""
    near, host = toys.ToyHost(), toys.ToyHost()
    expected = await toys.ToyGuest().visit(near)
    guest = await across(toys.ToyGuest(), toys.Guest)
    seen = await guest.visit(host)
    assert [sorted(line) for line in seen[:-3]] == [sorted(line) for line in expected[:-3]]
    assert seen[-3:] == expected[-3:]
    assert [call[0] for call in host.calls] == [call[0] for call in near.calls]
    assert {call[0].split(".")[0] for call in host.calls} | {"kv"} == set(FACETS)


async def test_a_facet_that_is_not_offered_says_so_when_it_is_used(across: Across) -> None:
    """The host's own words cross; `hasattr` on data that stays in the host is simply false."""
    host = await across(toys.ToyHost("http"), Host)
    with pytest.raises(FacetUnavailable, match="http is not declared"):
        _ = host.http
    assert host.plugin == "toys"


async def test_returned_objects_work_after_the_call_that_returned_them(across: Across) -> None:
    """A guest hands tools over; each is another object, and its data came with it."""
    guest = await across(toys.ToyGuest(), toys.Guest)
    first, second = await guest.tools()
    assert first.spec == second.spec == toys.ToyTool().spec
    assert (await second.run(toys.CALL, toys.ToyContext())).content == toys.CALL.arguments
    assert list(await guest.tools(toys.ToyHost())) == []
    assert (await guest.named())["toy"].dimensions == 2
