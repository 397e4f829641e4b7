"""The other side is not Gitu, is broken, or means harm: typed errors, no hang, nothing reached that was not
offered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from gitu_core.border.peer import Peer
from gitu_core.contracts import WIRE_VERSION, MemoryStore, Tool
from gitu_core.errors import BorderError, GituError, IncompatibleError, NotReady, Unknown
from gitu_core.testing.loopback import MemoryTransport, memory_transports
from tests.border import toys

pytestmark = pytest.mark.anyio
OFFER = {"ref": 0, "data": {"name": "evil"}}
HELLO = ["hello", WIRE_VERSION, {}, OFFER]


def line(*frame: Any) -> bytes:
    """A frame as bytes."""
    return msgspec.json.encode(frame)


async def next_frames(raw: MemoryTransport) -> list[Any]:
    """The frames of the next chunk."""
    with anyio.fail_after(2):
        return [msgspec.json.decode(each) for each in (await raw.receive()).split(b"\n")]


@asynccontextmanager
async def against_raw(**options: Any) -> AsyncIterator[tuple[Peer, MemoryTransport]]:
    """A peer that offers a tool, and the raw other end after the greeting."""
    near, far = memory_transports()
    await far.send(line(*HELLO))
    async with Peer(near, offer=toys.ToyTool(), protocol=Tool, **options) as peer:
        assert (await next_frames(far))[0][0] == "hello"
        yield peer, far


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        b"garbage",
        b"\xff\xfe\x00",
        b"[",
        b'["call",1,0',
        b"[" * 100_000,
        line("call"),
        line("call", "x", 0, "run", {}),
        line("nonsense", 1),
        b"{}",
        line(*HELLO),
        line("result", 1),
        b'["result",1,' + b"[" * 100_000 + b"]" * 100_000 + b"]",
        b'["item",1,"' + b"x" * 70_000 + b'"]',
    ],
)
async def test_garbage_ends_the_connection_with_a_typed_error(chunk: bytes) -> None:
    """Calls in flight are unknown, later ones not ready."""
    async with against_raw(limit=60_000) as (peer, far):
        await far.send(chunk)
        with anyio.fail_after(2):
            await peer.closed.wait()
        assert isinstance(peer.reason, BorderError)
        with pytest.raises(NotReady):
            await peer.remote(MemoryStore).get(["a"])


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (("call", 1, 99, "run", {}), "border"),
        (("call", 1, -1, "run", {}), "border"),
        (("call", 1, 0, "__class__", {}), "border"),
        (("call", 1, 0, "ended", {}), "border"),
        (("call", 1, 0, "spec", {}), "border"),
        (("call", 1, 0, "run", None), "border"),
        (("call", 1, 0, "run", {}), "border"),
        (("call", 1, 0, "run", {"call": 7, "context": {"ref": 0}}), "border"),
        (("call", 1, 0, "run", {"call": {"id": "a", "tool": "b"}, "context": {"ref": 5, "home": True}}), "border"),
        (("call", 1, 0, "run", {}, 5), "border"),
        (("call", 1, 0, "x" * 10_000, {}), "border"),
    ],
)
async def test_a_bad_call_fails_alone(call: tuple[Any, ...], code: str) -> None:
    """Unknown objects, methods that no contract has, wrong types: an answer each, and the connection
    stays."""
    async with against_raw() as (peer, far):
        await far.send(line(*call))
        [frame] = await next_frames(far)
        assert frame[:2] == ["error", 1]
        assert frame[2]["kinds"][0] == code
        await far.send(line("call", 2, 0, "verify", {"call": {"id": "a", "tool": "b"}, "context": _context()}))
        assert (await next_frames(far))[0][:2] == ["result", 2]
        assert not peer.closed.is_set()


def _context() -> dict[str, Any]:
    return {"ref": 3, "data": {"info": {"call": "c", "key": "k"}}}


async def test_answers_to_nobody_are_dropped() -> None:
    """Results, items, credits, cancels and releases for what does not exist change nothing."""
    async with against_raw() as (peer, far):
        for frame in (
            ("result", 9, 1),
            ("item", 9, 1),
            ("end", 9),
            ("credit", 9, 5),
            ("cancel", 9),
            ("release", 0, 1),
            ("release", 7, -1),
            ("error", 9, {"kinds": [], "message": "x"}),
        ):
            await far.send(line(*frame))
        await far.send(line("call", 2, 0, "verify", {"call": {"id": "a", "tool": "b"}, "context": _context()}))
        assert (await next_frames(far))[0][:2] == ["result", 2]
        assert not peer.closed.is_set()


@pytest.mark.parametrize(
    "frame",
    [
        ("result", 9, 1), ("item", 9, 1), ("end", 9), ("credit", 9, 5), ("cancel", 9), ("release", 7, 1),
        ("error", 9, {"kinds": [], "message": "x"}), ("call", 1, 99, "none", {}),
    ],
)  # fmt: skip
async def test_whoever_floods_is_cut_off_whatever_it_sends(frame: tuple[Any, ...]) -> None:
    async with against_raw(rate=100.0) as (peer, far):
        for number in range(50):
            await far.send(line(frame[0], number + 1, *frame[2:]) if frame[0] == "call" else line(*frame))
        await anyio.sleep(0.05)
        assert not peer.closed.is_set()
        await far.send(b"\n".join([line(*frame)] * 200))
        with anyio.fail_after(2):
            await peer.closed.wait()
        assert isinstance(peer.reason, BorderError)


async def test_bytes_count_as_well_and_answers_that_are_awaited_do_not() -> None:
    async with against_raw(rate=100.0) as (peer, far):
        async with anyio.create_task_group() as group:
            for _ in range(300):
                group.start_soon(peer.remote(Tool).verify, toys.CALL, toys.ToyContext())
            asked = 0
            while asked < 300:
                frames = await next_frames(far)
                asked += sum(each[0] == "call" for each in frames)
                await far.send(
                    b"\n".join(line("result", each[1], {"status": "ok"}) for each in frames if each[0] == "call")
                )
        assert not peer.closed.is_set()
        await far.send(line("result", 1, "x" * (7 << 20)))
        with anyio.fail_after(2):
            await peer.closed.wait()
        assert "as much was sent" in str(peer.reason)


async def test_an_error_is_cut_by_whoever_receives_it() -> None:
    """A side that means harm leaves that out: what it says ends up in logs."""
    async with against_raw() as (peer, far), anyio.create_task_group() as group:

        async def ask() -> None:
            with pytest.raises(GituError) as refused:
                await peer.remote(Tool).verify(toys.CALL, toys.ToyContext())
            said = [refused.value.message, refused.value.hint, *map(str, refused.value.details.items())]
            assert max(map(len, said)) <= 20_100

        group.start_soon(ask)
        await next_frames(far)
        words = "x" * 100_000
        details = {words: words, "list": [words]}
        await far.send(line("error", 1, {"kinds": ["rejected"], "message": words, "hint": words, "details": details}))


async def test_a_producer_that_ignores_its_credit_is_stopped() -> None:
    """What it sends is bounded by the window, not by its greed."""
    async with against_raw(window=4) as (peer, far):
        stream = peer.remote(MemoryStore).export("ann")
        got: list[Any] = []

        async def read() -> None:
            with pytest.raises(BorderError, match="more items"):  # noqa: PT012 - what came before it counts
                async for item in stream:
                    got.append(item)

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            number = (await next_frames(far))[0][1]
            item = line("item", number, {"id": "1", "person": "ann", "text": "x"})
            await far.send(b"\n".join([item] * 50))
        assert len(got) <= 4


@pytest.mark.parametrize(
    "answer",
    [
        ("result", 1, {"not": "claims"}),
        ("end", 1),
        ("error", 1, {"kinds": ["nobody"], "message": "m", "details": {"self": 1}}),
        ("error", 1, {"kinds": [], "message": ""}),
    ],
)
async def test_a_wrong_answer_is_an_error_of_its_call(answer: tuple[Any, ...]) -> None:
    """A value of another type, a stream's end, an unknown error class."""
    async with against_raw() as (peer, far):
        async with anyio.create_task_group() as group:

            async def call() -> None:
                with pytest.raises(GituError):
                    await peer.remote(MemoryStore).get(["a"])

            group.start_soon(call)
            await next_frames(far)
            await far.send(line(*answer))
        assert toys.open_calls(peer) == (0, 0)


