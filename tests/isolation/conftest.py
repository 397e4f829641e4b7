"""Assistants with a plugin that nobody trusts, and one of the embedder's own beside it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gitu_core import Gitu, tool
from gitu_core.config import Settings
from gitu_core.registry import PluginStatus
from gitu_core.registry.fence import Fence
from gitu_core.testing import FunctionModel, call
from tests.registry.conftest import Site, anyio_backend, make, reports, tool_manifest

__all__ = ["anyio_backend", "make", "reports"]

ALL_WALLS = ("memory", "capabilities", "Landlock", "seccomp")
"""What a fence is made of where the platform has everything."""


def walls_here() -> tuple[str, ...]:
    """The walls that stand on this machine, found out in a process of its own."""
    import subprocess

    code = "import sys; from gitu_core.registry.fence import Fence, apply; print('\\n'.join(apply(Fence())))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return tuple(done.stdout.splitlines())


WALLS = walls_here()
LACKING = [each for each in ALL_WALLS if not any(each in wall for wall in WALLS)]

fenced = pytest.mark.skipif(
    bool(LACKING), reason=f"not tested: this system has no {', '.join(LACKING)}; run it on Linux 5.13 or newer"
)
"""For what only the whole fence stops: reported as not tested where a wall is missing, never as passed."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A folder of installed distributions that this process finds."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    return site


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def model(request: Any) -> Any:
    """Calls the tool that the message names, then says what came of it; sums are done by the embedder's own tool."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"done: {str(last)[:300]}"
    text = last.text
    return call("add", a=2, b=3) if text == "2+3" else call(text)


class House:
    """An open assistant with plugins that are enabled and not trusted."""

    def __init__(self, gitu: Gitu) -> None:
        self.gitu = gitu

    async def ask(self, tool: str, user: str = "ana") -> Any:
        """Has the model call a tool; gives the reply."""
        return await self.gitu.send(tool, user=user)

    async def sum(self) -> str:
        """What somebody else asks meanwhile: ``5`` is in the answer."""
        reply = await self.gitu.send("2+3", user="bo")
        return str(reply.results[0].content)

    def status(self, id: str) -> PluginStatus:
        """How a plugin is."""
        return next(each for each in self.gitu.house.registry.plugins() if each.id == id)

    def worker(self, id: str) -> Any:
        """The worker of an isolated plugin."""
        active = self.gitu.house.registry._record(id).active
        assert active is not None
        return active.apart


Open = Callable[..., Any]


@pytest.fixture
def opened(home: Path) -> Open:
    """Opens an assistant with these plugins enabled; *sections* are theirs in ``gitu.toml``."""

    @asynccontextmanager
    async def house(*ids: str, **sections: dict[str, Any]) -> AsyncIterator[House]:
        plugins = {id: {"enabled": True, **sections.get(id, {})} for id in ids}
        settings = Settings(home=str(home), plugins=plugins)
        async with Gitu(model=FunctionModel(model), tools=[add], config=settings) as gitu:
            yield House(gitu)

    return house


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Gitu's folder."""
    return tmp_path / "home"


def plugin(site: Site, id: str, body: str, more: str = "", name: str = "") -> None:
    """Installs a plugin with one asynchronous tool: *body* is its code, *more* the end of its manifest."""
    name = name or id.replace("-", "_")
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    code = (
        "from gitu_core import tool\nimport asyncio, os, socket, sys, time\n"
        f'def gitu_tools(host):\n    @tool\n    async def {name}() -> str:\n        "Says {name}."\n{lines}\n'
        f"    return [{name}]\n"
    )
    site.install(id, code, tool_manifest(name) + more)


def fence(**more: Any) -> Fence:
    """A fence for tests."""
    return Fence(**more)
