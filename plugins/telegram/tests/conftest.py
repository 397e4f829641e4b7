"""One fake server a test; nothing that was asked of it may have been wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .fake import Fake


@pytest.fixture
def anyio_backend() -> str:
    """The library runs on asyncio."""
    return "asyncio"


@pytest.fixture
def fake() -> Iterator[Fake]:
    """The server."""
    server = Fake()
    yield server
    server.close()
    assert server.complaints == []