async def test_a_number_that_is_in_use_ends_the_connection() -> None:
    """Answers could not be told apart any more."""
    async with against_raw() as (peer, far):
        arguments = {"call": {"id": "a", "tool": "b", "arguments": {"wait": True}}, "context": _context()}
        await far.send(line("call", 1, 0, "run", arguments))
        await next_frames(far)
        await far.send(line("call", 1, 0, "run", arguments))
        with anyio.fail_after(2):
            await peer.closed.wait()
        assert isinstance(peer.reason, BorderError)
        assert toys.open_calls(peer)[0] == 0


async def test_a_call_that_is_in_flight_when_garbage_arrives_is_unknown() -> None:
    """It left, and no answer can be trusted any more."""
    async with against_raw() as (peer, far), anyio.create_task_group() as group:

        async def call() -> None:
            with pytest.raises(Unknown):
                await peer.remote(MemoryStore).delete(["a"])

        group.start_soon(call)
        await next_frames(far)
        await far.send(b"garbage")


@pytest.mark.parametrize(
    ("hello", "error", "words"),
    [
        (["hello", WIRE_VERSION + 1, {}], IncompatibleError, "upgrade gitu-core on this side"),
        (["hello", WIRE_VERSION - 1, {}], IncompatibleError, "upgrade gitu-core on the other side"),
        (["hello", WIRE_VERSION, {"tool": 2}], IncompatibleError, "contract tool"),
        (["hello", WIRE_VERSION + 1, {}, None, {}, "more"], IncompatibleError, "wire protocol in version"),
        (["result", 1, 1], BorderError, "hello"),
        (["hello"], BorderError, "not a frame"),
    ],
)
async def test_a_peer_of_another_version_is_refused(hello: list[Any], error: type, words: str) -> None:
    """Before anything else is said; the hint names the side to upgrade."""
    near, far = memory_transports()
    await far.send(line(*hello))
    with pytest.raises(error, match=words):
        async with Peer(near, offer=toys.ToyTool(), protocol=Tool):
            pytest.fail("it must not open")


