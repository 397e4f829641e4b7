"""Servers that are not there, die and come back: no call hangs, nothing has to be started again, an outage is logged
once."""

from __future__ import annotations

import logging
import random
from collections import Counter

import anyio
import anyio.lowlevel
import pytest

from .around import Crew, Worker, until
from .servers import Node, Servers


async def quickly(worker: Worker, *lanes: str) -> None:
    """Wakes lanes and sees that no wake-up takes longer than a moment."""
    for lane in lanes:
        began = anyio.current_time()
        await worker.dispatcher.wake(lane)
        assert anyio.current_time() - began < 1.5


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings of the plugin."""
    return [
        each.getMessage()
        for each in caplog.records
        if each.levelno >= logging.WARNING and each.name == "gitu.plugins.nats"
    ]


async def test_without_a_server_it_starts_and_works_alone_until_there_is_one(
    crew: Crew, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    node = await servers.one(start=False)
    first, second = [await crew.worker(node.url, up=False, max_turns=1) for _ in range(2)]
    await quickly(first, "early")
    await until(lambda: first.done["early"])
    health = await first.dispatcher.health()
    assert (health.state, "start the servers" in health.hint) == ("degraded", True)
    assert node.url in health.detail
    await quickly(first, "a", "@b")
    await until(lambda: first.done["a"] and first.done["@b"])
    await node.start()
    await first.up()
    await second.up()
    await quickly(first, *(f"lane-{number}" for number in range(10)), "@c")
    await until(lambda: first.done["@c"] and second.done["@c"])
    await until(lambda: all(crew.done(f"lane-{number}") for number in range(10)))
    assert second.done.total() > 1, "they share the work again"
    assert len(warnings(caplog)) == 2, "each said once that there was no server"


async def test_what_a_server_kept_when_it_was_killed_is_handled_when_it_is_back(
    crew: Crew, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gitu.plugins.nats")
    gate = anyio.Event()

    async def wait(lane: str) -> None:
        if lane == "first":
            await gate.wait()

    worker = await crew.worker(node.url, work=wait, max_turns=1)
    await worker.dispatcher.wake("first")
    await until(lambda: worker.began["first"])
    kept = [f"lane-{number}" for number in range(20)]
    await quickly(worker, *kept)
    await node.kill()
    await until(lambda: warnings(caplog))
    await quickly(worker, "outage-1", "outage-2")
    assert (await worker.dispatcher.health()).state == "degraded"
    gate.set()
    await until(lambda: worker.done["outage-1"] and worker.done["outage-2"])
    await node.start()
    await until(lambda: all(worker.done[lane] for lane in kept))
    await quickly(worker, "after")
    await until(lambda: worker.done["after"])
    assert (await worker.dispatcher.health()).state == "ok"
    assert len(warnings(caplog)) == 1
    said = [each.getMessage() for each in caplog.records if each.name == "gitu.plugins.nats"]
    assert [line.split(";")[0].split(":")[0] for line in said] == ["connected", "wake-ups reach this process only",
                                                                   "connected"]  # fmt: skip


async def test_wake_ups_under_way_when_the_server_dies_are_handled(crew: Crew, node: Node) -> None:
    """Whether the stream had kept them or not: kept ones come back with the server, the others are handled here."""
    worker = await crew.worker(node.url)
    async with anyio.create_task_group() as group:
        for number in range(300):
            group.start_soon(quickly, worker, f"lane-{number}")
            if number == 150:
                group.start_soon(node.kill)
            await anyio.lowlevel.checkpoint()
    await node.start()
    await until(lambda: all(worker.done[f"lane-{number}"] for number in range(300)))


async def test_a_stream_that_somebody_deletes_is_made_again(crew: Crew, node: Node) -> None:
    import nats

    worker = await crew.worker(node.url)
    client = await nats.connect(node.url)
    await client.jsm().delete_stream("gitu")
    await client.close()
    await quickly(worker, "a")
    await until(lambda: worker.done["a"])
    await until(lambda: _streams(node, 1))
    await worker.up()
    await quickly(worker, "b")
    await until(lambda: worker.done["b"])


async def _streams(node: Node, count: int) -> bool:
    return (await node.ask("jsz") or {}).get("streams") == count


async def test_a_consumer_that_somebody_deletes_is_made_again(crew: Crew, node: Node) -> None:
    import nats

    worker = await crew.worker(node.url)
    client = await nats.connect(node.url)
    await client.jsm().delete_consumer("gitu", "workers")
    await client.close()
    await quickly(worker, "a")
    await until(lambda: worker.done["a"])
    await worker.up()


async def test_a_stream_that_does_not_fit_the_settings_is_told_and_changed_where_that_is_possible(
    crew: Crew, node: Node
) -> None:
    import nats
    from nats.js.api import StreamConfig

    client = await nats.connect(node.url)
    fits = StreamConfig("fits", subjects=["other"], retention="workqueue", max_bytes=1 << 20)  # type: ignore[arg-type]
    await client.jsm().add_stream(fits)
    await client.jsm().add_stream(StreamConfig("memory", subjects=["memory.lane.*"], storage="memory"))  # type: ignore[arg-type]
    good = await crew.worker(node.url, prefix="fits")
    bad = await crew.worker(node.url, prefix="memory", up=False)
    await until(lambda: _degraded(bad))
    health = await bad.dispatcher.health()
    assert "'memory' cannot be used" in health.detail
    assert "[plugins.nats]" in health.hint
    await quickly(bad, "a")
    await until(lambda: bad.done["a"])
    await quickly(good, "a")
    await until(lambda: good.done["a"])
    config = (await client.jsm().stream_info("fits")).config
    await client.close()
    assert (config.subjects, config.max_bytes) == (["fits.lane.*"], 1 << 20), "what others set about it stays"


async def _degraded(worker: Worker) -> bool:
    return (await worker.dispatcher.health()).state == "degraded"


async def test_a_server_without_streams_is_told(crew: Crew, servers: Servers) -> None:
    node = await servers.one(more="jetstream: disabled")
    worker = await crew.worker(node.url, up=False)
    await until(lambda: _degraded(worker))
    assert "-js" in (await worker.dispatcher.health()).hint
    await quickly(worker, "a")
    await until(lambda: worker.done["a"])


async def test_a_full_stream_leaves_the_work_here_until_there_is_room(crew: Crew, node: Node) -> None:
    import nats

    worker = await crew.worker(node.url)
    client = await nats.connect(node.url)
    config = (await client.jsm().stream_info("gitu")).config
    await client.jsm().update_stream(config.evolve(max_msg_size=1))
    await quickly(worker, "abc")
    await until(lambda: worker.done["abc"])
    health = await worker.dispatcher.health()
    assert (health.state, "not kept" in health.detail) == ("degraded", True)
    await client.jsm().update_stream(config)
    await quickly(worker, "def")
    await until(lambda: worker.done["def"])
    await worker.up()
    await client.close()


async def test_a_connection_that_breaks_with_words_left_to_be_sent_is_told(node: Node) -> None:
    """The library raises out of the middle of closing when it tries to send them."""
    from gitu_nats.client import SafeClient

    client, closed = SafeClient(), anyio.Event()

    async def told() -> None:
        closed.set()

    async def broken() -> None:
        raise ConnectionResetError

    await client.connect(node.url, allow_reconnect=False, closed_cb=told)
    assert client._transport is not None
    client._transport.drain = broken  # type: ignore[method-assign]
    client._pending, client._pending_data_size = [b"PING\r\n"], 6
    await node.kill()
    with anyio.fail_after(5):
        await closed.wait()


@pytest.mark.slow
async def test_a_server_that_freezes_holds_up_nobody(crew: Crew, node: Node) -> None:
    worker = await crew.worker(node.url)
    node.pause()
    await quickly(worker, "a", "b")
    await until(lambda: worker.done["a"] and worker.done["b"])
    await until(lambda: _degraded(worker), 40)
    await quickly(worker, "c")
    await until(lambda: worker.done["c"])
    node.resume()
    await worker.up(40)
    await quickly(worker, "d")
    await until(lambda: worker.done["d"])


async def test_changed_settings_reach_the_stream_that_is_there(crew: Crew, node: Node) -> None:
    import nats

    await crew.worker(node.url, ack_wait=10, max_ack_pending=5)
    worker = await crew.worker(node.url, ack_wait=20)
    client = await nats.connect(node.url)
    config = (await client.jsm().consumer_info("gitu", "workers")).config
    await client.close()
    assert (config.ack_wait, config.max_ack_pending) == (20, 20_000)
    await quickly(worker, "a")
    await until(lambda: crew.done("a"))


@pytest.mark.slow
async def test_no_wake_up_is_lost_while_servers_come_and_go(crew: Crew, node: Node) -> None:
    """Every lane is handled by a handling that began after its last wake-up, whatever the server did meanwhile."""
    wanted: Counter[str] = Counter()
    seen: Counter[str] = Counter()

    async def look(lane: str) -> None:
        found = wanted[lane]
        await anyio.sleep(random.random() * 0.05)
        seen[lane] = max(seen[lane], found)

    workers = [await crew.worker(node.url, work=look, max_turns=10, ack_wait=2) for _ in range(3)]
    ends = anyio.current_time() + 8

    async def wake(worker: Worker) -> None:
        while anyio.current_time() < ends:
            lane = f"lane-{random.randrange(60)}"
            wanted[lane] += 1
            await quickly(worker, lane)
            await anyio.sleep(random.random() * 0.01)

    async with anyio.create_task_group() as group:
        for worker in workers:
            group.start_soon(wake, worker)
        while anyio.current_time() < ends:
            await anyio.sleep(random.random() * 1.5)
            await (node.kill() if random.random() < 0.7 else node.stop())
            await anyio.sleep(random.random())
            await node.start()
    await until(lambda: seen == wanted, 40)
    assert all(worker.most == 1 for worker in workers)
    assert sum(wanted.values()) > 500
