"""A process of its own for the tests: ``child.py URL HOME NAME COUNT`` accepts messages and says which are
safe."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gitu_core.store import Store
from tests.store.make import inbox, said, step


async def main(url: str, home: str, name: str, count: int) -> None:
    """Writes *count* times; prints a number only when its rows are committed."""
    store = Store(url, home=Path(home))
    await store.open()

    async def one(n: int) -> None:
        await store.accept(inbox(f"{name}-{n}"))
        await store.write(step(n, turn=name), said(n, session=name))
        print(n, flush=True)

    for start in range(0, count, 8):
        await asyncio.gather(*(one(n) for n in range(start, min(start + 8, count))))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