async def test_a_newer_peer_with_unknown_contracts_and_more_in_its_hello_is_welcome() -> None:
    """Changes are additive: unknown seams, longer frames and unknown fields of a crossing do not matter."""
    near, far = memory_transports()
    offer = {**OFFER, "mood": "good", "data": {"name": "new", "colour": "red"}}
    await far.send(line("hello", WIRE_VERSION, {"telepathy": 3}, offer, {"telepathy": 2}, {"more": 1}))
    async with Peer(near) as peer:
        assert peer.remote(MemoryStore).name == "new"


async def test_a_contract_that_is_not_in_use_may_differ() -> None:
    """A newer version of one seam breaks nobody who uses another."""
    near, far = memory_transports()
    await far.send(line("hello", WIRE_VERSION, {"tool": 2}, OFFER))
    async with Peer(near) as peer:
        assert peer.remote(MemoryStore) is not None
        with pytest.raises(IncompatibleError, match="contract tool"):
            peer.remote(Tool)


async def test_an_end_that_offers_nothing_says_so() -> None:
    """The hint tells what to pass."""
    near, far = memory_transports()
    await far.send(line("hello", WIRE_VERSION, {}))
    async with Peer(near) as peer:
        with pytest.raises(BorderError, match="offers no object"):
            peer.remote(Tool)
