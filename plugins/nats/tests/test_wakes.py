"""Wake-ups through one server: who gets them, how often, and that none is swallowed."""

from __future__ import annotations

import random
from collections import Counter

import anyio
import pytest

from gitu_nats.settings import Settings, decode, encode, token

from .around import Crew, Worker, until
from .servers import Node

AWKWARD = (
    "channel:terminal", "a.b.c", "*", ">", "with space", "", "tab\tline\nnul\0", "äöü 日本 🙂", "\ud800 alone",
    "$JS.API", "=" + "0" * 64, "x" * 5_000,
)  # fmt: skip
"""Names that are no token of a subject, or could be taken for another one."""


async def last_message(node: Node, stream: str = "gitu") -> int:
    """How many messages the stream ever kept."""
    for account in (await node.ask("jsz?streams=true") or {})["account_details"]:
        for each in account["stream_detail"]:
            if each["name"] == stream:
                return int(each["state"]["last_seq"])
    return 0


async def test_a_wake_up_reaches_one_of_several_workers(crew: Crew, node: Node) -> None:
    workers = [await crew.worker(node.url) for _ in range(3)]
    for number in range(60):
        await workers[0].dispatcher.wake(f"lane {number}")
    await until(lambda: all(crew.done(f"lane {number}") for number in range(60)))
    assert sum(sum(worker.done.values()) for worker in workers) == 60
    assert all(sum(worker.done.values()) >= 10 for worker in workers), "they share the work"


async def test_a_name_of_any_characters_is_carried(crew: Crew, node: Node) -> None:
    first, second = await crew.worker(node.url), await crew.worker(node.url)
    for lane in AWKWARD:
        await first.dispatcher.wake(lane)
        await second.dispatcher.wake(f"@{lane}")
    await until(lambda: all(crew.done(lane) and crew.done(f"@{lane}") == 2 for lane in AWKWARD))
    assert first.done.keys() | second.done.keys() == {*AWKWARD, *(f"@{lane}" for lane in AWKWARD)}


def test_two_lanes_never_share_a_subject() -> None:
    subjects = {Settings().subject(lane) for lane in AWKWARD}
    assert len(subjects) == len(AWKWARD)
    assert all(subject.count(".") == 2 and not set(subject) & set(" *>\t\n\0") for subject in subjects)
    assert token("session-1") == "session-1"
    assert all(decode(encode(lane)) == lane for lane in AWKWARD)


async def test_wake_ups_that_come_together_are_few_messages(crew: Crew, node: Node) -> None:
    worker = await crew.worker(node.url)
    async with anyio.create_task_group() as group:
        for _ in range(1_000):
            group.start_soon(worker.dispatcher.wake, "a")
    await until(lambda: worker.done["a"])
    assert await last_message(node) <= 4


async def test_every_wake_up_is_followed_by_a_handling_that_began_after_it(crew: Crew, node: Node) -> None:
    """Two thousand wake-ups of two hundred lanes by four workers, at any moment of a handling. A handling sees what is
    wanted when it begins, as it sees the rows of the store."""
    wanted: Counter[str] = Counter()
    seen: Counter[str] = Counter()

    async def look(lane: str) -> None:
        found = wanted[lane]
        await anyio.sleep(random.random() * 0.01)
        seen[lane] = max(seen[lane], found)

    workers = [await crew.worker(node.url, work=look, max_turns=50) for _ in range(4)]

    async def wake(worker: Worker, lanes: list[str]) -> None:
        for lane in lanes:
            wanted[lane] += 1
            await worker.dispatcher.wake(lane)
            if random.random() < 0.3:
                await anyio.sleep(random.random() * 0.005)

    async with anyio.create_task_group() as group:
        for worker in workers:
            lanes = [f"lane-{number % 200}" for number in range(500)]
            random.shuffle(lanes)
            group.start_soon(wake, worker, lanes)
    await until(lambda: seen == wanted)
    assert sum(wanted.values()) == 2_000
    assert all(worker.most == 1 for worker in workers)


async def test_a_wake_up_during_a_handling_is_handled_after_it_and_never_beside_it(crew: Crew, node: Node) -> None:
    gate = anyio.Event()

    async def wait(lane: str) -> None:
        await gate.wait()

    worker = await crew.worker(node.url, work=wait)
    await worker.dispatcher.wake("a")
    await until(lambda: worker.began["a"])
    for _ in range(20):
        await worker.dispatcher.wake("a")
    await anyio.sleep(0.1)
    assert worker.began["a"] == 1
    gate.set()
    await until(lambda: worker.done["a"] == 2)
    await anyio.sleep(0.1)
    assert (worker.began["a"], worker.most) == (2, 1), "however many come meanwhile, it is handled once more"


async def test_no_more_lanes_at_once_than_allowed_and_the_rest_goes_to_others(crew: Crew, node: Node) -> None:
    gate = anyio.Event()

    async def wait(lane: str) -> None:
        await gate.wait()

    full = await crew.worker(node.url, work=wait, max_turns=3)
    for number in range(20):
        await full.dispatcher.wake(f"lane-{number}")
    await until(lambda: full.began.total() == 3)
    other = await crew.worker(node.url, max_turns=3)
    await until(lambda: other.done.total() == 17)
    assert full.widest == 3
    assert other.widest <= 3
    gate.set()
    await until(lambda: full.done.total() == 3)


async def test_notices_reach_everybody_even_who_is_busy_and_nobody_later(crew: Crew, node: Node) -> None:
    async def wait(lane: str) -> None:
        if not lane.startswith("@"):
            await anyio.sleep_forever()

    workers = [await crew.worker(node.url, work=wait, max_turns=1) for _ in range(3)]
    for number in range(3):
        await workers[0].dispatcher.wake(f"lane-{number}")
    await until(lambda: all(worker.began.total() for worker in workers))
    await workers[1].dispatcher.wake("@channel:one")
    await until(lambda: all(worker.done["@channel:one"] == 1 for worker in workers))
    late = await crew.worker(node.url)
    await anyio.sleep(0.1)
    assert not late.began
    assert await last_message(node) == 3, "no notice is kept"


async def test_a_lane_whose_handling_fails_is_tried_again_after_a_pause(
    crew: Crew, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(lane: str) -> None:
        if lane == "bad" and crew.workers[0].began["bad"] == 1:
            raise ZeroDivisionError

    worker = await crew.worker(node.url, work=fail)
    await worker.dispatcher.wake("bad")
    await worker.dispatcher.wake("good")
    await until(lambda: worker.done["good"] == 1)
    assert worker.began["bad"] == 1
    began = anyio.current_time()
    await until(lambda: worker.done["bad"] == 1)
    assert anyio.current_time() - began > 0.5
    assert "lane bad failed" in caplog.text


async def test_what_nobody_of_ours_sent_is_thrown_away(crew: Crew, node: Node) -> None:
    import nats

    worker = await crew.worker(node.url)
    client = await nats.connect(node.url)
    await client.jetstream().publish("gitu.lane.x", b"\xff\xfe")
    await worker.dispatcher.wake("a")
    await until(lambda: worker.done["a"])
    info = await client.jetstream().consumer_info("gitu", "workers")
    await client.close()
    assert (info.num_ack_pending, info.num_pending) == (0, 0)
