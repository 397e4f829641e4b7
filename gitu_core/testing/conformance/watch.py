"""What must not happen on the side: words in logs, files and connections, tasks that are left."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio

_IO = ("open", "socket.", "subprocess.", "os.system", "os.posix_spawn", "sqlite3.connect", "urllib.", "http.client.")
GONE = 1.0
"""Seconds within which what was ended has to be gone."""

_noted: list[str] | None = None
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _noted is None or not event.startswith(_IO):
        return
    if event == "open" and str(arguments[0]).endswith((".py", ".pyc")):  # an import is no I/O of whoever imports
        return
    _noted.append(f"{event} {arguments[0] if arguments else ''}"[:200])


@contextmanager
def io() -> Iterator[list[str]]:
    """Notes every file that is opened, every socket and every process."""
    global _noted, _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    before, _noted = _noted, []
    try:
        yield _noted
    finally:
        _noted = before


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.said: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps all that a record says, what is only attached to it included."""
        self.said.append(f"{self.format(record)} {vars(record)}")


@contextmanager
def logs() -> Iterator[list[str]]:
    """Every log record, of any level, as text."""
    root, kept = logging.getLogger(), _Kept()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    try:
        yield kept.said
    finally:
        root.removeHandler(kept)
        root.setLevel(level)


def words_of(error: BaseException) -> str:
    """All that an error says, its causes and what it carries included."""
    words: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        words.append(f"{cause!r} {cause} {vars(cause)}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(words)


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fails if tasks run or file descriptors are open afterwards that were not before."""
    tasks, files = _tasks(), _files()
    yield
    for pause in (GONE / 5, GONE):
        with anyio.move_on_after(pause):
            while (_tasks() - tasks) or _files() > files:  # noqa: ASYNC110 - nobody tells when a task is gone
                await anyio.sleep(0.005)
            return
        gc.collect()  # what only hangs in a circle of references is not left open
    left = [str(task) for task in anyio.get_running_tasks() if task.id in _tasks() - tasks]
    assert not left, f"tasks are left: {left}"
    assert _files() <= files, f"{_files() - files} files or connections are left open"


def _tasks() -> set[int]:
    return {task.id for task in anyio.get_running_tasks()}


def _files() -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:  # this platform does not say
        return 0
