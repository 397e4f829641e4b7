"""Three servers that keep everything three times: one of them may die, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from .around import Crew, Worker, until
from .servers import Node, Servers

pytestmark = pytest.mark.slow


async def leader(nodes: Sequence[Node], stream: str = "gitu") -> str:
    """The name of the server that leads the stream; empty while there is none."""
    for node in nodes:
        if node.runs and (page := await node.ask("jsz?streams=true")):
            for account in page.get("account_details", ()):
                for each in account.get("stream_detail", ()):
                    if each["name"] == stream and (name := (each.get("cluster") or {}).get("leader")):
                        return str(name)
    return ""


async def go_on(crew: Crew, worker: Worker, lanes: Sequence[str]) -> None:
    """Sees that lanes are handled wherever the servers are with their elections, and that no call hangs."""
    for lane in lanes:
        began = anyio.current_time()
        await worker.dispatcher.wake(lane)
        assert anyio.current_time() - began < 1.5
    await until(lambda: all(crew.done(lane) for lane in lanes), 20)


async def test_the_death_of_any_server_stops_nobody(crew: Crew, servers: Servers) -> None:
    """The one that a worker is connected to, the one that leads the stream, and every other one, in turn. What was on
    its way to a worker through the one that dies comes again after ``ack_wait``."""
    nodes = await servers.cluster(3)
    workers = [await crew.worker(node.url, replicas=3, max_turns=20, ack_wait=2) for node in nodes]
    await go_on(crew, workers[0], [f"before-{number}" for number in range(50)])
    for turn in range(3):
        name = await leader(nodes) if turn == 0 else nodes[turn].name
        victim = next(node for node in nodes if node.name == name)
        async with anyio.create_task_group() as group:
            group.start_soon(victim.kill)
            for worker in workers:
                group.start_soon(go_on, crew, worker, [f"{turn}-{id(worker)}-{number}" for number in range(50)])
        for worker in workers:
            await worker.up(60)
        await go_on(crew, workers[turn], [f"{turn}-without-{number}" for number in range(50)])
        await victim.start()
    for worker in workers:
        await worker.up(60)
    shares = [worker.done.total() for worker in workers]
    await go_on(crew, workers[0], [f"after-{number}" for number in range(90)])
    assert all(worker.done.total() > share for worker, share in zip(workers, shares, strict=True))


async def test_what_was_kept_outlives_the_death_of_the_leader(crew: Crew, servers: Servers) -> None:
    nodes = await servers.cluster(3)
    gate = anyio.Event()

    async def wait(lane: str) -> None:
        if lane == "first":
            await gate.wait()

    worker = await crew.worker(*(node.url for node in nodes), work=wait, replicas=3, max_turns=1)
    await worker.dispatcher.wake("first")
    await until(lambda: worker.began["first"])
    await anyio.sleep(0.5)  # a new stream is known to all servers a moment later only
    await worker.up()
    kept = [f"kept-{number}" for number in range(30)]
    for lane in kept:
        await worker.dispatcher.wake(lane)
    assert (await worker.dispatcher.health()).state == "ok"
    name = await leader(nodes)
    await next(node for node in nodes if node.name == name).kill()
    gate.set()
    await until(lambda: all(worker.done[lane] for lane in kept), 60)


async def test_most_servers_dead_means_alone_until_they_are_back(crew: Crew, servers: Servers) -> None:
    nodes = await servers.cluster(3)
    worker = await crew.worker(*(node.url for node in nodes), replicas=3)
    for node in nodes[:2]:
        await node.kill()
    await go_on(crew, worker, [f"alone-{number}" for number in range(20)])

    async def degraded() -> bool:
        return (await worker.dispatcher.health()).state == "degraded"

    await until(degraded, 60)
    for node in nodes[:2]:
        node.begin()
    await worker.up(60)
    await go_on(crew, worker, [f"again-{number}" for number in range(20)])


async def test_other_servers_are_found_through_one(crew: Crew, servers: Servers) -> None:
    nodes = await servers.cluster(3)
    worker = await crew.worker(nodes[0].url, replicas=3)
    await nodes[0].kill()
    await worker.up(60)
    await go_on(crew, worker, ["a"])
