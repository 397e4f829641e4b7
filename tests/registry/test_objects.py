"""An entry point, or an embedder, may name a plugin in many forms."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from gitu_core import tool
from gitu_core.contracts import CommandSpec
from gitu_core.errors import LoadError
from gitu_core.model import ActionSpec, ToolResult
from gitu_core.registry.describe import RecordingHost, describe
from gitu_core.registry.objects import as_plugin
from tests.registry.conftest import TOOL, Make, Site, status

pytestmark = pytest.mark.anyio


@tool
def hello() -> str:
    """Says hello."""
    return "hello"


def plain() -> str:
    """Is plain."""
    return "plain"


def gitu_tools(host: Any) -> list[Any]:
    """A hook function on its own."""
    return [hello, plain]


class Plugin:
    """A plugin as a class, with every kind of method."""

    @staticmethod
    def gitu_tools(host: Any) -> tuple[Any, ...]:
        """Tools."""
        return (hello,)

    @classmethod
    def gitu_start(cls, host: Any) -> None:
        """Starts."""

    def gitu_stop(self) -> None:
        """Stops."""


class Memory:
    """A store that keeps nothing."""

    name = "nothing"

    async def _nothing(self, *args: Any) -> tuple[()]:
        return ()

    put = get = search = delete = export = _nothing


class Work:
    """Something with a spec that can be run."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec

    async def run(self, *args: Any) -> ToolResult:
        """Runs."""
        return ToolResult()

    verify = run


class Needy:
    """A plugin class that wants an argument."""

    def __init__(self, need: str) -> None:
        self.need = need


FORMS: list[tuple[Any, list[str]]] = [
    (hello, ["tool:hello"]),
    (plain, ["tool:plain"]),
    ([hello, plain], ["tool:hello", "tool:plain"]),
    ((hello, Memory()), ["tool:hello", "memory:nothing"]),
    (gitu_tools, ["tool:hello", "tool:plain"]),
    (Plugin, ["tool:hello"]),
    (Plugin(), ["tool:hello"]),
    (Memory, ["memory:nothing"]),
    (Work(ActionSpec(name="act", description="Acts.")), ["action:act"]),
    (Work(CommandSpec(name="do", description="Does.")), ["command:do"]),
    ([], []),
]


@pytest.mark.parametrize(("value", "contributions"), FORMS)
async def test_every_form_becomes_a_plugin(value: Any, contributions: list[str]) -> None:
    """Functions, tools, lists, hook functions, classes, instances, objects that fulfil a contract."""
    manifest = await describe(as_plugin(value, "x"), RecordingHost("x"))
    assert [f"{each.seam}:{each.name}" for each in manifest.contributes] == contributions


@pytest.mark.parametrize(("value", "contributions"), FORMS)
async def test_every_form_serves_an_embedder(make: Make, value: Any, contributions: list[str]) -> None:
    """Handed over as it is, it can be reached by seam and name."""
    registry = make(local=[("x", value)])
    await registry.start()
    assert list(status(registry, "x").contributions) == contributions
    for each in contributions:
        assert await registry.get(*each.split(":"))
    await registry.stop()


async def test_a_class_that_wants_arguments_is_no_plugin() -> None:
    """The host would not know what to pass."""
    with pytest.raises(LoadError, match="constructor without arguments"):
        as_plugin(Needy, "x")


async def test_hooks_of_a_class_are_all_called(make: Make) -> None:
    """Methods, class methods and static methods."""
    registry = make(local=[("x", Plugin)])
    await registry.start()
    assert set(status(registry, "x").hooks) == {"gitu_tools", "gitu_start", "gitu_stop"}
    await registry.stop()


async def test_a_module_contributes_its_own_tools_only(site: Site, make: Make) -> None:
    """Tools that it imported from elsewhere belong to others."""
    site.install("lib", TOOL.format(name="nod"), None)
    site.install("mine", "from x_lib import nod\n" + TOOL.format(name="wave"), None)
    registry = make(enabled=lambda id, manifest: id == "mine")
    assert status(registry, "mine").contributions == ("tool:wave",)
    sys.path.append(str(site.folder))
    assert (await registry.get("tool", "wave")).function() == "wave"
