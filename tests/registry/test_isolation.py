"""Whatever a plugin does wrong, it is named with the next step while the others serve on."""

from __future__ import annotations

import logging
import sys
from typing import Any

import anyio
import pytest

from gitu_core.errors import LoadError, PluginError, Quarantined
from gitu_core.model import Event
from gitu_core.registry import Registry
from tests.registry.conftest import Make, Site, host_for, status, tool_manifest

pytestmark = pytest.mark.anyio

HANDS_OVER = "def gitu_tools(host):\n    return []\n"

EAGER = 'start = "eager"\n'
SLOW = "import time\nfrom gitu_core import hook\n\n@hook(timeout=0.05)\ndef gitu_tools(host):\n    time.sleep(9)"

BAD: dict[str, tuple[str, str, str, str]] = {
    # id: (code, manifest, state, words of the reason)
    "raises": (
        "raise RuntimeError('no luck')", "", "quarantined",
        "its import raised RuntimeError: no luck (__init__.py:1)",
    ),
    "exits": ("import sys\nsys.exit(3)", "", "quarantined", "its import raised SystemExit: 3"),
    "toml": (HANDS_OVER, "start = = 1", "broken", "gitu-plugin.toml: Invalid value"),
    "newer": (
        HANDS_OVER, "[contracts]\ntool = 99", "incompatible",
        "needs contract tool 99; this host offers version 1",
    ),
    "disagrees": (
        HANDS_OVER, tool_manifest("ghost"), "quarantined",
        "tool ghost: there in the manifest, nothing in the code",
    ),
    "misspelled": ("def gitu_toolz(host): ...", "", "quarantined", "there is no hook 'gitu_toolz'"),
    "argument": ("def gitu_tools(hots): ...", "", "quarantined", "gitu_tools takes no argument 'hots'"),
    "value": ("gitu_tools = [1]", "", "quarantined", "neither hook functions nor tools"),
    "half": (
        "gitu_tools = [1]\n\ndef gitu_start(host): ...", "", "quarantined",
        "gitu_tools is a list, not a function",
    ),
    "wrong": (
        "def gitu_tools(host):\n    return 3", "[hooks]\ngitu_tools = 0", "quarantined",
        "expected a list of tools",
    ),
    "object": (
        "def gitu_tools(host):\n    return [object()]", "", "quarantined",
        "which is no tool: no method 'run'",
    ),
    "starts": (
        "def gitu_start(host):\n    raise OSError('x')", "[hooks]\ngitu_start = 0", "quarantined",
        "gitu_start raised OSError: x",
    ),
    "slow": (SLOW, "", "quarantined", "gitu_tools did not end within 0.05 s"),
    "asks": (
        "async def gitu_tools(host):\n    await host.kv.get('x')", "", "quarantined",
        "raised FacetUnavailable",
    ),
}  # fmt: skip

COUNTS = """
import anyio
from gitu_core import tool

calls = []

@tool
def wave() -> str:
    'Says wave.'
    return 'wave'

async def gitu_tools(host):
    calls.append(1)
    await anyio.sleep(0.02)
    return [wave]

def gitu_start(host):
    calls.append(2)
"""
LOGS = """
import sys
from gitu_core import hook

log = sys.__dict__.setdefault("x_log", [])

@hook(order={order})
async def gitu_start(host):
    log.append("+{id}")

def gitu_stop(host):
    log.append("-{id}")
    if "{id}" == "b":
        raise ValueError
"""


@pytest.mark.parametrize("id", BAD)
async def test_a_bad_plugin_is_named_with_the_next_step_and_the_others_serve_on(
    site: Site, make: Make, id: str
) -> None:
    """Every kind of failure ends in a state, a reason and a hint; a good plugin beside it works."""
    code, manifest, state, reason = BAD[id]
    site.install(id, code, EAGER + manifest)
    site.tool("good", "wave")
    registry = make()
    await registry.start()
    bad = status(registry, id)
    assert (bad.state, bad.active or bad.state == "quarantined") == (state, state == "quarantined")
    assert reason in bad.reason
    assert bad.hint
    assert status(registry, "good").state == "enabled"
    assert (await registry.get("tool", "wave")).spec.name == "wave"
    await registry.stop()


async def test_hints_name_what_was_probably_meant(site: Site, make: Make) -> None:
    """A misspelled hook or argument, and a manifest that is out of date, say how to put it right."""
    for id in ("misspelled", "argument", "disagrees", "newer", "raises"):
        site.install(id, BAD[id][0], EAGER + BAD[id][1])
    registry = make()
    await registry.start()
    hints = {each.id: each.hint for each in registry.plugins()}
    assert hints["misspelled"] == "did you mean 'gitu_tools'?"
    assert hints["argument"] == "did you mean 'host'?"
    assert hints["disagrees"] == "run: gitu manifest disagrees --write"
    assert hints["newer"] == "upgrade gitu-core"
    assert hints["raises"] == "try: python -c 'import x_raises'"


