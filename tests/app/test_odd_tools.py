"""Whatever a tool does, the turn goes on and the session stays usable."""

from __future__ import annotations

import anyio
import pytest

from gitu_core import Gitu, tool
from gitu_core.testing import ScriptedModel, call

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), TimeoutError("mine"), RecursionError()])
@pytest.mark.parametrize("threaded", [True, False])
async def test_whatever_a_tool_raises_stays_in_its_result(error, threaded):
    if threaded:

        @tool
        def odd() -> str:
            """Raises."""
            raise error
    else:

        @tool
        async def odd() -> str:
            """Raises."""
            raise error

    model = ScriptedModel([call("odd"), lambda request: request.messages[-1].text, "still here"])
    async with Gitu(model=model, tools=[odd]) as gitu:
        assert type(error).__name__ in (await gitu.send("go", user="u")).text
        assert (await gitu.send("go", user="u")).text == "still here"


async def test_a_tool_that_makes_up_a_cancellation_cancels_nothing():
    import asyncio

    @tool
    async def odd() -> str:
        """Raises."""
        raise asyncio.CancelledError

    model = ScriptedModel([call("odd"), lambda request: request.messages[-1].text])
    async with Gitu(model=model, tools=[odd]) as gitu:
        assert "CancelledError" in (await gitu.send("go", user="u")).text


async def test_a_function_that_hangs_is_left_behind_at_its_time_limit():
    import time

    @tool(timeout=0.05)
    def hang() -> str:
        """Hangs."""
        time.sleep(1)
        return "late"

    model = ScriptedModel([call("hang"), lambda request: request.messages[-1].text])
    async with Gitu(model=model, tools=[hang]) as gitu:
        with anyio.fail_after(0.9):
            assert "longer than" in (await gitu.send("go", user="u")).text


@pytest.mark.parametrize("value", [float("nan"), b"bytes", {1, 2}, object(), {"a": {1: "x"}}, ["x"] * 60_000])
async def test_whatever_a_tool_returns_the_turn_goes_on(value):
    @tool
    def odd():
        """Returns something."""
        return value

    model = ScriptedModel([call("odd"), "still here"])
    async with Gitu(model=model, tools=[odd]) as gitu:
        assert (await gitu.send("go", user="u")).text == "still here"
