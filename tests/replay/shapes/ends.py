"""Models that fail, limits, what is stopped."""

from __future__ import annotations

from contextlib import suppress

import anyio

from gitu_core import Gitu, Limits, Profile
from gitu_core.errors import AuthFailed, GituError, NotReady, StreamBroken
from gitu_core.model import Finish, ModelInfo, TextDelta, Usage
from gitu_core.testing import FunctionModel, ScriptedModel, call, export
from gitu_core.testing.replay.file import Export
from tests.app.around import until
from tests.replay.shapes.around import ALL, HELPED, PRICED, limited, shape, told

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
