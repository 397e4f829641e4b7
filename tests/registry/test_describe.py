"""A manifest is written from code, and code that disagrees with its manifest is not loaded."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core import hook, tool
from gitu_core.contracts import SEAMS, Channel, CommandSpec, ModelInfo
from gitu_core.errors import LoadError, PluginError
from gitu_core.manifest import Contribution, Manifest, parse, render
from gitu_core.model import ActionSpec, ToolSpec
from gitu_core.registry.describe import RecordingHost, compare, describe
from gitu_core.registry.objects import PROVIDES, lacks
from gitu_core.testing.workshop.manifest import describe_package
from tests.registry.conftest import TOOL, Site

pytestmark = pytest.mark.anyio


@tool(effects=("send",), roles={"to": "recipient"}, timeout=5.0)
def post(to: str, body: str = "") -> str:
    """Posts a letter.

    Args:
        to: Who gets it.
        body: What it says.
    """
    return to + body


class Everything:
    """A bit of everything.

    One object that fulfils ten contracts.
    """

    name = "all"
    path = "home"
    title = "Home"
    icon = "house"
    dimensions, version, batch = 3, "1", 8
    channel = Channel(name="pigeon", delivery="blind", media=frozenset({"image", "audio", "video"}))
    spec: Any = ActionSpec(name="act", description="Acts.")

    async def _method(self, *args: Any) -> Any:
        return None

    receive = send = verify = show = health = put = get = search = delete = export = _method
    stream = rank = embed = blocks = act = run = wake = close = _method

    async def catalogue(self) -> list[ModelInfo]:
        """Nobody may ask while it is described."""
        raise AssertionError("the catalogue was read")

    def gitu_adapters(self, host: Any) -> list[Any]:
        """The channel."""
        assert host.http
        return [self]

    async def gitu_tools(self, host: Any) -> list[Any]:
        """A tool and a plain function."""

        def add(a: int, b: int) -> int:
            """Adds."""
            return a + b

        return [post, add]

    @hook(order=-3)
    def gitu_memory_stores(self) -> tuple[Any, ...]:
        """The store."""
        return (self,)

    def gitu_model_providers(self) -> list[Any]:
        """The provider."""
        return [self]

    gitu_model_routers = gitu_embedders = gitu_pages = gitu_rule_actions = gitu_dispatchers = gitu_model_providers

    def gitu_commands(self) -> list[Any]:
        """A command."""
        command = Everything()
        command.spec = CommandSpec(name="do", description="Does.")
        return [command]

    def gitu_guard_message(self, message: Any) -> None:
        """Lets everything pass."""


async def test_every_seam_is_described_and_survives_the_file() -> None:
    """Names, descriptions, data, hooks with order, contract versions, facets; and it reads back the same."""
    manifest = await describe(Everything(), RecordingHost("all"))
    assert {each.seam: each.name for each in manifest.contributes} == {
        "adapter": "pigeon", "tool": "add", "memory": "all", "provider": "all", "router": "all",
        "embedder": "all", "action": "act", "page": "home", "command": "do",
        "dispatcher": "all",
    }  # fmt: skip
    assert set(PROVIDES) == set(manifest.contracts)
    assert manifest.hooks["gitu_memory_stores"] == -3
    assert "gitu_guard_message" in manifest.hooks
    assert (manifest.start, manifest.title) == ("eager", "A bit of everything.")
    assert manifest.isolation == "host", "a dispatcher cannot be offered from anywhere else"
    assert manifest.capabilities.facets == ("http",)
    assert parse(render(manifest)) == manifest
    assert compare(parse(render(manifest)), manifest) == []
    first = manifest.of("tool")[0]
    assert msgspec.convert(first.spec, ToolSpec) == post.spec
    assert msgspec.convert(manifest.of("adapter")[0].spec, Channel) == Everything.channel
    assert manifest.of("embedder")[0].spec == {"dimensions": 3, "version": "1", "batch": 8}


async def test_what_code_cannot_tell_is_kept() -> None:
    """Title, capabilities, configuration, isolation and priority are the author's words."""
    base = Manifest(id="all", title="Mine", isolation="host", priority=7, state_version=2, config={"type": "object"})
    manifest = await describe(Everything(), RecordingHost("ignored"), base)
    kept = ("id", "title", "isolation", "priority", "state_version", "config")
    assert [getattr(manifest, name) for name in kept] == [getattr(base, name) for name in kept]


async def test_the_host_is_not_to_be_used_while_things_are_handed_over() -> None:
    """The failure names facet, method and hook."""

    class Eager:
        async def gitu_tools(self, host: Any) -> list[Any]:
            await host.secrets.reveal("KEY")
            return []

    with pytest.raises(PluginError, match=r"gitu_tools: raised FacetUnavailable: host.secrets.reveal was called"):
        await describe(Eager(), RecordingHost("x"))
    with pytest.raises(AttributeError):
        RecordingHost("x").no_facet  # noqa: B018


def change(manifest: Manifest, **spec: Any) -> Manifest:
    """The manifest of `post` with another spec."""
    (each,) = manifest.contributes
    return msgspec.structs.replace(manifest, contributes=(msgspec.structs.replace(each, spec={**each.spec, **spec}),))


