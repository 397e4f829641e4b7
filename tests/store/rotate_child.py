"""A process of its own for the tests: ``rotate_child.py URL HOME master|people`` replaces keys, and dies where
``GITU_FAILPOINT`` says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gitu_core.store import Store
from gitu_core.testing.faults import from_environment


async def main(url: str, home: str, what: str) -> None:
    """Replaces the master key, or those of people."""
    async with Store(url, home=Path(home)) as store:
        from_environment()
        await (store.rotate_master() if what == "master" else store.renew_keys())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
