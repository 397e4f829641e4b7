"""From the first wake-up to the last word: starting, closing, being cancelled, and the whole assistant."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from gitu_core import Gitu
from gitu_core.testing import FunctionModel
from gitu_nats import gitu_dispatchers
from gitu_nats.dispatcher import NatsDispatcher

from .around import Crew, HostHere, Secrets, until
from .servers import Node


def alone(node: Node) -> NatsDispatcher:
    """A dispatcher that does not run."""
    (found,) = gitu_dispatchers(HostHere({"servers": [node.url]}, Secrets()))  # type: ignore[arg-type]
    assert isinstance(found, NatsDispatcher)
    return found


async def test_what_is_woken_before_it_runs_is_handled_when_it_does(node: Node) -> None:
    dispatcher, done = alone(node), list[str]()
    await dispatcher.wake("a")
    assert (await dispatcher.health()).state == "starting"

    async def handle(lane: str) -> None:
        done.append(lane)

    async with anyio.create_task_group() as group:
        group.start_soon(dispatcher.run, handle)
        await until(lambda: done)
        assert (await dispatcher.health()).state == "ok"
        await dispatcher.close(1)
    await dispatcher.wake("b")
    await dispatcher.wake("@c")
    assert done == ["a"]


async def test_closed_before_it_runs_it_ends_at_once(node: Node) -> None:
    dispatcher = alone(node)
    await dispatcher.close(1)
    with anyio.fail_after(5):
        await dispatcher.run(lambda lane: anyio.lowlevel.checkpoint())


async def test_closing_waits_for_what_runs_and_begins_nothing_new(crew: Crew, node: Node) -> None:
    async def work(lane: str) -> None:
        await anyio.sleep(0.3)

    worker = await crew.worker(node.url, work=work, max_turns=1)
    for lane in "abc":
        await worker.dispatcher.wake(lane)
    await until(lambda: worker.began.total())
    await worker.dispatcher.close(5)
    assert (worker.began.total(), worker.done.total()) == (1, 1)
    other = await crew.worker(node.url)
    await until(lambda: other.done.total() == 2)
    assert crew.done("a") == crew.done("b") == crew.done("c") == 1


async def test_after_the_grace_it_is_cancelled_and_others_have_it_at_once(crew: Crew, node: Node) -> None:
    """No need to wait for the time after which a message of a dead worker comes again: that is half a minute."""

    async def hang(lane: str) -> None:
        await anyio.sleep_forever()

    worker = await crew.worker(node.url, work=hang)
    await worker.dispatcher.wake("a")
    await until(lambda: worker.began["a"])
    await worker.dispatcher.wake("a")  # to be handled afterwards
    other = await crew.worker(node.url)
    began = anyio.current_time()
    await worker.dispatcher.close(0.2)
    assert 0.2 <= anyio.current_time() - began < 3
    await until(lambda: other.done["a"], 5)
    assert worker.done["a"] == 0


async def test_cancelled_from_outside_others_have_it_at_once_too(crew: Crew, node: Node) -> None:
    async def hang(lane: str) -> None:
        await anyio.sleep_forever()

    worker = await crew.worker(node.url, work=hang)
    await worker.dispatcher.wake("a")
    await until(lambda: worker.began["a"])
    other = await crew.worker(node.url)
    worker.cancel()
    await until(lambda: other.done["a"], 5)
    with anyio.fail_after(5):
        await worker.dispatcher.close(1)


@pytest.mark.slow
async def test_a_long_handling_is_nobody_elses_meanwhile(crew: Crew, node: Node) -> None:
    async def work(lane: str) -> None:
        await anyio.sleep(2.5)

    workers = [await crew.worker(node.url, work=work, ack_wait=1) for _ in range(2)]
    await workers[0].dispatcher.wake("a")
    await until(lambda: crew.done("a"))
    await anyio.sleep(0.5)
    assert sum(worker.began["a"] for worker in workers) == 1


async def test_two_installations_on_one_server_do_not_hear_each_other(crew: Crew, node: Node) -> None:
    first, second = await crew.worker(node.url, prefix="one"), await crew.worker(node.url, prefix="two")
    await first.dispatcher.wake("a")
    await second.dispatcher.wake("@b")
    await until(lambda: first.done["a"] and second.done["@b"])
    await anyio.sleep(0.1)
    assert (dict(first.done), dict(second.done)) == ({"a": 1}, {"@b": 1})


async def test_an_assistant_answers_through_it(node: Node, gitu_home: Path) -> None:
    """Found by its entry point, its manifest compared with its code, chosen by the setting."""
    settings = gitu_home / "gitu.toml"
    trusted = "[plugins.nats]\nenabled = true\ntrusted = true\n"
    settings.write_text(f'dispatcher = "nats"\n{trusted}servers = ["{node.url}"]\n')
    model = FunctionModel(lambda request: f"you said {request.messages[-1].text}")
    async with Gitu(model=model, config=settings, home=gitu_home) as gitu:
        assert (await gitu.send("hi", user="ana")).text == "you said hi"
    assert (await node.ask("jsz") or {})["messages"] == 0, "handled and acknowledged"
