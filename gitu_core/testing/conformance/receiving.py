"""The laws of what comes in from a channel, and how each is tested."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import anyio
import pytest

from gitu_core.contracts import Adapter, Inbox
from gitu_core.errors import GituError, NotReady
from gitu_core.model import Conversation
from gitu_core.model.base import check_name
from gitu_core.testing.borders import Across
from gitu_core.testing.conformance.base import PATIENCE, SETTLED, Laws, needs, of, until
from gitu_core.testing.conformance.box import Box
from gitu_core.testing.conformance.cancel import cuts
from gitu_core.testing.conformance.watch import nothing_left

IDLE = 0.02
"""Seconds after which a `receive` that was not cancelled waits for the next message."""

MOST_CUTS = 15
"""At how many suspensions `receive` is cancelled at most: one that polls is suspended without end."""


class ReceivingLaws(Laws):
    """A1, A2, A3 and the half of A8 that is about `receive`."""

    @pytest.fixture
    def adapter(self) -> Adapter:
        """The adapter under test; its author gives it."""
        raise NotImplementedError("give a fixture `adapter`")

    @pytest.fixture
    async def subject(self, adapter: Adapter, across: Across) -> Adapter:
        """The adapter, or what is seen of it through the border."""
        return await across(adapter, Adapter)

    @pytest.fixture
    def conversation(self, adapter: Adapter) -> Conversation:
        """Where the kit says something; override it where the channel needs another id."""
        return Conversation(adapter.channel.name, "ana")

    @asynccontextmanager
    async def receiving(self, subject: Adapter, box: Inbox) -> AsyncIterator[anyio.abc.TaskGroup]:
        """`receive` runs beside what is done within; gives the tasks to add to."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_receive, subject, box)
            yield tasks
            tasks.cancel_scope.cancel()

    async def test_a1_receive_runs_until_it_is_cancelled_and_leaves_nothing(self, subject: Adapter) -> None:
        """It does not end by itself while the channel is there; cancelled, it ends at once, without tasks or files."""
        async with nothing_left():
            with anyio.fail_after(PATIENCE), anyio.move_on_after(5 * SETTLED) as ended:
                await subject.receive(Box())
            assert ended.cancelled_caught, "receive returned although the channel was there and nobody cancelled it"

    async def test_a1_a_channel_that_cannot_go_on_raises_a_typed_failure(self, subject: Adapter, remote: Any) -> None:
        """Whatever broke, the host is told by a `GituError`; afterwards `receive` may be called again."""
        needs(remote, "break_off")
        await of(remote.break_off())
        with pytest.raises(GituError), anyio.fail_after(PATIENCE):
            await subject.receive(Box())

    async def test_a2_the_channel_is_told_after_the_message_was_accepted(self, subject: Adapter, remote: Any) -> None:
        """While the inbox has not returned its receipt, the channel does not know the message as safe."""
        needs(remote, "say", "acknowledged")
        box = Box()
        box.gate = anyio.Event()
        async with self.receiving(subject, box) as tasks:
            tasks.start_soon(_say, remote, "first", "a2")
            await until(lambda: box.begun, "the message was handed to the inbox")
            await anyio.sleep(2 * SETTLED)
            assert not await of(remote.acknowledged("a2")), "it was told before `accept` returned"
            box.gate.set()
            await until(lambda: remote.acknowledged("a2"), "the channel was told that the message is safe")
            assert box.of("first")

    async def test_a2_a_message_that_was_refused_is_not_safe(self, subject: Adapter, remote: Any) -> None:
        """`accept` raised `NotReady`: nothing was committed, and the channel hands the message over again later."""
        needs(remote, "say", "acknowledged")
        box = Box()
        box.error = NotReady("the store is full", retry_after=0.0)
        async with self.receiving(subject, box) as tasks:
            tasks.start_soon(_say, remote, "full", "a2-full")
            await until(lambda: box.begun, "the message was handed to the inbox")
            await anyio.sleep(2 * SETTLED)
            assert not await of(remote.acknowledged("a2-full")), "a message that was never accepted counts as safe"
            box.error = None
            await until(lambda: box.of("full"), "the refused message was handed over again")

    async def test_a2_each_message_is_safe_by_itself(self, subject: Adapter, remote: Any) -> None:
        """Two wait, and the inbox takes none, then one, then both: the channel knows as safe what was accepted."""
        needs(remote, "say", "acknowledged")
        box, names = Box(), ("a2-one", "a2-two")
        box.most = 0
        async with self.receiving(subject, box) as tasks:
            for name in names:
                tasks.start_soon(_say, remote, name, name)
            for box.most in (0, 1):
                await until(lambda: box.begun and len(box.messages) == box.most, "a message was handed to the inbox")
                await anyio.sleep(2 * SETTLED)
                safe = [name for name in names if await of(remote.acknowledged(name))]
                assert [name for name in safe if not box.of(name)] == [], "one that was never accepted counts as safe"
            box.most = None
            await until(lambda: all(map(box.of, names)), "the one that was refused was handed over again")

    async def test_a3_the_same_message_again_has_the_same_key(self, subject: Adapter, remote: Any) -> None:
        """A channel that did not hear of the receipt hands over again what it handed over: the key tells."""
        needs(remote, "say", "again")
        box = Box()
        async with self.receiving(subject, box) as tasks:
            for name in ("one", "two"):
                tasks.start_soon(_say, remote, f"word {name}", name)
                await until(partial(box.of, f"word {name}"), "the message was accepted")
            for name in ("two", "one"):  # not in the order in which they came
                tasks.start_soon(_again, remote, name)
                await until(partial(box.twice, f"word {name}"), "the same message was handed over again")
        for name in ("one", "two"):
            first, again = box.of(f"word {name}")
            assert first.key == again.key, "the same message has another key"
            assert (first.parts, first.sender, first.conversation) == (again.parts, again.sender, again.conversation)

    async def test_a3_two_messages_never_share_a_key(self, subject: Adapter, remote: Any) -> None:
        """Not with the same words either, and not after `receive` was called anew. Every message is whole."""
        needs(remote, "say")
        box = Box()
        for lap in range(2):
            async with self.receiving(subject, box) as tasks:
                for number in range(3):
                    tasks.start_soon(_say, remote, "the same words", f"lap {lap} message {number}")
                    await until(partial(box.keyed, 3 * lap + number + 1), "it was accepted, with a key of its own")
        assert len({each.key for each in box.messages}) == 6, "two messages share a key"
        for each in box.messages:
            check_name(each.key, "the key")
            check_name(each.sender.id, "the sender's id")
            assert each.conversation.channel == each.sender.channel == subject.channel.name
            assert each.text == "the same words"

    async def test_a8_receive_survives_cancellation_at_every_await(self, subject: Adapter, remote: Any) -> None:
        """Cancelled at its first suspension, at its second and so on, while a message comes each time: what the channel
        counts as safe was accepted, and in the end everything was handed over."""
        needs(remote, "say")
        box, said, knows = Box(), list[str](), hasattr(remote, "acknowledged")
        async with anyio.create_task_group() as tasks:

            async def receive(number: int) -> None:
                said.append(f"cut {number}")
                tasks.start_soon(_say, remote, said[-1], said[-1])
                await subject.receive(box)

            async for cut in cuts(receive, within=IDLE, most=MOST_CUTS):
                assert cut.error is None or isinstance(cut.error, GituError), f"cut {cut.nth}: {cut.error!r}"
                for name in said if knows else ():
                    assert box.of(name) or not await of(remote.acknowledged(name)), f"{name} is safe for nobody"
            # A channel that is never told loses nothing that it had not yet handed over.
            seen = box.messages if knows else box.begun
            async with self.receiving(subject, box):
                await until(lambda: {each.text for each in seen} >= set(said), "every message was handed over")
            tasks.cancel_scope.cancel()


async def _say(remote: Any, text: str, name: str) -> None:
    await of(remote.say(text, name))


async def _again(remote: Any, name: str) -> None:
    await of(remote.again(name))


async def _receive(subject: Adapter, box: Inbox) -> None:
    """Like a host, which calls it again when it ended."""
    while True:
        with suppress(GituError):
            await subject.receive(box)
        await anyio.sleep(0.001)
