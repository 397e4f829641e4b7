"""Servers and dispatchers for the tests; all of them end with the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .around import Crew
from .servers import Node, Servers


@pytest.fixture
def anyio_backend() -> str:
    """The client of NATS runs on asyncio only."""
    return "asyncio"


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    """Starts servers on request."""
    async with Servers(tmp_path / "nats") as found:
        yield found


@pytest.fixture
async def node(servers: Servers) -> Node:
    """One server."""
    return await servers.one()


@pytest.fixture
async def crew(servers: Servers) -> AsyncIterator[Crew]:
    """Dispatchers that run, and what they did. They end before the servers do."""
    async with Crew() as found:
        yield found
