"""The fixture `across`: the same test, once with an object itself and once with what an isolated plugin
sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest

from gitu_core.testing.loopback import loopback

T = TypeVar("T")


class Across:
    """Hands objects over: as they are, or through a loopback of the process border (`far`)."""

    def __init__(self, far: bool, stack: AsyncExitStack) -> None:
        self.far = far
        self._stack = stack

    async def __call__(self, obj: T, protocol: type[Any]) -> T:
        """*obj*, or its remote side through *protocol*; connected until the test ends."""
        if not self.far:
            return obj
        return await self._stack.enter_async_context(loopback(obj, protocol))


@pytest.fixture(params=["direct", "loopback"])
async def across(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Across]:
    """Runs the test twice: with `Across.far` False and True.

    async def test_it(across):
        tool = await across(MyTool(), Tool)
    """
    async with AsyncExitStack() as stack:
        yield Across(request.param == "loopback", stack)
