"""A plugin in a process of its own, seen from inside that process: ``python -c BOOT TASK``.

The worker needs msgspec, anyio and what of pydantic the plugin uses: neither pluggy nor stevedore nor a database. It
fences itself in before the first line of the plugin runs, and ends with the connection.
"""

from __future__ import annotations

import inspect
import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio

from gitu_core.border.peer import Peer
from gitu_core.border.sockets import open_socket
from gitu_core.contracts.base import SEAMS
from gitu_core.errors import LoadError
from gitu_core.hookspecs import HOOKS
from gitu_core.isolation import blamed, in_thread
from gitu_core.registry.describe import call_lifecycle, hand_over, summarise
from gitu_core.registry.fence import apply
from gitu_core.registry.hooks import Implementation, arguments_of, implementations
from gitu_core.registry.objects import as_plugin, name_of
from gitu_core.registry.sentry import Sentry
from gitu_core.registry.treaty import GRACE, Desk, Guest, Loaded, Task


class Worker:
    """Fulfils `Guest`. *desk* gives the host's desk once the two have met."""

    def __init__(self, desk: Callable[[], Any]) -> None:
        self._desk = desk
        self._objects: dict[tuple[str, str], Any] = {}
        self._hooks: dict[str, Implementation] = {}
        for seam in SEAMS:
            if hasattr(Guest, seam):
                setattr(self, seam, partial(self._object, seam))

    async def load(self, task: Task) -> Loaded:
        """Fences the process in, then loads the plugin."""
        desk = self._desk()
        walls = () if task.debug else apply(task.fence)
        if not task.debug:
            Sentry(task.manifest, task.fence, desk)
        module = task.value.partition(":")[0]
        late = f"see what it does when it is imported: python -c 'import {module}'"
        with blamed(LoadError, "its import ", f"try: python -c 'import {module}'", late, plugin=task.manifest.id):
            plugin = await in_thread(lambda: _named(task.name, task.value), task.seconds, "gitu-import")
        hint = "see the plugin's code"
        with blamed(LoadError, "what it contributes cannot be used: it ", hint, plugin=task.manifest.id):
            self._hooks = implementations(plugin, task.manifest.id)
            objects = await hand_over(self._hooks, desk.host)
        self._objects = {(seam, name_of(seam, each)): each for seam, found in objects.items() for each in found}
        self._host = desk.host
        return Loaded(summarise(task.manifest, self._hooks, objects), walls)

    async def ping(self) -> None:
        """Answers as soon as the event loop runs."""

    async def hooks(self) -> Worker:
        """The plugin's hooks: this object has a method for each."""
        return self

    async def _object(self, seam: str, name: str) -> Any:
        if (seam, name) not in self._objects:
            raise LoadError(f"the plugin has no {seam} {name!r}", hint="run: gitu manifest --write")
        return self._objects[seam, name]

    def __getattr__(self, name: str) -> Any:
        if name in HOOKS:
            return partial(self._call, name)
        raise AttributeError(name)

    async def _call(self, hook: str, **arguments: Any) -> Any:
        each = self._hooks[hook]
        arguments = {name: arguments.get(name) for name in arguments_of(hook)} | {"host": self._host}
        if each.meta.mode == "lifecycle":
            return await call_lifecycle(each, arguments)
        given = [arguments[name] for name in each.arguments]
        if each.thread and not each.awaits:
            return await in_thread(partial(each.function, *given), each.timeout, f"gitu-{hook}")
        value = each.function(*given)
        return await value if inspect.isawaitable(value) else value


def _named(name: str, value: str) -> Any:
    """What an entry point names, as a plugin object."""
    module, _, attributes = value.partition(":")
    __import__(module)
    found: Any = sys.modules[module]
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return as_plugin(found, name)


async def serve(number: int) -> None:
    """Serves the host at the other end of a socket, until that ends."""
    transport = await open_socket(socket.socket(fileno=number))
    peer: Peer
    worker = Worker(lambda: peer.remote(Desk))
    async with Peer(transport, offer=worker, protocol=Guest, grace=GRACE) as peer:
        await peer.closed.wait()


def main(number: int) -> None:
    """The worker's whole life. What the plugin prints goes to the error stream, which the host reads."""
    sys.stdout = sys.stderr
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    anyio.run(serve, number)
    os._exit(0)  # no thread and no exit handler of a plugin goes on
