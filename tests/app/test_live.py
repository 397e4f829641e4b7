"""On a channel where messages can be changed an answer grows before one's eyes, and is delivered once all the same."""

from __future__ import annotations

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.gateway import live
from gitu_core.model import Delivery, TextDelta
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from tests.app.around import SENT, mail, on, until, web

pytestmark = pytest.mark.anyio


class Slow(FunctionModel):
    """Says a reply in pieces, and waits before each for a permission."""

    def __init__(self, function, **options):
        super().__init__(function, **options)
        self._steps, self._more = 0, anyio.Event()

    def go_on(self, pieces: int = 1) -> None:
        """Lets it say more."""
        self._steps += pieces
        self._more.set()
        self._more = anyio.Event()

    async def stream(self, request):
        async for event in super().stream(request):
            while isinstance(event, TextDelta) and not self._steps:
                await self._more.wait()
            self._steps -= isinstance(event, TextDelta)
            yield event


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A change as soon as there is one."""
    monkeypatch.setattr(live, "EVERY", 0.02)


def poet(text: str = "one two three", chunk: int = 4) -> Slow:
    return Slow(lambda request: text, chunk=chunk)


async def test_the_answer_grows_in_one_message():
    adapter, model = RecordingAdapter(edits=True), poet()
    async with on(adapter, model) as gitu:
        await adapter.say("sing", key="k")
        for shown in ("one  …", "one two  …"):
            model.go_on()
            await until(lambda shown=shown: list(adapter.screen.values()) == [shown])
        model.go_on(9)
        await until(lambda: list(adapter.screen.values()) == ["one two three"])
        assert len({each.key for each in adapter.sent}) == len(adapter.sent)
        await until(lambda: gitu.house.gateway.load == (0, 0))
        assert await gitu.house.store.unsent(state="sending") == []


async def test_a_quick_answer_is_one_message_and_nothing_else(monkeypatch):
    monkeypatch.setattr(live, "EVERY", 1.0)
    adapter = RecordingAdapter(edits=True)
    async with on(adapter, FunctionModel(lambda request: "quick")):
        assert await adapter.talk("go") == "quick"
    assert len(adapter.tries) == 1


@pytest.mark.parametrize("delivery", ["idempotent", "verifiable", "blind"])
async def test_a_change_whose_outcome_is_unknown_is_made_again(delivery):
    adapter, model = RecordingAdapter(edits=True, delivery=delivery), poet()
    async with on(adapter, model):
        await adapter.say("sing")
        model.go_on()
        await until(lambda: adapter.screen)
        adapter.fail("unknown")
        adapter.fail("unknown", seen=True)
        model.go_on(9)
        await until(lambda: list(adapter.screen.values()) == ["one two three"] and not adapter._failures)
    assert list(adapter.screen.values()) == ["one two three"]


async def test_where_the_message_is_gone_the_answer_is_said_anew():
    adapter, model = RecordingAdapter(edits=True), poet()
    async with on(adapter, model):
        await adapter.say("sing")
        model.go_on()
        await until(lambda: adapter.screen)
        adapter.screen.clear()
        model.go_on(9)
        await until(lambda: list(adapter.screen.values()) == ["one two three"])


async def test_where_nobody_knows_whether_it_is_seen_nothing_grows_and_the_answer_comes_whole():
    adapter, model = RecordingAdapter(edits=True, delivery="blind"), poet()
    adapter.fail("unknown")
    async with on(adapter, model):
        await adapter.say("sing")
        model.go_on()
        await until(lambda: adapter.tries)
        model.go_on(9)
        await until(lambda: list(adapter.screen.values()) == ["one two three"])
    assert [each.replaces for each in adapter.tries] == ["", ""]


async def test_a_long_answer_grows_to_the_limit_and_goes_on_in_further_messages():
    adapter, model = RecordingAdapter(edits=True, max_text=10), poet("aaaa bbbb cccc dddd eeee", chunk=5)
    async with on(adapter, model):
        await adapter.say("sing")
        model.go_on(3)
        await until(lambda: list(adapter.screen.values()) == ["aaaa bbb …"])
        model.go_on(9)
        await until(lambda: len(adapter.screen) == 3)
    assert "".join(adapter.screen.values()) == "aaaa bbbb cccc dddd eeee"


async def test_after_a_restart_the_answer_takes_the_place_of_what_was_shown(tmp_path):
    adapter, model = RecordingAdapter(edits=True), poet()
    async with on(adapter, model, home=tmp_path):
        await adapter.say("sing", key="k")
        model.go_on()
        await until(lambda: adapter.screen)
    shown = dict(adapter.screen)
    assert list(shown.values()) == ["one  …"]
    later = RecordingAdapter(edits=True)
    later.screen.update(shown)
    async with on(later, FunctionModel(lambda request: "another song"), home=tmp_path):
        await until(lambda: later.sent)
    assert later.screen == dict.fromkeys(shown, "another song")


async def test_what_was_said_before_a_question_stays_above_it():
    SENT.clear()

    def asks(request):
        last = request.messages[-1]
        if last.role == "user":
            return call("web")
        return ["I will mail.", call("mail", to="bob")] if "outside" in last.text else f"it is {last.text}"

    adapter, model = RecordingAdapter(edits=True), Slow(asks, chunk=7)
    async with on(adapter, model, tools=[mail, web]):
        await adapter.say("mail it")
        model.go_on()
        await until(lambda: adapter.screen)
        model.go_on(99)
        await until(lambda: adapter.asks)
        assert next(iter(adapter.screen.values())) == "I will mail."
        await adapter.answer("yes")
        await until(lambda: list(adapter.screen.values())[-1] == "it is sent")
    assert SENT == ["bob"]


async def test_a_plugin_that_looks_at_what_goes_out_sees_whole_answers_only():
    class Looks:
        def gitu_guard_outgoing(self, outgoing):
            return "no songs" if "three" in outgoing.text else None

    adapter, model = RecordingAdapter(edits=True), poet()
    async with on(adapter, model, Looks()):
        await adapter.say("sing")
        model.go_on(99)
        assert "no songs" in (await adapter.reply()).text
    assert len(adapter.tries) == 1


async def test_an_adapter_that_raises_keeps_no_answer_back(caplog):
    class Raises(RecordingAdapter):
        async def send(self, outgoing):
            if outgoing.id.endswith(".live"):
                raise RuntimeError("defect")
            return await super().send(outgoing)

    adapter, model = Raises(edits=True), poet()
    async with on(adapter, model):
        await adapter.say("sing")
        model.go_on()
        await until(lambda: "defect" in caplog.text)
        model.go_on(9)
        assert (await adapter.reply()).text == "one two three"


async def test_a_stopped_turn_says_so_in_its_place():
    adapter, model = RecordingAdapter(edits=True), poet()
    async with on(adapter, model):
        await adapter.say("sing")
        model.go_on()
        await until(lambda: adapter.screen)
        await adapter.say("/stop")
        await until(lambda: "Stopped." in next(iter(adapter.screen.values())))


async def test_the_adapter_for_tests_keeps_the_law_of_changes():
    adapter = RecordingAdapter(edits=True)
    async with Gitu(model=FunctionModel(lambda request: "x")):
        pass
    from gitu_core.model import Conversation, Outgoing, Text

    where = Conversation("test", "ana")
    first = await adapter.send(Outgoing("a", "a", where, (Text("a"),)))
    again = await adapter.send(Outgoing("b", "b", where, (Text("b"),), replaces=first.ids[0]))
    assert again == Delivery("sent", ids=first.ids)
    assert adapter.screen == {first.ids[0]: "b"}
    gone = await adapter.send(Outgoing("c", "c", where, (Text("c"),), replaces="nothing"))
    assert (gone.state, gone.final) == ("not_sent", True)
