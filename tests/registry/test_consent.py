"""Installed is not enabled, nobody borrows an id, and who contributes what is settled the same way every
time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitu_core import tool
from gitu_core.errors import ConfigError, LoadError, PluginError
from gitu_core.registry import Registry
from gitu_core.registry.consent import Consent
from tests.registry.conftest import Make, Site, host_for, status, tool_manifest

pytestmark = pytest.mark.anyio


async def test_installed_is_not_enabled_until_the_operator_says_so(site: Site, make: Make) -> None:
    """The word is kept over restarts, in both directions."""
    site.tool("a", "wave")
    registry = make(enabled=None)
    a = status(registry, "a")
    assert (a.state, a.enabled, a.hint) == ("disabled", False, "to use it, run: gitu plugins enable a")
    assert not registry.offers("tool")
    registry.enable("a")
    assert [offer.contribution.name for offer in registry.offers("tool")] == ["wave"]
    assert status(make(enabled=None), "a").state == "enabled"
    assert await registry.get("tool", "wave")
    registry.disable("a")
    with pytest.raises(LoadError, match="not enabled"):
        await registry.get("tool", "wave")
    assert status(make(enabled=None), "a").state == "disabled"
    registry.enable("a")
    assert await registry.get("tool", "wave")


async def test_the_configuration_has_the_last_word_where_it_speaks(site: Site, make: Make) -> None:
    """None leaves it to the operator and the built-in list."""
    for id in ("a", "b", "c"):
        site.tool(id, f"wave_{id}", name=f"gitu-{id}")
    words = {"a": True, "b": False}
    registry = make(enabled=lambda id, manifest: words.get(id), builtin=frozenset("bc"))
    assert [status(registry, id).enabled for id in "abc"] == [True, False, True]
    registry.enable("b")
    b = status(registry, "b")
    assert (b.state, b.reason) == ("disabled", "switched off in the configuration")
    assert "gitu.toml" in b.hint


async def test_the_id_of_a_built_in_plugin_cannot_be_borrowed(site: Site, make: Make) -> None:
    """It is enabled only for the distribution that is called after it."""
    site.tool("basics", "steal", name="evil")
    registry = make(enabled=None, builtin=frozenset({"basics"}))
    assert "has the id of a built-in plugin, but comes from evil" in status(registry, "basics").reason
    site.tool("basics", "steal", name="evil")
    site.install("other", "", "x = 1", name="gitu-basics")
    (site.folder / "x_other" / "gitu-plugin.toml").write_text('id = "basics"\n' + tool_manifest("clock"))
    found = {each.distribution: each for each in make(enabled=None, builtin=frozenset({"basics"})).plugins()}
    assert (found["gitu-basics"].state, found["evil"].state) == ("enabled", "duplicate")


async def test_inside_are_those_who_are_trusted_and_those_who_came_with_the_bundle(tmp_path: Path, site: Site) -> None:
    """The id of a built-in plugin alone opens nothing."""
    for id, name in (("basics", "gitu-basics"), ("terminal", "evil"), ("mine", "mine"), ("other", "other")):
        site.tool(id, f"{id}_tool", name=name)
    registry = Registry(
        tmp_path / "home", host_for=host_for, path=[str(site.folder)], builtin=frozenset({"basics", "terminal"}),
        trusts=lambda id, distribution: id == "mine",
    )  # fmt: skip
    inside = {id: registry.inside(id) for id in ("basics", "terminal", "mine", "other")}
    assert inside == {"basics": True, "terminal": False, "mine": True, "other": False}


@pytest.mark.parametrize("spelled", ["home", "site/../home", "home/."])
async def test_what_was_installed_from_elsewhere_is_no_part_of_gitu_whatever_it_is_called(
    tmp_path: Path, site: Site, spelled: str
) -> None:
    """It comes from anybody: neither switched on nor trusted for its name."""
    folder = tmp_path / "home/plugins/basics/1.0"
    Site(folder).tool("basics", "steal", name="gitu-basics")
    (folder.parent / "current").write_text("1.0")
    registry = Registry(tmp_path / spelled, host_for=host_for, path=[], builtin=frozenset({"basics"}),
                        trusts=lambda id, distribution: False)  # fmt: skip
    found = status(registry, "basics")
    assert (found.distribution, found.state, found.isolation) == ("gitu-basics", "disabled", "process")


async def test_of_two_plugins_with_one_id_the_enabled_distribution_keeps_it(site: Site, make: Make) -> None:
    """A distribution that arrives later and claims the id gets nothing, whatever its name sorts to."""
    site.tool("a", "wave", name="mine")
    make(enabled=None).enable("a")
    site.install("z", "", tool_manifest("steal"), name="earlier")
    (site.folder / "x_z" / "gitu-plugin.toml").write_text('id = "a"\n' + tool_manifest("steal"))
    registry = make(enabled=None)
    found = {each.distribution: each for each in registry.plugins()}
    assert (found["mine"].state, found["earlier"].state) == ("enabled", "duplicate")
    assert "mine has the id 'a' already" in found["earlier"].reason
    assert found["earlier"].hint
    assert [offer.contribution.name for offer in registry.offers("tool")] == ["wave"]
    consent = Consent(site.folder.parent / "home")
    assert (consent.says("a", "mine"), consent.says("a", "earlier"), consent.says("b", "mine")) == (True, False, None)


async def test_two_plugins_of_one_distribution_with_one_id_are_not_told_to_uninstall_each_other(
    site: Site, make: Make
) -> None:
    """The message names the entry point that has the id; the distribution is the same."""
    site.tool("a", "wave", name="mine")
    site.install("b", "", None)
    (site.folder / "x_b" / "gitu-plugin.toml").write_text('id = "a"\n' + tool_manifest("steal"))
    points = site.folder / "mine-1.0.dist-info" / "entry_points.txt"
    points.write_text("[gitu.plugins]\na = x_a\nb = x_b\n")
    (site.folder / "x_b-1.0.dist-info" / "entry_points.txt").unlink()
    states = {each.state: each for each in make().plugins()}
    assert set(states) == {"enabled", "duplicate"}
    assert states["duplicate"].reason == "the entry point 'a' of the same distribution has the id 'a' already"
    assert "uninstall" not in states["duplicate"].hint


async def test_of_two_tools_with_one_name_the_first_counts_and_the_other_is_told(site: Site, make: Make) -> None:
    """By priority, then id; both can be had by their full name; one that is taken twice by one plugin counts
    once.
    """
    site.tool("b", "wave")
    site.tool("a", "wave")
    registry = make()
    assert [offer.plugin for offer in registry.offers("tool")] == ["a"]
    assert status(registry, "b").notes == ("the tool 'wave' comes from a; this one is reached as 'b:wave'",)
    a, b = await registry.get("tool", "a:wave"), await registry.get("tool", "b:wave")
    assert await registry.get("tool", "wave") is a
    assert a is not b
    registry.disable("a")
    assert [offer.plugin for offer in registry.offers("tool")] == ["b"]
    assert await registry.get("tool", "wave") is b
    (site.folder / "x_a" / "gitu-plugin.toml").write_text('id = "a"\n' + tool_manifest("wave", "wave"))
    (site.folder / "x_b" / "gitu-plugin.toml").write_text('id = "b"\npriority = 5\n' + tool_manifest("wave"))
    registry = make()
    assert [offer.plugin for offer in registry.offers("tool")] == ["b"]
    assert "twice" in status(registry, "a").notes[1]


@tool
def hello() -> str:
    """Says hello."""
    return "hello"


def plain(name: str) -> str:
    """Greets."""
    return name


class Own:
    """An embedder's plugin object."""

    def gitu_tools(self, host: Any) -> list[Any]:
        """A tool."""
        return [hello]


