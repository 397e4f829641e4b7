"""Writes the file of the newest format into the corpus: ``python -m tests.replay.corpus_make``.

Done once for each format, with the version that introduces it; files of older formats are never written again.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import anyio

from gitu_core import Gitu
from gitu_core.model import Answer
from gitu_core.testing import FakeClock, FunctionModel, export
from gitu_core.testing.replay.file import FORMAT, save
from tests.replay.shapes import ALL, HELPED, helper


def answer(request):
    """Helps in the first turn, mails what it read in the second."""
    last, tools = request.messages[-1], {spec.name for spec in request.tools}
    if any(message.text.startswith("mail") for message in request.messages) and "ask_helper" in tools:
        from gitu_core.testing import call

        return {"user": call("web"), "tool": call("mail", to="bob") if "outside" in last.text else "done"}[last.role]
    return helper(request)


async def make() -> None:
    """A session with delegates, several calls at once, and a yes."""
    async with Gitu(model=FunctionModel(answer), tools=ALL, profiles=HELPED, clock=FakeClock()) as gitu:
        await gitu.send("help", user="ana")
        await gitu.send("mail", user="ana")
        await gitu.send([Answer((await gitu.approvals("ana"))[0].id, "yes")], user="ana")
        found = await export(gitu, (await gitu.sessions())[0].id)
    save(found, Path(__file__).parent / "corpus" / f"format-{FORMAT}.json")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["GITU_HOME"] = home
        anyio.run(make)
