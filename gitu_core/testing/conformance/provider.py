"""The kit for providers of models: the laws P1 to P6."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import anyio
import pytest

from gitu_core.contracts import ModelProvider
from gitu_core.errors import GituError
from gitu_core.model import (
    CallDelta,
    Finish,
    ModelEvent,
    ModelMessage,
    ModelRequest,
    Text,
    TextDelta,
    ToolCall,
    ToolSpec,
    user_message,
)  # fmt: skip
from gitu_core.testing.borders import Across
from gitu_core.testing.conformance.base import PATIENCE, Laws, needs, of, texts, tried, until
from gitu_core.testing.conformance.cancel import cuts
from gitu_core.testing.conformance.failures import FAILURES
from gitu_core.testing.conformance.watch import io, logs, nothing_left, words_of

TOOL = ToolSpec("kit.look_up", "Looks something up.", {"type": "object", "properties": {"a": {"type": "integer"}}})
LONG = "many words " * 200


class ModelProviderLaws(Laws):
    """A provider keeps the laws P1 to P6. Give the fixture `provider`, connected to a server that tests own.

    Override `model` where the first of the catalogue is not to be asked. `credential` is the secret that the server
    takes, *named* its name in a request. The fixture `remote`, optional, gives the server, which may

        answer(text, calls)     say this next; *calls* are (tool, argument text) as a model wrote it
        fail(how)               fail next: ``auth``, ``rate``, ``down`` (it says so), ``gone`` (nobody listens),
                                ``overflow``, ``rejected`` or ``broken`` (after some words)
        open() -> int           how many answers it is streaming right now
        keep_alive              set to False: close every connection behind its answer
        forget()                no secret is set any more

    `failures` of the remote names those that it can make, all by default. `ServedModel` is one, for what speaks the
    protocol of `gitu_core.testing.ModelServer`.
    """

    credential = ""
    named = ""

    @pytest.fixture
    def provider(self) -> ModelProvider:
        """The provider under test; its author gives it."""
        raise NotImplementedError("give a fixture `provider`")

    @pytest.fixture
    async def subject(self, provider: ModelProvider, across: Across) -> ModelProvider:
        """The provider, or what is seen of it through the border."""
        return await across(provider, ModelProvider)

    async def model(self, subject: ModelProvider) -> str:
        """The model to ask."""
        return (await subject.catalogue())[0].id

    async def request(self, subject: ModelProvider, text: str = "hello", **fields: Any) -> ModelRequest:
        """A request that says *text*."""
        fields = {"messages": (user_message(text),), "credential": self.named, **fields}
        return ModelRequest(await self.model(subject), **fields)

    async def asked(
        self, subject: ModelProvider, text: str = "hello", into: list[ModelEvent] | None = None, **fields: Any
    ) -> list[ModelEvent]:
        """All events of an answer; those that come before a failure are in *into*."""
        events = [] if into is None else into
        with anyio.fail_after(4 * PATIENCE):
            async for event in subject.stream(await self.request(subject, text, **fields)):
                events.append(event)
        return events

    async def test_p1_a_stream_ends_with_exactly_one_finish(self, subject: ModelProvider, remote: Any) -> None:
        """For words, for calls, for nothing at all, for a long answer, and for many at once."""
        answers: list[tuple[str, list[tuple[str, str]]]] = [("word", []), ("", [(TOOL.name, "{}")]), (LONG, [])]
        for text, calls in answers:
            if hasattr(remote, "answer"):
                await of(remote.answer(text, calls))
            _ended(await self.asked(subject, tools=(TOOL,)))
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(self._ends, subject, f"number {number}")

    @tried(text=texts)
    async def test_p1_whatever_is_said_streams_whole(self, subject: ModelProvider, remote: Any, text: str) -> None:
        """Asked with hostile words, answered with hostile words: the answer arrives letter by letter."""
        if hasattr(remote, "answer"):
            await of(remote.answer(text, []))
        events = await self.asked(subject, text)
        _ended(events)
        if hasattr(remote, "answer"):
            assert "".join(event.text for event in events if isinstance(event, TextDelta)) == text

    async def test_p1_a_whole_conversation_can_be_shown(self, subject: ModelProvider) -> None:
        """Calls that were answered, a failed one, broken arguments, names, and two people's words in a row."""
        made = (ToolCall("c1", TOOL.name, {"a": 1}), ToolCall("c2", TOOL.name, raw='{"a": '))
        messages = (
            ModelMessage("system", (Text("Be brief."),)), user_message("one"), user_message("two"),
            ModelMessage("assistant", (Text("I look."),), made), ModelMessage("tool", (Text("1"),), call_id="c1"),
            ModelMessage("tool", (Text("error: broken"),), call_id="c2"), user_message("three"),
        )  # fmt: skip
        _ended(await self.asked(subject, messages=messages, tools=(TOOL,), max_tokens=50, temperature=0.5))

    async def test_p2_arguments_arrive_as_the_model_wrote_them(self, subject: ModelProvider, remote: Any) -> None:
        """Letter by letter: spaces, order, escapes, numbers, and JSON that is none."""
        needs(remote, "answer")
        wrote = ['{"b": 1.50,  "a":"\\u00e9\\n"}', '{"a": ', "not json", '{"a": 1}{"a": 2}', '{"deep": {"x": [1,  2]}}']
        await of(remote.answer("", [(TOOL.name, text) for text in wrote]))
        deltas = [event for event in await self.asked(subject, tools=(TOOL,)) if isinstance(event, CallDelta)]
        joined: dict[int, list[str]] = {}
        for delta in deltas:
            joined.setdefault(delta.index, []).append(delta.arguments)
        assert ["".join(pieces) for _, pieces in sorted(joined.items())] == wrote
        assert [delta.tool for delta in deltas if delta.tool] == [TOOL.name] * len(wrote), "each names its tool once"
        assert len({delta.id for delta in deltas if delta.id}) == len(wrote), "each has an id of its own"

    @pytest.mark.parametrize("how", FAILURES)
    async def test_p3_what_goes_wrong_is_a_typed_failure(self, subject: ModelProvider, remote: Any, how: str) -> None:
        """Of the class that tells the host what to do; and the next request works."""
        needs(remote, "fail")
        self._can(remote, how)
        await of(remote.fail(how))
        events: list[ModelEvent] = []
        with pytest.raises(GituError) as caught:
            await self.asked(subject, into=events)
        assert type(caught.value) in FAILURES[how]
        assert not [event for event in events if isinstance(event, Finish)], "it finished, and failed after that"
        assert how != "broken" or events, "events come before a stream breaks"
        assert how == "gone" or await self.asked(subject), "the next request is answered"

    async def test_p4_closing_a_stream_early_frees_its_connection(self, subject: ModelProvider, remote: Any) -> None:
        """Closed after an event, and cancelled at every await: no answer goes on, nothing is left open."""
        if hasattr(remote, "answer"):
            await of(remote.answer(LONG, []))
        if hasattr(remote, "keep_alive"):
            remote.keep_alive = False  # whether a connection can be used again depends on how its last bytes came
        request = await self.request(subject, LONG)

        async def ask(number: int = 0) -> None:
            stream = subject.stream(request)
            async with aclosing(stream):  # type: ignore[type-var]
                async for _ in stream:
                    if not number:
                        return

        await ask()
        await self.asked(subject, LONG)  # what it keeps open between two requests is not left over
        async with nothing_left():
            for _ in range(5):
                await ask()
            async for cut in cuts(ask, most=30):
                assert cut.error is None, f"cancelled at await {cut.nth}: {cut.error!r}"
            await self.asked(subject, LONG)
        if hasattr(remote, "open"):
            await until(lambda: not remote.open(), "the server noticed that nobody reads on")

    async def test_p5_the_catalogue_needs_no_network_and_no_credential(
        self, subject: ModelProvider, remote: Any
    ) -> None:
        """Every model has an id of its own and sizes that make sense; twice the same."""
        if hasattr(remote, "forget"):
            await of(remote.forget())
        with io() as noted:
            first = list(await subject.catalogue())
        assert [each for each in noted if each.startswith(("socket.", "urllib.", "http."))] == [], "the network"
        assert first == list(await subject.catalogue())
        assert len({info.id for info in first}) == len(first), "a model is listed twice"
        assert [info.id for info in first if info.window <= 0 or info.max_output <= 0] == []

    async def test_p6_a_credential_appears_nowhere(self, subject: ModelProvider, remote: Any) -> None:
        """In no event, no error and no log, whatever goes wrong, not even where the server repeats it."""
        if not self.credential:
            pytest.skip("not tested: set `credential` to the secret that the provider uses")
        said: list[str] = []
        ways = [how for how in FAILURES if how in getattr(remote, "failures", FAILURES) and hasattr(remote, "fail")]
        with logs() as lines:
            for how in ("", *(each for each in ways if each != "gone")):
                if how:
                    await of(remote.fail(how))
                elif hasattr(remote, "answer"):
                    await of(remote.answer(f"your key is {self.credential[:4]}", []))
                try:
                    said += [repr(event) for event in await self.asked(subject)]
                except Exception as error:  # noqa: BLE001 - of which class it is, P3 asks
                    said.append(words_of(error))
        assert [each[:300] for each in (*said, *lines) if self.credential in each] == []

    async def _ends(self, subject: ModelProvider, text: str) -> None:
        _ended(await self.asked(subject, text))

    def _can(self, remote: Any, how: str) -> None:
        if how not in getattr(remote, "failures", FAILURES):
            pytest.skip(f"not tested: the fixture `remote` does not name {how!r} in `failures`")


def _ended(events: list[ModelEvent]) -> None:
    finishes = [number for number, event in enumerate(events) if isinstance(event, Finish)]
    assert finishes == [len(events) - 1], f"Finish stands at {finishes} of {len(events)} events"
