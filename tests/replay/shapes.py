"""Turns of every shape, each recorded by a whole assistant. A shape gives the export of what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
import msgspec

from gitu_core import Gitu, Limits, Profile, ToolError, ToolResult, ToolSpec, tool, wiring
from gitu_core.errors import AuthFailed, GituError, NotReady, StreamBroken
from gitu_core.model import Answer, CallDelta, Finish, ModelInfo, ModelMessage, Text, TextDelta, ToolCall, Usage
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, armed, call, export
from gitu_core.testing.replay.file import Export
from tests.app.around import until

Shape = Callable[[], Awaitable[Export]]
SHAPES: dict[str, Shape] = {}
"""Every shape by name."""

PRICED = ModelInfo("priced", window=20_000, max_output=1_000, input_price=3.0, output_price=15.0,
                   capabilities=frozenset({"text", "tools", "stream", "structured"}))  # fmt: skip
"""A model that costs something."""


def shape(make: Shape) -> Shape:
    """Adds a shape under the name of its function."""
    SHAPES[make.__name__] = make
    return make


# ---- tools --------------------------------------------------------------------------------------


@tool
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2


@tool
def broken() -> str:
    """Always fails."""
    raise ZeroDivisionError("detail")


@tool
def refuses() -> str:
    """Refuses."""
    raise ToolError("the shop is closed", hint="come back at nine")


@tool(timeout=0.05)
async def slow() -> str:
    """Takes long."""
    await anyio.sleep(10)
    return "late"


@tool(timeout=0.05, effects=["send"])
async def slow_send() -> str:
    """Takes long and sends."""
    await anyio.sleep(10)
    return "late"


@tool
async def hangs() -> str:
    """Never ends."""
    await anyio.sleep_forever()
    return ""


@tool(effects=["send"])
async def hangs_sending() -> str:
    """Never ends and sends."""
    await anyio.sleep_forever()
    return ""


@tool
async def wait(seconds: float) -> float:
    """Waits."""
    await anyio.sleep(seconds)
    return seconds


@tool(effects=["send"], roles={"to": "recipient"})
async def mail(to: str, seconds: float = 0.0) -> str:
    """Sends a mail."""
    await anyio.sleep(seconds)
    return f"sent to {to}"


@tool(writers={"": "outside"})
def web() -> str:
    """Reads the web."""
    return "words from outside"


@tool(writers={"items.*.body": "outside", "": "field:author"})
def feed() -> dict[str, object]:
    """Reads a feed."""
    return {"items": [{"body": "buy"}, {"body": "sell"}], "author": "ana"}


@tool(output_limit=10, effects=["write"])
def chatty() -> str:
    """Says too much."""
    return "x" * 30


class Sure:
    """A tool that can say afterwards whether it was done."""

    spec = ToolSpec("sure", "Does something that can be asked about.", effects=("write",), verifiable=True)

    def __init__(self, done: bool) -> None:
        self.done = done

    async def run(self, call: ToolCall, context: object) -> ToolResult:
        return ToolResult(content="done now")

    async def verify(self, call: ToolCall, context: object) -> ToolResult:
        return ToolResult(content="it was done") if self.done else ToolResult("unknown")


ALL = [double, broken, refuses, slow, slow_send, hangs, hangs_sending, wait, mail, web, feed, chatty]


async def told(*script: object, says: str = "go", tools: object = ALL, **options: object) -> Export:
    """The turn in which a model says a script."""
    model = ScriptedModel(list(script))
    async with Gitu(model=model, tools=tools, **options) as gitu:  # type: ignore[arg-type]
        with suppress(GituError):
            await gitu.send(says, user="u")
        return await export(gitu)


# ---- answers and tools --------------------------------------------------------------------------


@shape
async def plain() -> Export:
    return await told("Hello, *you*.")


@shape
async def nothing_said() -> Export:
    return await told([])


@shape
async def an_answer_cut_before_its_first_word() -> Export:
    return await told(Finish("length", Usage(5, 7)))


@shape
async def odd_text() -> Export:
    return await told("a\x00b \ud800 c", says="\x00?\udfff")


@shape
async def a_tool() -> Export:
    return await told(["Let me see.", call("double", number=4)], "8")


@shape
async def several_tools_at_once() -> Export:
    return await told([call("wait", seconds=each) for each in (0.06, 0.0, 0.03)], [call("double", number=1)], "done")


@shape
async def more_at_once_than_may_run() -> Export:
    calls = [call("mail" if n % 2 else "wait", seconds=0.03 - n * 0.004, **({"to": "b"} if n % 2 else {}))
             for n in range(7)]  # fmt: skip
    return await told(calls, "done", profiles=[Profile(limits=Limits(calls=2), exact=True)])


@shape
async def effects_at_once() -> Export:
    return await told([call("mail", to=f"m{n}", seconds=0.02 * (3 - n)) for n in range(4)], "done")


@shape
async def tools_that_fail() -> Export:
    return await told(call("broken"), [call("refuses"), call("broken")], [call("slow"), call("slow_send")], "sorry")


@shape
async def calls_that_do_not_fit() -> Export:
    raw = CallDelta(0, "given", "double", '{"number": "\x00')
    cleaned = CallDelta(0, "given", "double", '{"number": "\ud800"}')
    return await told(call("double"), call("dubble", number=1), [raw], [cleaned], call("double", number=1.5), "no")


@shape
async def too_long_a_result() -> Export:
    return await told(call("chatty"), "done")


@shape
async def parts_from_outside() -> Export:
    return await told(call("feed"), call("mail", to="eve"), "done", approve=lambda *_: False)


@shape
async def the_same_ids_from_a_provider_again() -> Export:
    first = ToolCall("same", "double", {"number": 1})
    return await told([first, msgspec.structs.replace(first, arguments={"number": 2})], [first], "done")


@shape
async def what_a_provider_wants_back() -> Export:
    events = [
        CallDelta(0, "x", "double", '{"number":3}', {"signed": "a"}),
        Finish("calls", Usage(9, 9), state={"b": [1]}),
    ]
    return await told(events, "6")


# ---- yes and no ---------------------------------------------------------------------------------


@shape
async def the_application_says_yes_and_no() -> Export:
    said = iter([True, False])
    return await told(
        call("web"), [call("mail", to="bob"), call("mail", to="eve")], "done", approve=lambda *_: next(said)
    )


@shape
async def the_application_cannot_be_asked() -> Export:
    return await told(call("web"), call("mail", to="bob"), "done", approve=lambda *_: 1 / 0)


@shape
async def waiting() -> Export:
    return await told(call("web"), call("mail", to="bob"), "done")


async def answered(*choices: str, script: object = None, tools: object = ALL, **options: object) -> Export:
    """The turn that waits for a yes, with the choices that a person makes one after the other."""
    first = [call("web"), [call("mail", to="bob"), call("wait", seconds=0.0), call("mail", to="eve")], "done"]
    model = ScriptedModel(first if script is None else script)
    async with Gitu(model=model, tools=tools, **options) as gitu:  # type: ignore[arg-type]
        session = (await gitu.send("go", user="u")).session
        for choice in choices:
            asked = (await gitu.approvals("u"))[0]
            await gitu.send([Answer(asked.id, choice)], user="u")
        return await export(gitu, (await gitu.history(session))[0].turn)


@shape
async def a_yes_and_a_no() -> Export:
    return await answered("yes", "no")


@shape
async def one_yes_and_one_that_waits() -> Export:
    return await answered("yes")


@shape
async def an_answer_in_between() -> Export:
    model = ScriptedModel([call("web"), call("mail", to="bob"), "something else", "done"])
    async with Gitu(model=model, tools=ALL) as gitu:
        session = (await gitu.send("go", user="u")).session
        await gitu.send("and now?", user="u")
        await gitu.send([Answer((await gitu.approvals("u"))[0].id, "yes")], user="u")
        return await export(gitu, session)


@shape
async def nobody_answers() -> Export:
    from gitu_core.testing import FakeClock

    clock, adapter = FakeClock(), RecordingAdapter()
    async with on(adapter, ScriptedModel([call("web"), call("mail", to="bob"), "a pity"]), clock=clock) as gitu:
        await adapter.talk("go")
        clock.jump(90_000)
        await gitu.house.keeper.look()
        assert (await adapter.reply()).text == "a pity"
        return await export(gitu)


@asynccontextmanager
async def on(adapter: RecordingAdapter, model: object, **options: object):
    """An assistant on one channel."""

    class Plugin:
        def gitu_adapters(self):
            return [adapter]

    gitu = Gitu(model=model, tools=ALL, plugins=[Plugin()], use=["*"], **options)  # type: ignore[arg-type]
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve)
        yield gitu
        group.cancel_scope.cancel()


# ---- structured output --------------------------------------------------------------------------


async def fitted(*script: object, kind: object = dict[str, int]) -> Export:
    async with Gitu(model=ScriptedModel(list(script)), tools=ALL) as gitu:
        with suppress(GituError):
            await gitu.send("how many?", user="u", output=kind)
        return await export(gitu)


@shape
async def structured() -> Export:
    return await fitted({"a": 1})


@shape
async def structured_after_corrections() -> Export:
    return await fitted("three", call("double", number=2), {"a": "three"}, '```json\n{"a": 3}\n```')


@shape
async def never_as_it_should_be() -> Export:
    return await fitted("three", {"a": "three"}, "[")


# ---- models that fail, limits -------------------------------------------------------------------


@shape
async def another_model_answers() -> Export:
    first = ScriptedModel(
        [["Hel", StreamBroken("gone")], NotReady("later"), AuthFailed("no")], name="first", info=PRICED
    )
    second = FunctionModel(
        lambda request: "done" if len(request.messages) > 3 else call("double", number=1), name="second"
    )
    async with Gitu(plugins=[Both(first, second)], model=[first.model, second.model], tools=ALL) as gitu:
        await gitu.send("go", user="u")
        await gitu.send("again", user="u")
        return await export(gitu, (await gitu.sessions())[0].id)


class Both:
    """A plugin with two models."""

    def __init__(self, *models: object) -> None:
        self.models = models

    def gitu_model_providers(self):
        return self.models


@shape
async def no_model_answers() -> Export:
    return await told(["Hel", StreamBroken("gone", where="here")])


@shape
async def an_answer_that_never_ends() -> Export:
    return await told([TextDelta("x" * 2_000_001)] * 2)


@shape
async def a_provider_with_a_defect() -> Export:
    return await told(["a", ZeroDivisionError()])


@shape
async def no_model_at_all() -> Export:
    async with Gitu(model="nowhere/nothing") as gitu:
        with suppress(GituError):
            await gitu.send("go", user="u")
        return await export(gitu)


def limited(**limits: object) -> dict[str, object]:
    return {"profiles": [Profile(limits=Limits(**limits), exact=True, tools=("*",))]}  # type: ignore[arg-type]


@shape
async def too_many_steps() -> Export:
    return await told(*[call("double", number=1)] * 3, **limited(steps=2))


@shape
async def too_many_tokens() -> Export:
    return await told([call("double", number=1), Finish("calls", Usage(1, 50))], "no", **limited(output_tokens=50))


async def paid(limit: float, *script: object) -> Export:
    model = ScriptedModel(list(script), info=PRICED)
    async with Gitu(model=model, tools=ALL, **limited(cost=limit)) as gitu:  # type: ignore[arg-type]
        with suppress(GituError):
            await gitu.send("go", user="u")
        return await export(gitu)


@shape
async def too_dear_at_once() -> Export:
    return await paid(0.000001, "no")


@shape
async def too_dear_in_the_end() -> Export:
    first = [call("double", number=1), Finish("calls", Usage(900, 900))]
    return await paid(0.000030, first, "no")


@shape
async def too_dear_after_a_failure() -> Export:
    first = ScriptedModel([["Hel" * 400, StreamBroken("gone")]], name="first", info=PRICED)
    second = ScriptedModel(["no"], name="second", info=PRICED)
    options = {"profiles": [Profile(limits=Limits(cost=0.00002), models=(first.model, second.model))]}
    async with Gitu(plugins=[Both(first, second)], **options) as gitu:  # type: ignore[arg-type]
        with suppress(GituError):
            await gitu.send("go", user="u")
        return await export(gitu)


@shape
async def too_much_to_say() -> Export:
    small = ModelInfo("small", window=600, max_output=100)
    async with Gitu(model=ScriptedModel(["no"], info=small)) as gitu:
        with suppress(GituError):
            await gitu.send("word " * 600, user="u")
        return await export(gitu)


async def never(request: object) -> str:
    await anyio.sleep_forever()
    return ""


@shape
async def a_model_for_which_the_time_is_not_enough() -> Export:
    async with Gitu(model=FunctionModel(never), **limited(seconds=0.1)) as gitu:  # type: ignore[arg-type]
        with suppress(GituError):
            await gitu.send("go", user="u")
        return await export(gitu)


@shape
async def tools_for_which_the_time_is_not_enough() -> Export:
    calls = [call("hangs"), call("wait", seconds=0.0), call("hangs_sending")]
    return await told(call("double", number=1), calls, **limited(seconds=0.2))


# ---- stopped ------------------------------------------------------------------------------------


async def stopped(*script: object, **options: object) -> Export:
    """A turn that is stopped while a tool hangs, or while the model says nothing more."""
    model = ScriptedModel(list(script))
    async with Gitu(model=model, tools=ALL, **options) as gitu, anyio.create_task_group() as group:  # type: ignore[arg-type]
        group.start_soon(gitu.send, "go")
        await until(lambda: gitu.house.gateway.worker.running and not model.remaining)
        await anyio.sleep(0.1)
        gitu.stop((await gitu.sessions())[0].id)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.05)
            return await export(gitu)


@shape
async def stopped_in_a_model() -> Export:
    return await stopped(call("double", number=3), never)


@shape
async def stopped_in_tools() -> Export:
    return await stopped([call("hangs"), call("double", number=1), call("hangs_sending")])


@shape
async def stopped_in_a_delegate() -> Export:
    return await stopped(
        [call("ask_helper", task="do"), call("double", number=2)], [call("double", number=1), call("hangs")],
        profiles=HELPED,
    )  # fmt: skip


# ---- profiles that call each other --------------------------------------------------------------

HELPED = [
    Profile(delegates=("helper", "other"), exact=True, tools=("*",)),
    Profile(name="helper", delegates=("other",), exact=True, tools=("*",)),
    Profile(name="other", exact=True, tools=("double", "wait"), limits=Limits(steps=2)),
]


def helper(request):
    """Asks, where it may, others for help; they double and wait."""
    last, tools = request.messages[-1], {spec.name for spec in request.tools}
    if last.role == "tool":
        return f"I heard {last.text}"
    if "ask_helper" in tools:
        return [call("ask_helper", task="help"), call("ask_other", task="wait 0.05"), call("ask_other", task="wait 0")]
    if "wait" in last.text:
        return call("wait", seconds=float(last.text.split()[1]))
    return [call("ask_other", task="wait 0.02"), call("double", number=2)]


@shape
async def delegates() -> Export:
    async with Gitu(model=FunctionModel(helper), tools=ALL, profiles=HELPED) as gitu:
        await gitu.send("go", user="u")
        return await export(gitu)


@shape
async def a_delegate_that_fails() -> Export:
    return await told(
        call("ask_other", task="x"), call("double", number=1), call("double", number=1), "a pity", profiles=HELPED
    )


@shape
async def a_profile_that_would_call_itself() -> Export:
    profiles = [Profile(delegates=("helper",), tools=()), Profile(name="helper", delegates=("default",), tools=())]
    return await told(call("ask_helper", task="x"), call("ask_default", task="y"), "no", "done", profiles=profiles)


@shape
async def a_delegate_that_waits() -> Export:
    profiles = [Profile(delegates=("helper",), tools=("double",)), Profile(name="helper", tools=("mail", "web"))]
    script = [
        [call("ask_helper", task="x"), call("double", number=1)],
        call("web"),
        call("mail", to="bob"),
        "sent",
        "ok",
    ]
    return await answered("yes", script=script, profiles=profiles)


@shape
async def a_delegate_for_which_the_time_is_not_enough() -> Export:
    helper = Profile(name="helper", tools=("*",), limits=Limits(seconds=0.1))
    profiles = [Profile(delegates=("helper",), tools=()), helper]
    return await told(call("ask_helper", task="x"), call("hangs"), "a pity", profiles=profiles)


@shape
async def time_that_ends_inside_of_a_delegate() -> Export:
    profiles = [Profile(delegates=("helper",), tools=(), limits=Limits(seconds=0.2)), Profile(name="helper")]
    return await told(
        call("ask_helper", task="x"), [call("hangs_sending"), call("double", number=1)], profiles=profiles
    )


async def a_delegate_that_takes_longer_than_a_tool_may() -> Export:
    """No shape like the others: how long a delegate may take does not stand in any setting."""
    profiles = [Profile(delegates=("helper",), tools=()), Profile(name="helper")]
    return await told(call("ask_helper", task="x"), call("hangs"), "a pity", profiles=profiles)


# ---- plugins that take part ---------------------------------------------------------------------


class Meddler:
    """Filters everything."""

    def gitu_filter_request(self, request):
        note = ModelMessage("user", (Text("I remember something."),), id="remembered")
        tools = tuple(each for each in request.tools if each.name != "hangs")
        return msgspec.structs.replace(request, messages=(*request.messages, note), tools=tools, max_tokens=77)

    def gitu_filter_call(self, call):
        if call.arguments.get("number") == 13:
            return msgspec.structs.replace(call, arguments={"number": "unlucky"})
        return msgspec.structs.replace(call, arguments={**call.arguments, "number": 5})

    def gitu_filter_result(self, result):
        return msgspec.structs.replace(result, content=f"filtered {result.content}")


class Guard:
    """Lets nobody mail eve."""

    def gitu_guard_call(self, call):
        return "eve is not to be written to" if call.arguments.get("to") == "eve" else None


@shape
async def filters() -> Export:
    return await told([call("double", number=1), call("double", number=13)], "done", plugins=[Meddler()])


@shape
async def a_guard() -> Export:
    return await told([call("mail", to="eve"), call("mail", to="bob")], "done", plugins=[Guard()])


@shape
async def a_plugin_that_asks_a_model_inside_a_call() -> Export:
    class Plugin:
        def gitu_tools(self, host):
            @tool
            async def think() -> str:
                """Thinks."""
                return str(await host.model.complete("think"))

            return [think]

    model = ScriptedModel([call("think"), "a thought", "done"])
    async with Gitu(model=model, plugins=[Plugin()]) as gitu:
        await gitu.send("go", user="u")
        return await export(gitu)


# ---- sessions -----------------------------------------------------------------------------------


@shape
async def a_session_that_is_too_long_for_its_model() -> Export:
    model = FunctionModel(lambda request: call("double", number=1) if request.messages[-1].role == "user" else
                          "word " * 80, info=ModelInfo("small", window=2_000, max_output=200))  # fmt: skip
    async with Gitu(model=model, tools=[double]) as gitu:
        for number in range(8):
            await gitu.send(f"{number} " + "word " * 60, user="u")
        return await export(gitu, (await gitu.sessions())[0].id)


@shape
async def the_end_of_a_long_session() -> Export:
    model = FunctionModel(lambda request: "word " * 50)
    async with Gitu(model=model, **limited(context_tokens=400)) as gitu:  # type: ignore[arg-type]
        for number in range(8):
            await gitu.send(f"{number} " + "word " * 50, user="u")
        found = await export(gitu)
        assert len(found.history) < 12
        return found


# ---- crashes ------------------------------------------------------------------------------------

CRASHES = (
    "turn.begun", "model.before", "model.after:2", "call.intent:2", "call.dispatch:2", "call.effect:3", "call.result:2",
    "turn.end.before", "model.before|model.after:3|call.dispatch:4|turn.end.before",
)  # fmt: skip
"""Where the store fails, so that the turn goes on from what is on disk, as after the end of the process."""


def crashing(points: str) -> Shape:
    async def make() -> Export:
        calls = [call("double", number=1), call("mail", to="bob"), call("sure"), call("ask_helper", task="x")]
        inner = [call("double", number=2), call("sure")]

        def answer(request):
            last, tools = request.messages[-1], {spec.name for spec in request.tools}
            if last.role == "tool":
                return f"heard {last.text}"
            return calls if "ask_helper" in tools else inner

        profiles = [Profile(delegates=("helper",), tools=("*",)), Profile(name="helper", tools=("double", "sure"))]
        options = {"tools": [*ALL, Sure(True)], "profiles": profiles, "approve": lambda *_: True}
        faults = ";".join(f"{point.partition(':')[0]}:raise=store{point[len(point.partition(':')[0]):]}"
                          for point in points.split("|"))  # fmt: skip
        async with Gitu(model=FunctionModel(answer), **options) as gitu:  # type: ignore[arg-type]
            with armed(faults), suppress(GituError):
                await gitu.send("go", user="u")
            return await export(gitu)

    return make


for _points in CRASHES:
    SHAPES[f"a crash at {_points}"] = crashing(_points)


@shape
async def a_lost_effect_that_is_done_again() -> Export:
    model = ScriptedModel([call("mail", to="bob"), "done"])
    async with Gitu(model=model, tools=ALL) as gitu:
        with armed("call.effect:raise=store"):
            reply = await gitu.send("go", user="u")
        assert reply.status == "waiting"
        await gitu.send([Answer((await gitu.approvals("u"))[0].id, "retry")], user="u")
        return await export(gitu, reply.turn)


@shape
async def a_lost_effect_that_is_left_alone() -> Export:
    tools = [Sure(False)]
    model = ScriptedModel([call("sure"), "done"])
    async with Gitu(model=model, tools=tools) as gitu:
        with armed("call.effect:raise=store"):
            reply = await gitu.send("go", user="u")
        await gitu.send([Answer((await gitu.approvals("u"))[0].id, "leave")], user="u")
        return await export(gitu, reply.turn)


@shape
async def given_up() -> Export:
    model = FunctionModel(lambda request: call("mail", to="bob"))
    async with Gitu(model=model, tools=ALL) as gitu:
        with armed("model.after:raise=store:*"), suppress(GituError):
            await gitu.send("go", user="u")
        return await export(gitu)


@shape
async def a_process_that_was_closed_inside_of_a_delegate() -> Export:
    script = [[call("ask_helper", task="x"), call("double", number=1)], call("hangs")]
    grace, wiring.GRACE = wiring.GRACE, 0.05
    try:
        gitu = Gitu(model=ScriptedModel(script), tools=ALL, profiles=HELPED)
        async with anyio.create_task_group() as group, gitu:
            group.start_soon(sent, gitu)
            await anyio.sleep(0.3)
    finally:
        wiring.GRACE = grace
    async with Gitu(model=FunctionModel(lambda request: "done"), tools=ALL, profiles=HELPED) as gitu:
        await sent(gitu)
        return await export(gitu)


async def sent(gitu: Gitu) -> None:
    with suppress(GituError):
        await gitu.send("go", user="u", key="k")
