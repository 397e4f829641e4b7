"""The fakes of a world keep the laws of their contracts and count what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitu_core.contracts import Conversation
from gitu_core.model import Ask, CallInfo, Outgoing, Text, ToolCall, user_message
from gitu_core.model.chat import Finish, ModelMessage, ModelRequest
from gitu_core.testing import CountingAdapter, CountingModel, CountingTool, World

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty world."""
    return World(tmp_path)


class Context:
    """What a call knows."""

    def __init__(self, key: str) -> None:
        self.info = CallInfo("c", key)
        self.deps: Any = None

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Shows nothing."""


def outgoing(key: str, *parts: Any) -> Outgoing:
    """Something to say to Ana."""
    return Outgoing(key, key, Conversation("world", "ana"), parts or (Text("hi"),))


@pytest.mark.parametrize(("delivery", "seen", "state"), [
    ("idempotent", 1, "sent"), ("verifiable", 2, "sent"), ("blind", 2, "unknown"),
])  # fmt: skip
async def test_a_channel_shows_and_tells_what_its_kind_promises(
    world: World, delivery: Any, seen: int, state: str
) -> None:
    adapter = CountingAdapter(world, delivery=delivery)
    for _ in range(2):
        assert (await adapter.send(outgoing("k"))).state == "sent"
    assert len(world.seen(delivery)) == seen
    assert (await CountingAdapter(world, delivery=delivery).verify(outgoing("k"))).state == state
    assert (await adapter.verify(outgoing("other"))).state == ("unknown" if delivery == "blind" else "not_sent")


async def test_a_person_answers_a_question_once_even_if_they_see_it_twice(world: World) -> None:
    adapter = CountingAdapter(world, delivery="blind")
    for _ in range(2):
        await adapter.send(outgoing("q", Ask("a1", "May I?", ("yes", "no"), "pay: one")))
    assert [(each.ask, each.choice) for each in world.events("said")] == [("a1", "yes")]
    assert [each.text for each in world.events("sent")] == ["May I?\npay: one"] * 2


async def test_the_remote_side_counts_every_time_and_can_be_asked(world: World) -> None:
    tool = CountingTool(world)
    call = ToolCall("c", "pay", {"item": "one"})
    assert (await tool.verify(call, Context("k"))).status == "error"
    for _ in range(2):
        assert (await tool.run(call, Context("k"))).content == "ok: pay one"
    assert (await tool.verify(call, Context("k"))).status == "ok"
    assert world.effects() == {"k": 2}


async def test_the_model_goes_on_where_the_results_end(world: World) -> None:
    model = CountingModel(world, effect="book", argument="table")
    asked: list[ModelMessage] = [user_message("approval one")]

    async def said() -> Any:
        events = [event async for event in model.stream(ModelRequest("world", tuple(asked)))]
        assert isinstance(events[-1], Finish)
        return "".join(getattr(event, "text", "") or getattr(event, "arguments", "") for event in events[:-1])

    assert await said() == "{}"
    asked += [ModelMessage("tool", (Text("a page"),)), user_message("what goes on?")]
    assert await said() == '{"table":"approval one"}'
    asked.append(ModelMessage("tool", (Text("ok: done"),)))
    assert await said() == "answer to <approval one>: ok: done"
    begun = [each.key for each in world.events("model.begun")]
    assert begun == [each.key for each in world.events("model.finished")]
    assert begun == ["approval one#0", "approval one#1", "approval one#2"]
