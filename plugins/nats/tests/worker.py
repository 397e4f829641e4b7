"""A worker in a process of its own: ``python worker.py '{"servers": [...], "seconds": 0.01}'``.

Prints ``up`` when it is connected, then ``began LANE`` and ``done LANE``. Ends, and closes, when its input ends.
"""

from __future__ import annotations

import json
import logging
import sys
from types import SimpleNamespace

import anyio
import anyio.to_thread

from gitu_core.errors import AuthFailed
from gitu_nats.dispatcher import NatsDispatcher


class NoSecrets:
    """Nothing is set."""

    async def reveal(self, name: str) -> str:
        """Never."""
        raise AuthFailed(f"{name} is not set")


async def main(config: dict[str, object]) -> None:
    """Runs until the input ends."""
    seconds = float(str(config.pop("seconds", 0)))
    dispatcher = NatsDispatcher(SimpleNamespace(config=config, secrets=NoSecrets()))  # type: ignore[arg-type]

    async def handle(lane: str) -> None:
        print("began", lane, flush=True)
        await anyio.sleep(seconds)
        print("done", lane, flush=True)

    async with anyio.create_task_group() as group:
        group.start_soon(dispatcher.run, handle)
        while (await dispatcher.health()).state != "ok":  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.01)
        print("up", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)
        await dispatcher.close(5)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    anyio.run(main, json.loads(sys.argv[1]))
