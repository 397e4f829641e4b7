"""Profiles are agents by name; one that is named as a delegate is called like a tool."""

import anyio

from gitu_core import Gitu, Limits, Profile
from gitu_core.testing import ScriptedModel, call

EDITOR = Profile(instructions="You plan.", tools=(), delegates=("writer",), limits=Limits(steps=4))
WRITER = Profile(name="writer", description="Writes short texts.", instructions="You write.", tools=())


async def main() -> None:
    model = ScriptedModel([call("ask_writer", task="a line about rain"), "Rain again.", "Here it is: Rain again."])
    async with Gitu(model=model, profiles=[EDITOR, WRITER]) as gitu:
        print((await gitu.send("A line about rain, please", user="u1")).text)
    for request in model.requests:
        print(request.messages[0].text, [tool.name for tool in request.tools])


anyio.run(main)
