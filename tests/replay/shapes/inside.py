"""Profiles that call each other, and plugins that take part."""

from __future__ import annotations

import msgspec

from gitu_core import Gitu, Limits, Profile, tool
from gitu_core.model import ModelMessage, Text
from gitu_core.testing import FunctionModel, ScriptedModel, call, export
from gitu_core.testing.replay.file import Export
from tests.replay.shapes.around import ALL, HELPED, answered, helper, shape, told

# ---- profiles that call each other --------------------------------------------------------------


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
