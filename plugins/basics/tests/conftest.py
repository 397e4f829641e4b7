"""A host that keeps what the tools store, and a way to call a tool by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from gitu_basics.tools import make_tools
from gitu_core import Label, ToolCall, ToolResult
from gitu_core.contracts import CallInfo, Entry

NOW = 1_795_323_900.0
"""22 November 2026, 05:05 UTC."""

Run = Callable[..., Awaitable[ToolResult]]


class Shelf:
    """The facet ``kv``."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def get(self, key: str) -> Entry | None:
        """The entry, or None."""
        return self.entries.get(key)

    async def put(self, entry: Entry) -> None:
        """Stores an entry."""
        self.entries[entry.key] = entry

    async def delete(self, key: str) -> bool:
        """Removes an entry."""
        return self.entries.pop(key, None) is not None

    async def list(self, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """The entries whose key begins with *prefix*."""
        found = [self.entries[key] for key in sorted(self.entries) if key.startswith(prefix)]
        return [each for each in found if person in ("", each.person)]


class HostHere:
    """The facets that the plugin declares."""

    def __init__(self, **config: Any) -> None:
        self.plugin = "basics"
        self.config = config
        self.kv = Shelf()


def host_here(**config: Any) -> Any:
    """A host with the settings *config*; the tools take it for a real one."""
    return HostHere(**config)


class Call:
    """A running call."""

    deps = None

    def __init__(self, info: CallInfo) -> None:
        self.info = info

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Nobody watches."""


@pytest.fixture
def anyio_backend() -> str:
    """One event loop is enough here."""
    return "asyncio"


@pytest.fixture
def host() -> Any:
    """A host without anything stored."""
    return host_here()


@pytest.fixture
def run(host: Any) -> Run:
    """Calls a tool: ``await run("clock", place="Tokyo")``; keywords ending in ``_`` describe the call."""
    tools = {each.spec.name: each for each in make_tools(host, lambda: NOW)}
    count = 0

    async def call(
        name: str,
        *,
        person_: str = "ana",
        key_: str = "",
        label_: Label | None = None,
        verify_: bool = False,
        **arguments: Any,
    ) -> ToolResult:
        nonlocal count
        count += 1
        info = CallInfo(
            call=str(count),
            key=key_ or str(count),
            principal=f"user:{person_}" if person_ else "system",
            label=label_ or Label(),
        )
        work = tools[name].verify if verify_ else tools[name].run
        return await work(ToolCall(id=info.call, tool=name, arguments=arguments), Call(info))

    return call
