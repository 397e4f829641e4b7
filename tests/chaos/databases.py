"""Databases for the cases: a file in the home, or a database of its own on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Self

from tests.store.conftest import drop_database, new_database, server


class Databases:
    """Makes databases. The server runs only where it is needed."""

    def __init__(self, postgres: bool, place: str | None = None) -> None:
        self._postgres, self._place = postgres, place
        self._stack = ExitStack()
        self._server = ""

    def __enter__(self) -> Self:
        if self._postgres:
            self._server = self._stack.enter_context(server(self._place))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @contextmanager
    def one(self, engine: str) -> Iterator[str]:
        """The URL of an empty database; ``""`` for the file in the home."""
        if engine == "sqlite":
            yield ""
            return
        url = new_database(self._server)
        try:
            yield url
        finally:
            drop_database(self._server, url)
