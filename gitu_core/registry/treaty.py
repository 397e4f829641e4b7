"""What a host and the worker of an isolated plugin offer each other."""

from __future__ import annotations

import inspect
from typing import Any, Protocol

from gitu_core.contracts import Adapter, Command, Host, MemoryStore, Page, RuleAction, Tool
from gitu_core.contracts.provider import Embedder, ModelProvider, ModelRouter
from gitu_core.hookspecs import HOOKS
from gitu_core.manifest import Manifest
from gitu_core.model import Value
from gitu_core.registry.fence import Fence

GRACE = 2.0
"""Seconds that cancelled work gets to end, on either side."""

RUNTIME = ("gitu_core", "msgspec", "anyio", "idna", "sniffio", "typing_extensions", "pydantic", "pydantic_core",
           "annotated_types", "typing_inspection", "docstring_parser", "jsonschema", "referencing", "rpds", "attr",
           "attrs", "jsonschema_specifications")  # fmt: skip
"""What a worker has from its host. Everything else comes from the plugin's own environment."""

BOOT = """
import json, sys
task = json.loads(sys.argv[1])
sys.path[:] = [each for each in sys.path if each] + task["path"]
from importlib.machinery import PathFinder
specs = {name: PathFinder.find_spec(name, task["runtime"]) for name in task["names"]}
class Runtime: find_spec = staticmethod(lambda name, path=None, target=None: specs.get(name) if path is None else None)
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
