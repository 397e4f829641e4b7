"""What only one person may see is said in front of others when that person says yes, and lingers nowhere."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core import Gitu, Label, Profile, ToolResult, tool
from gitu_core.contracts.base import Contribution
from gitu_core.contracts.ports import Offer
from gitu_core.errors import Denied
from gitu_core.gateway import live
from gitu_core.manifest import Capabilities, Manifest, SecretNeed
from gitu_core.model import Answer, AnswerDelta, Conversation, ModelMessage, Text, ToolCall, ToolSpec, new_id, user
from gitu_core.model.audience import audience, readable
from gitu_core.runtime.toolbox import Toolbox
from gitu_core.testing import FunctionModel, RecordingAdapter, armed, call, export
from gitu_core.testing.replay.file import read, written
from gitu_core.testing.replay.run import replay
from tests.app.around import SENT, mail, on, until, web

pytestmark = pytest.mark.anyio
SECRET = "the operation is on monday"


@tool(private=True)
def inbox() -> str:
    """Reads my mail."""
    return SECRET


def thinks(request):
    """Reads the mail where it is told to, and says all it knows."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"found: {last.text}"
    if "mail" in last.text:
        return ["Let me look. ", call("inbox")]
    return "I know: " + " | ".join(message.text for message in request.messages[1:-1])


def in_group(adapter, text: str = "", person: str = "ana", **fields):
    return adapter.talk(text, user=person, group="team", key=new_id(), **fields)


def revealed(adapter, secret: str = SECRET) -> list[str]:
    """Whatever of a secret was handed to a channel."""
    handed = [repr(each) for each in (*adapter.tries, *adapter.events)]
    return [each for each in handed if secret in each]


MODEL = FunctionModel(thinks)


@pytest.mark.parametrize("choice", ["yes", "no"])
async def test_an_answer_from_what_is_private_waits_for_a_yes_and_the_next_person_reads_no_more(choice, tmp_path):
    adapter, model = RecordingAdapter(streams=True), FunctionModel(thinks)
    async with on(adapter, model, tools=[inbox], home=tmp_path):
        asked = await in_group(adapter, "what is in my mail?")
        assert "what only you may see (inbox). Shall I say it here?" in asked
        assert "closed" in await in_group(adapter, person="bob", parts=(Answer(adapter.asks[0].id, "yes"),))
        assert "I know" in await in_group(adapter, "and now?", "bob")
        assert revealed(adapter) == []
    again = RecordingAdapter(streams=True)  # the process ended between the question and its answer
    async with on(again, model, tools=[inbox], home=tmp_path) as gitu:
        said = await in_group(again, parts=(Answer(adapter.asks[0].id, choice),))
        assert said == (f"found: {SECRET}" if choice == "yes" else said)
        assert ("Ask me in a private chat" in said) is (choice == "no")
        assert "closed" in await in_group(again, parts=(Answer(adapter.asks[0].id, "yes"),))
        before = len(again.tries)
        history = await in_group(again, "/history", "bob")
        known = await in_group(again, "and now?", "bob")
        audited = [(each.kind, each.subject, each.outcome) for each in await gitu.house.store.audit()]
    assert (SECRET in known) is (SECRET in history) is (choice == "yes")
    assert "tool: " not in history
    assert all(SECRET not in repr(each) for each in again.tries[:before]) is (choice == "no")
    assert {("decided", "say", "ask"), ("answered", "say", choice)} <= set(audited)
    for request in model.requests:
        if request.messages[-1].text in ("and now?",):
            assert [each.role for each in request.messages if each.role == "tool"] == []


async def test_the_person_asked_reads_the_whole_answer_in_private_and_can_say_yes_there():
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[inbox]):
        await in_group(adapter, "what is in my mail?")
        assert SECRET in await adapter.talk("/questions")
        await adapter.say(parts=(Answer(adapter.asks[0].id, "yes"),))
        await until(lambda: adapter.sent[-1].text == f"found: {SECRET}")
    assert adapter.sent[-1].conversation.kind == "group"
    assert adapter.sent[-1].label.readable_by(audience(adapter.sent[-1].conversation, ""))


async def test_in_private_nothing_is_asked():
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[inbox]):
        assert await adapter.talk("what is in my mail?") == f"found: {SECRET}"
        assert SECRET in await adapter.talk("and now?")