async def test_an_import_that_never_ends_is_given_up(site: Site, make: Make, reports: list[PluginError]) -> None:
    """The thread is abandoned and named; the event loop and the other plugins never waited for it."""
    site.install("stuck", "import threading\nthreading.Event().wait(30)", 'start = "eager"')
    site.tool("good", "wave")
    registry = make(import_limit=0.2)
    with anyio.fail_after(5):
        await registry.start()
        assert await registry.get("tool", "wave")
    stuck = status(registry, "stuck")
    assert stuck.state == "quarantined"
    assert "did not end within 0.2 s; the thread gitu-import-stuck was given up" in stuck.reason
    assert [each.details["plugin"] for each in reports] == ["stuck"]


async def test_get_says_why_an_object_cannot_be_had(site: Site, make: Make) -> None:
    """Quarantined, incompatible, disabled and unknown are different answers, each with a next step."""
    site.install("raises", "raise RuntimeError('no luck')", tool_manifest("a"))
    site.install("newer", HANDS_OVER, tool_manifest("b").replace("tool = 1", "tool = 99"))
    site.tool("off", "c")
    registry = make(enabled=lambda id, manifest: None if id == "off" else True)
    with pytest.raises(LoadError, match=r"raises 1\.0: its import raised RuntimeError"):
        await registry.get("tool", "a")
    with pytest.raises(Quarantined, match="quarantined: its import raised"):
        await registry.get("tool", "a")
    with pytest.raises(PluginError, match=r"needs contract tool 99.*next: upgrade gitu-core"):
        await registry.get("tool", "b")
    with pytest.raises(LoadError, match=r"off 1\.0: disabled: not enabled .*gitu plugins enable off"):
        await registry.get("tool", "c")
    with pytest.raises(LoadError, match=r"there is no tool 'cc'.*did you mean 'c'"):
        await registry.get("tool", "cc")
    assert [offer.plugin for offer in registry.offers("tool")] == []


async def test_a_plugin_is_activated_once_however_many_ask(site: Site, make: Make, tmp_path: Any) -> None:
    """Twenty turns that need the same tool at once share one activation."""
    hooks = "gitu_tools = 0\ngitu_start = 0"
    site.install("good", COUNTS, tool_manifest("wave").replace("gitu_tools = 0", hooks))
    registry = make()
    got: list[Any] = []

    async def ask() -> None:
        got.append(await registry.get("tool", "wave"))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert len(set(map(id, got))) == 1
    assert sys.modules["x_good"].calls == [1, 2]


async def test_whoever_asked_first_may_give_up(site: Site, make: Make) -> None:
    """A cancelled turn leaves no half-active plugin behind."""
    hooks = "gitu_tools = 0\ngitu_start = 0"
    site.install("slow", COUNTS, EAGER + tool_manifest("wave").replace("gitu_tools = 0", hooks))
    registry = make()
    with anyio.move_on_after(0.01):
        await registry.start()
    assert status(registry, "slow").active
    await registry.start()
    assert status(registry, "slow").state == "enabled"


async def test_reset_lifts_a_quarantine(site: Site, make: Make) -> None:
    """Once its cause is gone, the plugin serves again without a restart."""
    home = site.install("sick", "raise RuntimeError('no luck')", tool_manifest("wave"))
    registry = make()
    with pytest.raises(LoadError):
        await registry.get("tool", "wave")
    (home / "__init__.py").write_text(COUNTS.replace("gitu_start", "start"))
    registry.reset("sick")
    assert (await registry.get("tool", "wave")).spec.name == "wave"
    assert status(registry, "sick").state == "enabled"


async def test_a_quarantine_is_told_to_observers_and_logged(
    site: Site, make: Make, reports: list[PluginError], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever listens to `gitu_event` hears of it; without a listener the log says it."""
    site.install("ears", "heard = []\n\ndef gitu_event(event):\n    heard.append(event)\n", "[hooks]\ngitu_event = 0")
    site.tool("good", "wave")
    registry = make()
    await registry.start()
    registry.quarantine("good", "the operator said so")
    await registry.hooks.observe("gitu_turn_started", turn=None)
    (event,) = sys.modules["x_ears"].heard
    assert isinstance(event, Event)
    assert (event.kind, event.data["plugin"]) == ("plugin.quarantined", "good")
    said = str(reports[-1])
    assert said.startswith("good 1.0: quarantined: the operator said so (next: when the cause is gone, start again")
    silent = Registry(site.folder / "home", host_for=host_for, path=[str(site.folder)])
    with caplog.at_level(logging.WARNING, "gitu.plugins"):
        silent.quarantine("good", "why not")
    assert "good 1.0: quarantined: why not" in caplog.text


async def test_start_and_stop_call_each_plugin_in_order_and_survive_one_that_fails(
    site: Site, make: Make, reports: list[PluginError]
) -> None:
    """`gitu_start` runs by order and id, `gitu_stop` backwards; one that raises stops nobody."""
    for id, order in (("a", 2), ("b", 1), ("c", 1)):
        manifest = f"{EAGER}[hooks]\ngitu_start = {order}\ngitu_stop = 0"
        site.install(id, LOGS.format(id=id, order=order), manifest)
    registry = make()
    await registry.start()
    await registry.stop()
    log = sys.__dict__.pop("x_log")
    assert log == ["+b", "+c", "+a", "-a", "-c", "-b"]
    assert [each.where for each in reports] == ["b 1.0 gitu_stop"]
