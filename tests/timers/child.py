"""A process of its own for the tests: ``child.py URL HOME POINT`` sets a timer, works on it, and dies at that point."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from gitu_core import failpoints
from gitu_core.clock import SystemClock
from gitu_core.store import Store
from tests.timers.around import Plugins, running, timer


async def main(url: str, home: str, point: str) -> None:
    """Ends with status 9 at *point*."""
    store = Store(url, home=Path(home))
    await store.open()
    await store.join("child")
    await store.put_timer(timer("tea", time.time()))
    failpoints.armed = lambda name: os._exit(9) if name == point else None
    async with running(store, Plugins(), SystemClock()):
        await asyncio.sleep(30)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
