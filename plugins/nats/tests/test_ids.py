"""Which wake-ups become one message: the sending side alone, and the stream that keeps an id once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from gitu_nats import wakes
from gitu_nats.settings import Settings
from gitu_nats.wakes import Wakes

from .around import Crew, until
from .servers import Node
from .test_wakes import last_message

Answer = Callable[[Any], Awaitable[None]]


class Line:
    """A connection that notes what is sent, and answers when it is told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []  # lane and id
        self._reply: list[str] = []
        self._hear: Answer

    def new_inbox(self) -> str:
        return "inbox"

    async def subscribe(self, subject: str, cb: Answer) -> None:
        self._hear = cb

    async def publish(self, subject: str, data: bytes, reply: str, headers: dict[str, str]) -> None:
        self.sent.append((data.decode(), headers["Nats-Msg-Id"]))
        self._reply.append(reply)

    async def answer(self, number: int = -1, **body: Any) -> None:
        """The stream answers the message with this number."""
        data = json.dumps(body or {"stream": "gitu", "seq": 1}).encode()
        await self._hear(SimpleNamespace(subject=self._reply[number], data=data, headers=None))

    async def nobody(self) -> None:
        """Nobody keeps the stream."""
        await self._hear(SimpleNamespace(subject=self._reply[-1], data=b"", headers={"Status": "503"}))


class Sending:
    """The sending side with what it told."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, str]] = []
        self.kept = 0
        self.wakes = Wakes(Settings(), self._failed, self._kept)

    async def _failed(self, lane: str, reason: str) -> None:
        self.failed.append((lane, reason))

    def _kept(self) -> None:
        self.kept += 1

    async def over(self, line: Line, use: Callable[[], Awaitable[None]]) -> None:
        """Runs over *line* while *use* is at work."""
        async with anyio.create_task_group() as group:
            group.start_soon(self.wakes.run, line)
            await anyio.wait_all_tasks_blocked()
            await use()
            group.cancel_scope.cancel()


@pytest.fixture
def side() -> Sending:
    """One of them."""
    return Sending()


async def test_a_wake_up_joins_what_was_not_sent_and_never_what_was(side: Sending) -> None:
    line = Line()
    side.wakes.put("a")
    side.wakes.put("a")

    async def use() -> None:
        assert [lane for lane, _ in line.sent] == ["a"]
        first, second = side.wakes.put("a"), side.wakes.put("a")
        assert first is second
        await anyio.wait_all_tasks_blocked()
        assert len(line.sent) == 1, "it waits for the answer to the first"
        await line.answer()
        await anyio.wait_all_tasks_blocked()
        assert [lane for lane, _ in line.sent] == ["a", "a"]
        assert line.sent[0][1] != line.sent[1][1], "another message, so another id"
        assert not first.done.is_set()
        await line.answer()
        assert first.done.is_set()

    await side.over(line, use)
    assert (side.kept, side.failed) == (2, [])
    assert side.wakes.take() == []


async def test_what_was_not_answered_is_sent_again_under_its_id_unless_a_wake_up_came_meanwhile(side: Sending) -> None:
    """The first copy may have been kept and handled, before the later wake-up: that one needs a message of its own."""
    lost, line = Line(), Line()
    alone, joined = side.wakes.put("alone"), side.wakes.put("joined")

    async def nothing() -> None: ...

    await side.over(lost, nothing)
    assert alone.done.is_set(), "nobody waits for a connection that is gone"
    assert joined.done.is_set()
    side.wakes.put("joined")

    async def use() -> None:
        ids = dict(line.sent)
        assert ids["alone"] == alone.id
        assert ids["joined"] != joined.id

    await side.over(line, use)
    assert {lane for lane, _ in line.sent} == {"alone", "joined"}
    assert sorted(side.wakes.take()) == ["alone", "joined"], "not answered again: somebody else sees to it"


async def test_a_stream_that_is_there_a_moment_later_loses_nothing(
    side: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakes, "PAUSE", 0.01)
    line = Line()
    wake = side.wakes.put("a")

    async def use() -> None:
        await line.nobody()
        await until(lambda: len(line.sent) == 2)
        await line.answer()
        assert wake.done.is_set()

    await side.over(line, use)
    assert (side.kept, side.failed) == (1, [])


@pytest.mark.parametrize("how", ["nobody", "refused", "silent"])
async def test_what_the_stream_does_not_keep_is_told_and_forgotten(
    side: Sending, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakes, "ANSWER_WITHIN", 0.05)
    monkeypatch.setattr(wakes, "PAUSE", 0.01)
    monkeypatch.setattr(wakes, "PATIENCE", 0.05)
    line = Line()
    wake = side.wakes.put("a")

    async def use() -> None:
        if how == "nobody":
            while not wake.done.is_set():
                await line.nobody()
                await anyio.sleep(0.02)
            assert 2 <= len(line.sent) <= 5, "sent again for a while"
            assert {id for _, id in line.sent} == {wake.id}
        elif how == "refused":
            await line.answer(error={"code": 503, "description": "insufficient storage"})
        with anyio.fail_after(1):
            await wake.done.wait()
        await line.answer()  # too late

    await side.over(line, use)
    assert [lane for lane, _ in side.failed] == ["a"]
    assert {"nobody": "nobody", "refused": "insufficient", "silent": "does not answer"}[how] in side.failed[0][1]
    assert side.wakes.take() == []
    assert side.kept == 0


async def test_the_stream_keeps_a_message_once_that_is_sent_again(crew: Crew, node: Node) -> None:
    """Its answer got lost with the connection: the second copy has the same id."""
    import nats

    worker = await crew.worker(node.url)
    side, deaf = Sending(), await nats.connect(node.url)

    async def nobody_hears(*args: Any, **more: Any) -> None: ...

    deaf.subscribe = nobody_hears  # type: ignore[method-assign]
    side.wakes.put("a")

    async def kept() -> None:
        await until(lambda: worker.done["a"])

    await side.over(deaf, kept)  # type: ignore[arg-type]
    hearing = await nats.connect(node.url)

    async def answered() -> None:
        await until(lambda: side.kept)

    await side.over(hearing, answered)  # type: ignore[arg-type]
    await deaf.close()
    await hearing.close()
    assert await last_message(node) == 1
    assert worker.done["a"] == 1
