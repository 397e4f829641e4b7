"""Names what the plugin of this process tries and its fence stops."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from gitu_core.manifest import Manifest
from gitu_core.registry.fence import Fence

MOST_TOLD = 20
"""Breaches that the host is told of; it ends the worker long before."""


_REACHES = {
    "socket.connect": "connected to {1}", "socket.bind": "opened the port {1}", "socket.getaddrinfo": "looked up {0}",
    "socket.gethostbyname": "looked up {0}", "socket.sendto": "sent something to {1}",
}  # fmt: skip
_STARTS = {
    "subprocess.Popen": "started {0}", "os.system": "started {0}", "os.exec": "started {0}", "os.posix_spawn":
    "started {0}", "os.fork": "forked", "os.forkpty": "forked", "os.kill": "sent a signal to process {0}",
    "pty.spawn": "started {0}",
}  # fmt: skip


class Sentry:
    """Refuses in words what the fence would refuse without any, and tells the host what the plugin tried.

    It is no wall: native code does not pass here. It names what stops at the walls.
    """

    def __init__(self, manifest: Manifest, fence: Fence, desk: Any) -> None:
        self._id, self._desk, self._left = manifest.id, desk, MOST_TOLD
        self._loop, self._tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
        self._kinds = {**_REACHES, **({} if fence.programs else _STARTS)}
        self._own = tuple(os.path.join(os.path.realpath(each), "") for each in fence.write)
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in self._kinds:
            what = self._kinds[event].format(*(str(each)[:100] for each in (*arguments, "", "")))
            declare = "network = [...] and use host.http" if event in _REACHES else "subprocess = true"
            self._refuse(what, declare)
        elif event == "open" and _writes(*arguments) and not isinstance(arguments[0], int):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not path.startswith((*self._own, "/dev/")):
                self._refuse(f"wrote to {path[:200]}", "files = [...] and use host.files")

    def _refuse(self, what: str, declare: str) -> None:
        self._left -= 1
        if self._left >= 0:
            self._loop.call_soon_threadsafe(self._tell, what)
        raise PermissionError(f"the plugin {self._id} {what}, which it does not declare; declare {declare}")

    def _tell(self, what: str) -> None:
        task = self._loop.create_task(self._desk.breach(what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _writes(path: Any, mode: str | None, flags: int) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))
