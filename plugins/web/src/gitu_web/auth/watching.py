"""Notices, within a second, what other processes did: the command that unlinks a device, or switches a user off."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gitu_core.errors import GituError

if TYPE_CHECKING:
    from gitu_web.auth.doors import Doors

log = logging.getLogger("gitu.plugins.web")

LOOK, THOROUGH = 1.0, 30.0
"""Seconds between two looks for what was unlinked, and between two at everybody who is connected."""


@asynccontextmanager
async def watching(
    doors: Doors, open: Callable[[], Iterable[str]], out: Callable[[str], None]
) -> AsyncIterator[None]:  # fmt: skip
    """Looks again and again, as long as it is entered; *open* gives the devices that are connected, *out* is told of
    users who are switched off."""
    task = asyncio.ensure_future(_watch(doors, open, out))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _watch(doors: Doors, open: Callable[[], Iterable[str]], out: Callable[[str], None]) -> None:
    last, well = time.monotonic(), True
    while True:
        thorough = time.monotonic() - last > THOROUGH
        try:
            await doors.look(open(), out, thorough)
            well = True
        except GituError as error:  # the store does not answer; requests say so, and it comes back
            if well:
                log.warning("who was unlinked elsewhere cannot be seen: %s", error)
            well = False
        last = time.monotonic() if thorough else last
        await asyncio.sleep(LOOK)