class Post:
    """Contributes the tool `post`."""

    def gitu_tools(self) -> list[Any]:
        """The tool."""
        return [post]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"effects": ["read"]}, 'tool post effects: ["read"] in the manifest, ["send"] in the code'),
        ({"roles": {}}, 'tool post roles: {} in the manifest, {"to":"recipient"} in the code'),
        ({"description": "Reads."}, "tool post description: Reads. in the manifest, Posts a letter. in the code"),
        ({"timeout": 9}, "tool post timeout: 9.0 in the manifest, 5.0 in the code"),
        ({"input_schema": {"type": "object"}}, 'tool post input_schema: {"type":"object"} in the manifest, '),
        ({"writers": {"": "outside"}}, 'tool post writers: {"":"outside"} in the manifest, {} in the code'),
    ],
)
async def test_what_somebody_relies_on_is_compared(spec: dict[str, Any], words: str) -> None:
    """Both values are named."""
    code = await describe(Post(), RecordingHost("p"))
    (difference,) = compare(change(code, **spec), code)
    assert difference.startswith(words)


async def test_what_binds_nobody_is_not_compared() -> None:
    """Written-out defaults, white space, order, and the words that schema libraries add differ freely."""
    code = await describe(Post(), RecordingHost("p"))
    schema = code.contributes[0].spec["input_schema"]
    other = {**schema, "title": "Post", "$schema": "x", "required": list(reversed(schema["required"]))}
    assert compare(change(code, reversible=False, description="Posts  a\nletter.", input_schema=other), code) == []


async def test_missing_hooks_orders_and_contracts_are_differences() -> None:
    """The host plans with them before it runs any code."""
    code = await describe(Post(), RecordingHost("p"))
    bare = msgspec.structs.replace(code, hooks={"gitu_start": 1}, contracts={})
    assert compare(bare, code) == [
        "hook gitu_start: 1 in the manifest, nothing in the code",
        "hook gitu_tools: nothing in the manifest, 0 in the code",
        "contract tool: nothing in the manifest, 1 in the code",
    ]


@given(
    st.dictionaries(
        st.sampled_from(["tool", "page", "memory"]), st.sets(st.text("ab", min_size=1, max_size=2)), max_size=3
    )
)
def test_a_manifest_agrees_with_itself_and_with_nothing_less(names: dict[str, set[str]]) -> None:
    """Every contribution that is taken away shows as one difference."""
    every = tuple(Contribution(seam=seam, name=name) for seam, some in sorted(names.items()) for name in sorted(some))
    whole = Manifest(id="x", contributes=every, contracts=dict.fromkeys(names, 1))
    assert compare(whole, whole) == []
    for each in every:
        less = msgspec.structs.replace(whole, contributes=tuple(other for other in every if other != each))
        assert compare(less, whole) == [f"{each.seam} {each.name}: nothing in the manifest, there in the code"]


@pytest.mark.parametrize("seam", sorted(PROVIDES))
async def test_what_an_object_lacks_is_named(seam: str) -> None:
    """A method or attribute that the contract asks for; a value of the wrong type."""
    whole = post if seam == "tool" else Everything.gitu_commands(Everything())[0] if seam == "command" else Everything()
    assert lacks(seam, whole) == ""
    assert lacks(seam, object()).startswith("no method")
    for name in SEAMS[seam].protocol.__annotations__:
        # The same object with one attribute taken away, then with one that is of no use.
        poor = type(
            "Poor", (), {each: getattr(whole, each) for each in dir(whole) if each[:2] != "__" and each != name}
        )()
        assert lacks(seam, poor) == f"no attribute {name!r}"
        setattr(poor, name, object())
        assert lacks(seam, poor).startswith(f"{name!r} is a object, not a ")


async def test_an_object_that_cannot_be_looked_at_fails_with_words() -> None:
    """A property that raises while the contract is checked."""

    class Bad:
        def gitu_tools(self) -> list[Any]:
            @tool
            def undescribed() -> str:
                return ""

            return [undescribed]

    with pytest.raises(Exception, match="has no description"):
        await describe(Bad(), RecordingHost("x"))


async def test_an_authors_package_is_described_with_what_its_manifest_says(site: Site) -> None:
    """Folder and manifest; the id is the entry point's; a broken manifest is replaced, a good one kept."""
    home = site.tool("mine", "wave")
    sys.path.append(str(site.folder))
    folder, manifest = await describe_package("x_mine")
    assert (folder, manifest.id, [each.name for each in manifest.of("tool")]) == (home, "mine", ["wave"])
    (home / "gitu-plugin.toml").write_text('id = "other"\ntitle = "Kept"\npriority = 3\n')
    _, manifest = await describe_package("x_mine")
    assert (manifest.id, manifest.title, manifest.priority, len(manifest.contributes)) == ("other", "Kept", 3, 1)
    (home / "gitu-plugin.toml").write_text("id =")
    assert (await describe_package("x_mine"))[1].id == "mine"
    (site.folder / "gitu_loose_one").mkdir()
    (site.folder / "gitu_loose_one" / "__init__.py").write_text(TOOL.format(name="nod"))
    assert (await describe_package("gitu_loose_one"))[1].id == "loose-one"


@pytest.mark.parametrize(
    ("package", "words"), [("x_none", "its import raised ModuleNotFoundError"), ("x_single", "x_single is no package")]
)
async def test_a_package_that_cannot_be_described_says_why(site: Site, package: str, words: str) -> None:
    """With the next step."""
    (site.folder / "x_single.py").write_text(TOOL.format(name="nod"))
    sys.path.append(str(site.folder))
    with pytest.raises(LoadError, match=f"{words}.*next: "):
        await describe_package(package)
