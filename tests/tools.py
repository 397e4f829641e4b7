"""Tools that work, fail, refuse and take too long, for tests of turns."""

from __future__ import annotations

import anyio

from gitu_core import ToolError, tool


@tool
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2


@tool
def broken() -> str:
    """Always fails."""
    raise ZeroDivisionError("secret detail")


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
