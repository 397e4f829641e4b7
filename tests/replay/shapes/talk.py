"""Answers, tools, yes and no, structured output."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress

import anyio
import msgspec

from gitu_core import Gitu, Limits, Profile
from gitu_core.errors import GituError
from gitu_core.model import Answer, CallDelta, Finish, ToolCall, ToolResult, ToolSpec, Usage
from gitu_core.testing import RecordingAdapter, ScriptedModel, call, export
from gitu_core.testing.replay.file import Export
from tests.replay.shapes.around import ALL, answered, shape, told

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
async def on(adapter: RecordingAdapter, model: object, *tools: object, **options: object):
    """An assistant on one channel."""

    class Plugin:
        def gitu_adapters(self):
            return [adapter]

    gitu = Gitu(model=model, tools=[*ALL, *tools], plugins=[Plugin()], use=["*"], **options)  # type: ignore[arg-type]
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


class _Carrier:
    spec = ToolSpec("carrier", "Carries out what messages bring.", hidden=True)

    async def run(self, call: ToolCall, context: object) -> ToolResult:
        """Does it."""
        return ToolResult(content=call.tool)

    async def verify(self, call: ToolCall, context: object) -> ToolResult:
        """Knows nothing."""
        return ToolResult("unknown")


@shape
async def tools_that_the_message_brought() -> Export:
    adapter, spec = RecordingAdapter(), ToolSpec("test__open", "Opens.", effects=("execute",), by="carrier")
    model = ScriptedModel([call("test__open", what=1), "done"])
    async with on(adapter, model, _Carrier()) as gitu:
        await adapter.talk("go", tools=(spec,))
        return await export(gitu)