async def test_nothing_of_a_held_answer_shows_on_the_way(monkeypatch):
    monkeypatch.setattr(live, "EVERY", 0.0)
    adapter = RecordingAdapter(streams=True, edits=True)
    async with on(adapter, FunctionModel(thinks, chunk=2), tools=[inbox]):
        await in_group(adapter, "what is in my mail?")
        assert revealed(adapter) == []
        shown = "".join(event.text for _, event in adapter.events if isinstance(event, AnswerDelta))
        assert shown == "Let me look. ", "written before anything private was read"
        assert not any("found" in each.text for each in adapter.tries)
        await adapter.answer("yes", group="team")
        await until(lambda: adapter.sent[-1].text == f"found: {SECRET}")


async def test_a_question_in_a_group_shows_no_arguments_that_the_group_may_not_read():
    def mails(request):
        last = request.messages[-1]
        if last.role == "user":
            return [call("inbox"), call("web")]
        return "done" if last.name == "mail" else call("mail", to=SECRET)

    adapter = RecordingAdapter(streams=True)
    async with on(adapter, FunctionModel(mails), tools=[inbox, mail, web]):
        asked = await in_group(adapter, "go")
        assert asked == "May I use mail? The details are in /questions, in a private chat."
        assert revealed(adapter) == []
        assert f"to: {SECRET}" in await adapter.talk("/questions")
        await adapter.say(parts=(Answer(adapter.asks[0].id, "yes"),))
        await until(lambda: "Shall I say it here?" in adapter.sent[-1].text)
    assert SENT == [SECRET]


async def test_a_model_cannot_tell_it_by_the_name_of_a_tool_that_there_is_not():
    script = {"user": call("inbox"), "inbox": call(SECRET), SECRET: "done"}
    adapter = RecordingAdapter(streams=True)

    def think(request):
        last = request.messages[-1]
        return script[last.name if last.role == "tool" else "user"]

    model = FunctionModel(think)
    async with on(adapter, model, tools=[inbox]):
        assert "(inbox). Shall I say it here?" in await in_group(adapter, "go")
    assert revealed(adapter) == []


async def test_where_code_of_the_application_approves_it_is_asked_about_the_exact_answer():
    asked = []

    def approve(what, spec, reason):
        asked.append((spec.name, what.arguments, reason))
        return len(asked) == 2

    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[inbox], approve=approve):
        assert SECRET not in await in_group(adapter, "what is in my mail?")
        assert await in_group(adapter, "my mail again") == f"found: {SECRET}"
    assert asked[0] == ("say", {"text": f"found: {SECRET}"}, "The answer rests on what only you may see (inbox)")


async def test_nobody_can_release_what_they_may_not_see_themselves():
    class Other:
        spec = ToolSpec("inbox", "Reads somebody's mail.")

        async def run(self, call, context):
            return ToolResult(content=SECRET, label=Label(readers=frozenset({"user:somebody"})))

        async def verify(self, call, context):
            return ToolResult("unknown")

    adapter = RecordingAdapter(streams=True)
    async with on(adapter, MODEL, tools=[Other()]):
        for where in ({"group": "team"}, {}):
            said = await adapter.talk("read the mail", **where)
            assert "the answer rests on what you may not see" in said
        assert adapter.asks == []
        assert SECRET not in await adapter.talk("and now?")
    assert revealed(adapter) == []


async def test_a_held_answer_goes_the_same_way_again(tmp_path):
    for choice in ("yes", "no", ""):
        adapter = RecordingAdapter()
        async with on(adapter, MODEL, tools=[inbox], home=tmp_path / (choice or "open")) as gitu:
            await in_group(adapter, "what is in my mail?")
            if choice:
                await in_group(adapter, parts=(Answer(adapter.asks[0].id, choice),))
            found = read(written(await export(gitu, "")))
        (each,) = await replay(found)
        assert each.difference is None, str(each)


@pytest.mark.parametrize("point", ["park.before", "park.after", "resume.before", "turn.end.before", "turn.end.after"])
async def test_wherever_the_store_fails_a_held_answer_is_asked_about_and_said_once(point):
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[inbox]):
        with armed(f"{point}:raise=store"):
            await in_group(adapter, "what is in my mail?")
            await until(lambda: adapter.asks)
            assert revealed(adapter) == []
            await in_group(adapter, parts=(Answer(adapter.asks[0].id, "yes"),))
            await until(lambda: adapter.sent[-1].text == f"found: {SECRET}")
    assert len(adapter.sent) == 2
    assert all(each.label.readable_by("group:test:team") for each in adapter.sent)


