"""Writes files of the newest format into the corpus: ``python -m tests.replay.corpus_make``.

A file that is there is never written again: it shows that what an older version wrote is still read and run.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import anyio

from gitu_core import Gitu
from gitu_core.model import Answer
from gitu_core.testing import FakeClock, FunctionModel, export
from gitu_core.testing.replay.file import FORMAT, Export, save
from tests.replay.shapes import ALL, HELPED, SHAPES, helper

FOLDER = Path(__file__).parent / "corpus"
KEPT = {
    "filters": "filters",
    "models": "another_model_answers",
    "structured": "structured_after_corrections",
    "stopped": "stopped_in_tools",
    "limit": "too_dear_in_the_end",
    "crashes": "a crash at model.before|model.after:3|call.dispatch:4|turn.end.before",
    "delegate": "a_delegate_that_waits",
}
"""Shapes that have a file, by its name."""


def answer(request):
    """Helps in the first turn, mails what it read in the second."""
    last, tools = request.messages[-1], {spec.name for spec in request.tools}
    if any(message.text.startswith("mail") for message in request.messages) and "ask_helper" in tools:
        from gitu_core.testing import call

        return {"user": call("web"), "tool": call("mail", to="bob") if "outside" in last.text else "done"}[last.role]
    return helper(request)


async def session() -> Export:
    """A session with delegates, several calls at once, and a yes."""
    async with Gitu(model=FunctionModel(answer), tools=ALL, profiles=HELPED, clock=FakeClock()) as gitu:
        await gitu.send("help", user="ana")
        await gitu.send("mail", user="ana")
        await gitu.send([Answer((await gitu.approvals("ana"))[0].id, "yes")], user="ana")
        return await export(gitu, (await gitu.sessions())[0].id)


async def make() -> None:
    """Writes the files that are not there."""
    for name, shape in {"": session, **{f"-{name}": SHAPES[shape] for name, shape in KEPT.items()}}.items():
        path = FOLDER / f"format-{FORMAT}{name}.json"
        if not path.exists():
            with tempfile.TemporaryDirectory() as home:
                os.environ["GITU_HOME"] = home
                save(await shape(), path)


if __name__ == "__main__":
    anyio.run(make)
