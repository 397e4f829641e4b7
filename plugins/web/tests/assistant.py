"""A whole assistant on the channel, in a process of its own: ``python -m plugins.web.tests.assistant PORT HOME``. Its
model counts slowly, so that there is time to end it in the middle."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

from gitu_core import Gitu
from gitu_core.contracts import Host, ModelEvent, ModelRequest
from gitu_core.testing import FunctionModel, call
from gitu_web.adapter import WebAdapter
from gitu_web.functions import Carrier

from .around import Known

WORDS = " ".join(map(str, range(20)))
"""What it answers."""


class Slow(FunctionModel):
    """Counts, and takes a second for that."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer, piece by piece."""
        async for event in super().stream(request):
            yield event
            await asyncio.sleep(0.1)


class On:
    """A plugin that offers the channel."""

    def __init__(self, port: int) -> None:
        self._port = port

    def gitu_adapters(self, host: Host) -> list[WebAdapter]:
        """The channel, on the store of the assistant."""
        around = SimpleNamespace(
            plugin="web", config={"port": self._port}, kv=host.kv, blobs=host.blobs, admin=host.admin
        )
        return [WebAdapter(cast(Host, around), Known())]

    def gitu_tools(self, host: Host) -> list[Carrier]:
        """What carries out the functions of programs."""
        return [Carrier(host)]


def answer(request: ModelRequest) -> Any:
    """Calls a function where it is asked to; counts else."""
    text = request.messages[-1].text
    return call("web__send", to="bob") if text.startswith("call") else f"{text}: {WORDS}"


async def main(port: int, home: str) -> None:
    """Serves until it is ended."""
    model: Any = Slow(answer)
    async with Gitu(model=model, plugins=[On(port)], use=["*"], home=home, config=f"{home}/gitu.toml") as gitu:
        await gitu.serve("web")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