async def test_what_is_said_of_ones_own_accord_goes_to_no_wider_circle():
    adapter = RecordingAdapter()
    timers = []

    class Reminds:
        def gitu_start(self, host):
            self.host = host

        async def gitu_timer(self, host, key, data):
            timers.append(key)
            for group in ("team", ""):
                where = Conversation("test", group or "ana", kind="group" if group else "direct")
                try:
                    await host.notify.send(where, (Text("monday"),), f"{key}.{group}")
                except Denied:
                    timers.append("denied")

        def gitu_tools(self):
            @tool
            async def remind() -> str:
                """Sets a timer."""
                await self.host.schedule.at(0.0, "k", {})
                return "set"

            return [remind]

    model = FunctionModel(lambda request: "done" if request.messages[-1].role == "tool" else call("remind"))
    async with on(adapter, model, Reminds()):
        await adapter.talk("remind me")
        await until(lambda: adapter.sent[-1].text == "monday")
    assert timers == ["k", "denied"]
    assert [each.conversation.id for each in adapter.sent] == ["ana", "ana"]


async def test_a_tool_that_reads_with_somebodys_key_or_files_is_private_unless_it_says_not():
    needs = Capabilities(secrets=(SecretNeed("TOKEN"),)), Capabilities(files=("~/notes",)), Capabilities()

    def spec(capabilities, said):
        offer = Offer("mail", Contribution("tool", "read", spec={"name": "read", "description": "Reads.", **said}))

        class Plugins:
            def offers(self, seam):
                return [offer]

            def manifest(self, id):
                return Manifest(id=id, capabilities=capabilities) if capabilities is not None else None

        return Toolbox(Plugins(), Profile).specs(Profile())[0]

    assert [spec(each, {}).private for each in (*needs, None)] == [True, True, None, None]
    assert [spec(each, {"private": False}).private for each in needs] == [False] * 3


# ---- what of a history may be read ---------------------------------------------------------------------------

READERS = [None, frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"}), frozenset()]


@st.composite
def histories(draw) -> list[ModelMessage]:
    """Whole exchanges, every message readable by whomever."""
    label = st.sampled_from(READERS).map(lambda readers: Label(readers=readers))
    said: list[ModelMessage] = []
    for turn in range(draw(st.integers(0, 4))):
        said.append(ModelMessage("user", (Text("?"),), id=f"{turn}", label=draw(label)))
        calls = tuple(ToolCall(f"{turn}.{n}", "t") for n in range(draw(st.integers(0, 3))))
        said.append(ModelMessage("assistant", (Text("!"),), calls, id=f"{turn}!", label=draw(label)))
        said += [ModelMessage("tool", (Text("r"),), call_id=each.id, label=draw(label)) for each in calls]
    return said


@given(histories(), st.sampled_from(["a", "b", "c"]))
def test_a_history_holds_nothing_unreadable_and_no_half_exchange(history, reader):
    found = readable(history, reader)
    assert all(each.label.readable_by(reader) for each in found)
    assert [each.call_id for each in found if each.call_id] == [call.id for each in found for call in each.calls]
    assert found == [each for each in history if each in found], "in order, and nothing else"
    for each in history:  # and nothing is left out without need
        if each.label.readable_by(reader) and not each.calls and not each.call_id:
            assert each in found
    if all(each.label.readable_by(reader) for each in history):
        assert found == history


async def test_who_takes_over_an_account_reads_nothing_that_was_said_to_another_person():
    model = FunctionModel(thinks)
    async with Gitu(model=model) as gitu:
        await gitu.send("one", user="ana")
        (session,) = await gitu.sessions("ana")
        entry = (await gitu.house.store.history(session.id, 1 << 40))[0]
        theirs = ModelMessage("user", (Text("theirs"),), id="x", label=Label(readers=frozenset({user("eve")})))
        await gitu.house.store.write(msgspec.structs.replace(entry, message=theirs))
        assert "theirs" not in (await gitu.send("two", user="ana")).text


def test_only_a_group_is_an_audience_of_its_own():
    assert audience(Conversation("c", "team", kind="group"), "user:a") == "group:c:team"
    assert {audience(Conversation("c", "a"), "user:a"), audience(None, "user:a")} == {"user:a"}
