"""What a turn had in hand goes when it ends, without Python's collector: with many turns at once that took a tenth."""

from __future__ import annotations

import asyncio
import gc

import pytest

from gitu_core import Gitu, tool
from gitu_core.testing import FunctionModel, call

pytestmark = pytest.mark.anyio


@tool(effects=["write"])
async def note(text: str) -> str:
    """Keeps a note."""
    return "kept"


def uses(request):
    return "done" if request.messages[-1].role == "tool" else call("note", text="milk")


@pytest.mark.parametrize(("model", "tools"), [(lambda request: "hello", []), (uses, [note])], ids=["plain", "tool"])
async def test_a_turn_leaves_no_circles(model, tools):
    async with Gitu(model=FunctionModel(model), tools=tools) as gitu:
        for _ in range(3):  # what is kept for later turns is made
            await gitu.send("hello", user="ana")
        gc.collect()
        gc.disable()
        try:
            await asyncio.gather(*(gitu.send("hello", user="ana", session=f"{n % 2}") for n in range(6)))
            await asyncio.sleep(0.1)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = {type(each).__qualname__ for each in gc.garbage}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert not left & {"Job", "Piece", "Work", "Turn", "TurnState", "Reply", "CancelScope"}, left
