"""Keeps what plugins print while they come to life off standard output, which belongs to the program's own answers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

_put_aside: ContextVar[bool] = ContextVar("gitu_put_aside", default=False)


class _Stream:
    """Stands for `sys.stdout`: the error stream to whoever is put aside, standard output as it was to all others.

    A plugin may keep it, as log handlers do; what it prints later goes where it always would.
    """

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr((_put_aside.get() and sys.stderr) or self.real, name)


_lock = threading.Lock()
_inside = 0


@contextmanager
def aside() -> Iterator[None]:
    """Inside, this task, and the threads and tasks that it starts with its context, print to the error stream.

    Other tasks and threads print where they always do: the first who comes exchanges `sys.stdout`, the last who leaves
    puts it back.
    """
    global _inside
    token = _put_aside.set(True)
    with _lock:
        _inside += 1
        # None in a process without a console: then nobody prints.
        if sys.stdout is not None and not isinstance(sys.stdout, _Stream):
            sys.stdout = cast(Any, _Stream(sys.stdout))
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            # Left alone where somebody else put a stream of their own there meanwhile.
            found: Any = sys.stdout
            if not _inside and isinstance(found, _Stream):
                sys.stdout = found.real
        _put_aside.reset(token)
