"""Writes a folder of the corpus: ``python -m tests.store.corpus_make REVISION``."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys

from gitu_core.store import Store
from tests.store.test_backup import CORPUS, filled


async def main(revision: str) -> None:
    """Fills a new database and packs it."""
    home = CORPUS / revision
    async with Store(home=home) as store:
        await filled(store, large=b"")
    with contextlib.closing(sqlite3.connect(home / "gitu.db", isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 512", "VACUUM"):
            connection.execute(statement)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
