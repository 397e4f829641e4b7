"""A host that holds what the provider asks for: its configuration, one key and some bytes."""

from __future__ import annotations

from typing import Any

import pytest

from gitu_core.contracts import BlobRef
from gitu_core.errors import AuthFailed

KEY = "sk-test-0123456789"


class KeyRing:
    """The keys that are set, by name or reference."""

    def __init__(self) -> None:
        self.keys = {"OPENAI_API_KEY": KEY, "platform:OPENAI_API_KEY": KEY, "personal:ana:OPENAI_API_KEY": "sk-ana"}

    async def reveal(self, name: str) -> str:
        """The key."""
        if name not in self.keys:
            raise AuthFailed(f"{name} is not set")
        return self.keys[name]


class Shelf:
    """Bytes by digest, read in small pieces."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    async def read(self, blob: BlobRef, offset: int = 0, size: int = 1 << 20) -> bytes:
        """A piece."""
        return self.data[blob.digest][offset : offset + min(size, 5)]


class HostHere:
    """The facets that the plugin declares."""

    def __init__(self, **config: Any) -> None:
        self.plugin = "openai"
        self.config = config
        self.secrets = KeyRing()
        self.blobs = Shelf()


@pytest.fixture
def anyio_backend() -> str:
    """The connections are those of asyncio."""
    return "asyncio"
