"""An assistant on the web channel, in a process of its own: ``python -m tests.benchmarks.web_server PORT FOLDER``.

The model answers at once with what was said; whoever shows a token is the person of that name.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

from gitu_core import Gitu
from gitu_core.config import ChannelRules, Profile, Settings
from gitu_core.contracts import Host, ModelEvent, ModelRequest
from gitu_core.errors import AuthFailed
from gitu_core.testing import FunctionModel
from gitu_web.adapter import WebAdapter
from gitu_web.visitor import Scope, Visitor

ACCESS = Settings(channels={"web": ChannelRules(access="open")})


class Echo(FunctionModel):
    """Says what was said."""

    def __init__(self) -> None:
        super().__init__(lambda request: request.messages[-1].text, chunk=1_000)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer; what was asked is not kept."""
        async for event in super().stream(request):
            yield event
        self.requests.clear()


class Anybody:
    """A guard without locks."""

    async def visitor(self, connection: Any, scope: Scope = "chat") -> Visitor:
        """Whoever it is."""
        person = connection.headers.get("authorization", "").removeprefix("Bearer ")
        if not person:
            raise AuthFailed("there is no token")
        return Visitor(person, f"{person}-device", person, "app")

    async def maybe(self, connection: Any) -> Visitor | None:
        """The same."""
        return await self.visitor(connection)

    def on_unlink(self, call: Callable[[str], None]) -> None:
        """Nothing is unlinked."""


class On:
    """A plugin that offers the channel."""

    def __init__(self, port: int) -> None:
        self._port = port

    def gitu_adapters(self, host: Host) -> list[WebAdapter]:
        """The channel, on the store of the assistant."""
        config = {"port": self._port, "connections": 100_000}
        around = SimpleNamespace(plugin="web", config=config, kv=host.kv, blobs=host.blobs, admin=host.admin)
        return [WebAdapter(cast(Host, around), Anybody())]


async def main(port: int, folder: str) -> None:
    """Serves until it is ended."""
    profile = Profile(instructions="Answer.", tools=(), exact=True)
    async with Gitu(model=Echo(), plugins=[On(port)], use=[], profiles=[profile], home=folder, config=ACCESS) as gitu:
        await gitu.serve("web")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
