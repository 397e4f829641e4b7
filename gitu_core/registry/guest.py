"""A plugin in a process of its own, seen from inside that process: ``python -c BOOT TASK``.

The worker needs msgspec, anyio and what of pydantic the plugin uses: neither pluggy nor stevedore nor a database. It
fences itself in before the first line of the plugin runs, and ends with the connection.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import anyio

from gitu_core.border.peer import Peer
from gitu_core.border.sockets import open_socket
from gitu_core.contracts import Adapter, Command, Host, MemoryStore, Page, RuleAction, Tool
from gitu_core.contracts.base import SEAMS
from gitu_core.contracts.provider import Embedder, ModelProvider, ModelRouter
from gitu_core.errors import LoadError
from gitu_core.hookspecs import HOOKS
from gitu_core.isolation import blamed, in_thread
from gitu_core.manifest import Manifest
from gitu_core.model import Value
from gitu_core.registry.describe import call_lifecycle, hand_over, summarise
from gitu_core.registry.fence import Fence, apply
from gitu_core.registry.hooks import Implementation, arguments_of, implementations
from gitu_core.registry.objects import as_plugin, name_of

RUNTIME = ("gitu_core", "msgspec", "anyio", "idna", "sniffio", "typing_extensions", "pydantic", "pydantic_core",
           "annotated_types", "typing_inspection", "docstring_parser", "jsonschema", "referencing", "rpds", "attr",
           "attrs", "jsonschema_specifications")  # fmt: skip
"""What a worker has from its host. Everything else comes from the plugin's own environment."""

BOOT = """
import json, sys
task = json.loads(sys.argv[1])
sys.path[:] = [each for each in sys.path if each] + task["path"]
from importlib.machinery import PathFinder
class Runtime:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, task["runtime"]) if path is None and name in task["names"] else None
sys.meta_path.insert(0, Runtime)
import types
sys.modules["ssl"] = None
import asyncio
sys.modules["ssl"] = stub = types.ModuleType("ssl")
stub.__getattr__ = lambda name: type(name, (Exception,), {})
import anyio.abc, anyio._backends._asyncio
del sys.modules["ssl"]
sys.modules["pydantic.plugin._loader"] = types.SimpleNamespace(get_plugins=tuple)
from gitu_core.registry.guest import main
main(task["socket"])
"""
"""What a worker begins with. What carries calls would load the library for TLS, five megabytes that a process without
sockets never needs; a plugin that imports ``ssl`` gets the real one. Nobody installs plugins of pydantic here; looking
for them would load two megabytes."""


class Task(Value, frozen=True):
    """What a worker is to load: an entry point and the manifest that belongs to it, behind a fence."""

    name: str
    value: str
    manifest: Manifest
    fence: Fence
    seconds: float = 20.0
    debug: bool = False


class Loaded(Value, frozen=True):
    """What came of it: the manifest that the code amounts to, and the walls that stand around it."""

    manifest: Manifest
    walls: tuple[str, ...] = ()


class Desk(Protocol):
    """What the host offers to a worker."""

    host: Host

    async def breach(self, what: str) -> None:
        """The plugin tried what its manifest does not declare."""


class Hooks(Protocol):
    """The hooks of a plugin without those that hand over objects: filled in below, from their specifications."""


class Guest(Protocol):
    """What a worker offers to its host."""

    async def load(self, task: Task) -> Loaded:
        """Fences the process in, then loads the plugin. Once."""

    async def ping(self) -> None:
        """Answers as soon as the event loop runs."""

    async def hooks(self) -> Hooks:
        """The plugin's hooks."""

    async def adapter(self, name: str) -> Adapter:
        """The adapter of this name."""

    async def tool(self, name: str) -> Tool:
        """The tool of this name."""

    async def memory(self, name: str) -> MemoryStore:
        """The memory store of this name."""

    async def provider(self, name: str) -> ModelProvider:
        """The provider of this name."""

    async def router(self, name: str) -> ModelRouter:
        """The router of this name."""

    async def embedder(self, name: str) -> Embedder:
        """The embedder of this name."""

    async def action(self, name: str) -> RuleAction:
        """The action of this name."""

    async def page(self, name: str) -> Page:
        """The page of this path."""

    async def command(self, name: str) -> Command:
        """The command of this name."""


def _hook_methods() -> None:
    """Gives `Hooks` one method a hook, so that the border carries it like any other contract."""
    from gitu_core import hookspecs

    for name, meta in HOOKS.items():
        if meta.mode == "provide":
            continue
        source = getattr(hookspecs, name)
        signature = inspect.signature(source, eval_str=True)
        kept = {each.name: each for each in signature.parameters.values() if each.name != "host"}

        async def method(self: Any, *args: Any, **kwargs: Any) -> Any: ...

        me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        method.__name__, method.__doc__ = name, source.__doc__
        method.__signature__ = signature.replace(parameters=[me, *kept.values()])  # type: ignore[attr-defined]
        method.__annotations__ = {each.name: each.annotation for each in kept.values()}
        method.__annotations__["return"] = signature.return_annotation
        setattr(Hooks, name, method)


_hook_methods()


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


MOST_TOLD = 20
"""Breaches that the host is told of; it ends the worker long before."""

GRACE = 2.0
"""Seconds that cancelled work gets to end, on either side."""

# ---- what the plugin tries ---------------------------------------------------------------------------------

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


# ---- the process -------------------------------------------------------------------------------------------


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
