"""The kit for adapters. The laws of what comes in are in `receiving`, those of what goes out here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import anyio
import pytest

from gitu_core.contracts import Adapter
from gitu_core.model import Conversation, Outgoing, Progress, Text
from gitu_core.testing.conformance.base import PATIENCE, needs, of, texts, tried, visible
from gitu_core.testing.conformance.cancel import cuts
from gitu_core.testing.conformance.showing import ShowingLaws
from gitu_core.testing.conformance.spoken import seen_of, serial, speak
from gitu_core.testing.crash import crash_test


class AdapterLaws(ShowingLaws):
    """A channel keeps the laws A1 to A10. Give the fixture `adapter`, connected to a channel that tests own.

    The fixture `remote`, optional, gives the people on it, who may

        shown() -> Sequence[str]       what they see now, the oldest first
        say(text, name)                say something; *name* is what `again` and `acknowledged` know it by
        again(name)                    the channel hands the same message over once more
        acknowledged(name) -> bool     whether the channel was told that this message is safe
        choose(ask, choice)            make a choice at a question that is shown
        break_off()                    the channel cannot go on
        fail(how)                      the next `send` is ``refused`` (nobody sees it), ``lost`` (people see it, its
                                       answer is lost), ``down`` (nobody is reached) or ``slow``
        remove(id)                     a message that was sent is gone

    `failures` of the remote names those that it can make, all by default. With `crash`, the arguments of `crash_test`
    (``{"adapter": "package:function"}``), processes die under it too.
    """

    crash: ClassVar[Mapping[str, Any]] = {}

    @pytest.mark.parametrize("how", ["refused", "lost", "down", "slow"])
    async def test_a4_a_send_that_fails_is_reported_and_never_raises(
        self, subject: Adapter, remote: Any, conversation: Conversation, how: str
    ) -> None:
        """``sent`` only if people saw it, ``not_sent`` only if nobody did, ``unknown`` always; never an exception."""
        needs(remote, "fail", "shown")
        if how not in getattr(remote, "failures", (how,)):
            pytest.skip(f"not tested: the fixture `remote` does not name {how!r} in `failures`")
        await of(remote.fail(how))
        word = f"failing{how}"
        try:
            with anyio.fail_after(PATIENCE):
                delivery = await subject.send(speak(conversation, Text(word)))
        except Exception as error:  # whatever it is, it must not be raised
            raise AssertionError(f"send raised {error!r} instead of giving a Delivery") from error
        seen = word in "\n".join(await of(remote.shown()))
        assert delivery.state in ({"sent", "unknown"} if seen else {"not_sent", "unknown"}), f"people saw it: {seen}"

    async def test_a5_the_same_key_is_delivered_once(
        self, subject: Adapter, remote: Any, conversation: Conversation
    ) -> None:
        """Called again, later, and many times at once: people see it once, and every call says that it was sent."""
        self._only(subject, "idempotent", "A5")
        needs(remote, "shown")
        outgoing, other = speak(conversation, Text("once")), speak(conversation, Text("another"))
        states = [(await subject.send(each)).state for each in (outgoing, other, outgoing)]
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(subject.send, outgoing)
        assert states == ["sent"] * 3
        assert [await seen_of(remote, word) for word in ("once", "another")] == [1, 1]

    async def test_a6_verify_tells_whether_it_was_delivered(
        self, subject: Adapter, remote: Any, conversation: Conversation
    ) -> None:
        """Before, after, and after a delivery whose answer was lost."""
        self._only(subject, "verifiable", "A6")
        outgoing, other = speak(conversation, Text("checked")), speak(conversation, Text("never"))
        assert (await subject.verify(outgoing)).state == "not_sent"
        assert (await subject.send(outgoing)).state == "sent"
        states = [(await subject.verify(each)).state for each in (outgoing, other, outgoing)]
        assert states == ["sent", "not_sent", "sent"]
        for how in set(getattr(remote, "failures", ())) & {"lost", "refused"}:
            await of(remote.fail(how))
            word = f"verify{how}"
            await subject.send(failed := speak(conversation, Text(word)))
            seen = await seen_of(remote, word)
            assert (await subject.verify(failed)).state == ("sent" if seen else "not_sent"), how

    async def test_a6_a_channel_that_cannot_be_asked_says_unknown(
        self, subject: Adapter, conversation: Conversation
    ) -> None:
        """A guess would be taken for knowledge."""
        self._only(subject, "blind", "this test of A6")
        outgoing = speak(conversation, Text("blind"))
        await subject.send(outgoing)
        assert (await subject.verify(outgoing)).state == "unknown"

    @tried(text=texts)
    async def test_a7_text_of_any_content_is_delivered(
        self, subject: Adapter, remote: Any, conversation: Conversation, text: str
    ) -> None:
        """As plain text and as markdown. All words with plain letters arrive, between two marks."""
        limit = subject.channel.max_text
        text = text[: limit - 40] if limit else text
        forms: tuple[Literal["plain", "markdown"], ...] = ("plain", "markdown")
        for form in forms:
            begin, end = f"begin{serial()}", f"end{serial()}"
            part = Text(f"{begin} {text} {end}", form)
            delivery = await subject.send(speak(conversation, part))
            assert delivery.state == "sent", f"{form}: {delivery}"
            if hasattr(remote, "shown"):
                shown = "\n".join(await of(remote.shown()))
                shown = shown[shown.rindex(begin) :] if begin in shown else ""
                missing = [word for word in (begin, *visible(text), end) if word not in shown]
                assert not missing, f"{form}: people do not see {missing[:5]}"

    async def test_a8_send_survives_cancellation_at_every_await(
        self, subject: Adapter, remote: Any, conversation: Conversation
    ) -> None:
        """What was cut off can be sent again, or asked about, as the channel promises; and the channel works on."""
        needs(remote, "shown")
        sent: dict[int, Outgoing] = {}

        async def send(number: int) -> Any:
            sent[number] = speak(conversation, Text(f"cut{number}cut"))
            return await subject.send(sent[number])

        async for cut in cuts(send):
            outgoing, word = sent[cut.nth], f"cut{cut.nth}cut"
            assert cut.error is None, f"send raised {cut.error!r}"
            if subject.channel.delivery == "idempotent":
                assert (await subject.send(outgoing)).state == "sent"
                assert await seen_of(remote, word) == 1, f"cancelled at await {cut.nth}"
            elif subject.channel.delivery == "verifiable":
                seen = await seen_of(remote, word)
                assert (await subject.verify(outgoing)).state == ("sent" if seen else "not_sent"), f"await {cut.nth}"
            assert await seen_of(remote, word) <= 1

    async def test_show_and_health_answer_soon(self, subject: Adapter, conversation: Conversation) -> None:
        """`health` within a second and without talking to anybody; what `show` is handed may be lost."""
        with anyio.fail_after(PATIENCE):
            await subject.show(conversation, Progress("working", fraction=0.5))
        with anyio.fail_after(1):
            assert (await subject.health()).state in ("ok", "starting", "degraded", "failed")

    def test_a2_nothing_is_lost_when_the_process_dies(self) -> None:
        """By SIGKILL at every point of the adapter, on real processes and a real store."""
        if not self.crash:
            pytest.skip("not tested: set `crash` to the arguments of crash_test that make the adapter for a World")
        report = crash_test(**{"scenarios": ["plain"], "points": ("world.accept", "world.send"), **self.crash})
        assert report.broken == [], report.table()

    def _only(self, subject: Adapter, kind: str, law: str) -> None:
        if subject.channel.delivery != kind:
            pytest.skip(f"{law} is for channels whose delivery is {kind}; this one is {subject.channel.delivery}")
