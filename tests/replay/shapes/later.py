"""Long sessions, and crashes."""

from __future__ import annotations

from contextlib import suppress

import anyio

from gitu_core import Gitu, Profile, wiring
from gitu_core.errors import GituError
from gitu_core.model import Answer, ModelInfo
from gitu_core.model.steps import Resumed
from gitu_core.testing import FunctionModel, ScriptedModel, armed, call, export
from gitu_core.testing.replay.file import Export
from gitu_core.turns import ATTEMPTS
from tests.replay.shapes.around import ALL, HELPED, SHAPES, Shape, Sure, double, limited, shape

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
async def a_delegate_that_one_crash_kept_from_beginning_and_another_one_cut_off() -> Export:
    def answer(request):
        asks = "ask_helper" in {spec.name for spec in request.tools} and request.messages[-1].role == "user"
        return call("ask_helper", task="x") if asks else "done"

    async with Gitu(model=FunctionModel(answer), tools=ALL, profiles=HELPED) as gitu:
        with armed("call.dispatch:raise=store;model.after:raise=store:2"):
            reply = await gitu.send("go", user="u")
        assert reply.text == "done"
        found = await export(gitu)
    (turn,) = found.turns
    cut = [sum(isinstance(each.step, Resumed) for each in steps) for steps in (turn.steps, turn.inner[0].steps)]
    assert cut == [2, 1]
    return found


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
    hangs = FunctionModel(lambda request: anyio.sleep_forever())  # type: ignore[arg-type, return-value]
    for _ in range(ATTEMPTS + 1):
        await closed_in_the_middle(Gitu(model=hangs, tools=ALL))
    async with Gitu(model=FunctionModel(lambda request: "done"), tools=ALL) as gitu:
        await sent(gitu)
        return await export(gitu)


@shape
async def a_process_that_was_closed_inside_of_a_delegate() -> Export:
    script = [[call("ask_helper", task="x"), call("double", number=1)], call("hangs")]
    await closed_in_the_middle(Gitu(model=ScriptedModel(script), tools=ALL, profiles=HELPED))
    async with Gitu(model=FunctionModel(lambda request: "done"), tools=ALL, profiles=HELPED) as gitu:
        await sent(gitu)
        return await export(gitu)


async def closed_in_the_middle(gitu: Gitu) -> None:
    """A run that is closed while its turn hangs, and does not wait for it."""
    grace, wiring.GRACE = wiring.GRACE, 0.05
    try:
        async with anyio.create_task_group() as group, gitu:
            group.start_soon(sent, gitu)
            await anyio.sleep(0.3)
    finally:
        wiring.GRACE = grace


async def sent(gitu: Gitu) -> None:
    with suppress(GituError):
        await gitu.send("go", user="u", key="k")