async def test_the_embedders_own_objects_are_enabled_and_offered(site: Site, make: Make) -> None:
    """Tools at once, without activation; plugin objects and classes once started; they come first."""
    site.tool("a", "hello")
    registry = make(local=[("one", hello), ("two", [plain]), ("three", Own)], enabled=lambda id, manifest: True)
    assert [offer.contribution.name for offer in registry.offers("tool")] == ["hello", "plain"]
    assert await registry.get("tool", "hello") is hello
    await registry.start()
    assert await registry.get("tool", "three:hello") is hello
    assert status(registry, "three").source == "local"
    assert status(registry, "a").notes
    with pytest.raises(PluginError, match="belongs to this application"):
        registry.disable("one")
    registry.enable("one")


async def test_an_installed_plugin_cannot_take_the_id_of_an_own_object(site: Site, make: Make) -> None:
    """The application holds it."""
    site.tool("one", "steal")
    registry = make(local=[("one", hello)])
    states = {each.source: each for each in registry.plugins()}
    assert (states["local"].state, states["file"].state) == ("enabled", "duplicate")
    assert "this application has the id" in states["file"].reason
    assert states["file"].hint == "uninstall x-one, or name the application's own plugin differently"
    assert status(registry, "one").source == "local"


@pytest.mark.parametrize("value", [3, object(), [object()], "name"])
async def test_an_own_object_that_is_nothing_is_refused_at_once(make: Make, value: Any) -> None:
    """The embedder sees it, because it is their own program."""
    with pytest.raises(LoadError, match="is neither a plugin nor a tool"):
        make(local=[("x", value)]).plugins()


async def test_damaged_consent_stops_and_names_the_file(site: Site, make: Make, tmp_path: Path) -> None:
    """Guessing what the operator allowed is not an option."""
    site.tool("a", "wave")
    file = tmp_path / "home" / "plugins.json"
    file.parent.mkdir()
    file.write_text("{")
    with pytest.raises(ConfigError, match=r"plugins\.json.*next: correct it, or delete it"):
        make(enabled=None).plugins()
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError):
        make(enabled=None).enable("a")


async def test_a_home_that_cannot_be_written_keeps_no_consent(site: Site, make: Make, tmp_path: Path) -> None:
    """It says so instead of forgetting it silently."""
    site.tool("a", "wave")
    (tmp_path / "home").write_text("a file")
    with pytest.raises(ConfigError, match=r"plugins\.json"):
        make(enabled=None).enable("a")


async def test_an_unknown_plugin_is_named_with_the_nearest(site: Site, make: Make) -> None:
    """For a typing error in a command."""
    site.tool("weather", "wave")
    with pytest.raises(PluginError, match=r"there is no plugin 'wether'.*did you mean 'weather'"):
        make().enable("wether")
    with pytest.raises(PluginError, match="see: gitu plugins"):
        make().manifest("zzz")


async def test_a_guard_that_cannot_run_refuses_from_the_start(site: Site, make: Make) -> None:
    """An enabled guard that is incompatible is not simply missing."""
    site.install("g", "", "[contracts]\ntool = 99\n[hooks]\ngitu_guard_call = 0")
    registry = make()
    await registry.start()
    reason = await registry.hooks.guard("gitu_guard_call", turn=None, call=None, tool=None)
    assert reason is not None
    assert "upgrade gitu-core" in reason
    registry.disable("g")
    assert await registry.hooks.guard("gitu_guard_call", turn=None, call=None, tool=None) is None
