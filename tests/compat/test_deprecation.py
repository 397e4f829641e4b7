"""What is deprecated works, says so, and stays for half a year at least."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from gitu_core.cli.plugins import listing
from gitu_core.contracts.base import DEPRECATED, SEAMS, Deprecation
from gitu_core.contracts.host import FACETS
from gitu_core.hookspecs import HOOKS
from gitu_core.manifest import Manifest
from gitu_core.registry import Registry
from gitu_core.registry.describe import RecordingHost
from tests.registry.conftest import Site, site, tool_manifest

__all__ = ["site"]

HALF_A_YEAR = timedelta(days=180)
USES_FACET = '[capabilities]\nfacets = ["kv"]\n'


def wrong(table: dict[str, Deprecation]) -> list[str]:
    """What is wrong with the entries of a table, in words."""
    found = []
    for what, each in table.items():
        kind, _, name = what.partition(" ")
        first, _, rest = name.partition(" " if kind == "contract" else ".")
        known = {"hook": name in HOOKS, "facet": name in FACETS, "contract": first in SEAMS and rest.isdecimal(),
                 "field": bool(rest) and (first in SEAMS or rest in Manifest.__struct_fields__)}  # fmt: skip
        if not known.get(kind):
            found.append(f"{what}: there is no such thing; it must be there as long as it is deprecated")
        if each.until - each.on < HALF_A_YEAR:
            found.append(f"{what}: {each.until - each.on} lie between deprecation and removal, 180 days must")
        if not (each.since and each.instead):
            found.append(f"{what}: since which version, and what to use instead?")
    return found


def made_up(days: int = 180, **change: Any) -> Deprecation:
    """A deprecation of the kind that may come."""
    given = {"since": "0.2", "on": date(2030, 1, 1), "until": date(2030, 1, 1) + timedelta(days), "instead": "that"}
    return Deprecation(**{**given, **change})


def test_every_entry_names_something_that_is_there_and_leaves_half_a_year() -> None:
    assert wrong(DEPRECATED) == []


@pytest.mark.parametrize(
    "what", ["hook gitu_timer", "facet kv", "contract tool 1", "field tool.examples", "field manifest.priority"]
)
def test_an_entry_of_each_kind_can_be_right(what: str) -> None:
    assert wrong({what: made_up()}) == []


@pytest.mark.parametrize(
    ("what", "entry", "words"),
    [
        ("hook gitu_timer", made_up(179), "179 days"),
        ("hook gitu_timer", made_up(-1), "180 days must"),
        ("hook gitu_tmer", made_up(), "no such thing"),
        ("facet clock", made_up(), "no such thing"),
        ("contract tool", made_up(), "no such thing"),
        ("contract tol 1", made_up(), "no such thing"),
        ("field tol.x", made_up(), "no such thing"),
        ("tool", made_up(), "no such thing"),
        ("facet kv", made_up(instead=""), "what to use instead"),
        ("facet kv", made_up(since=""), "since which version"),
    ],
)
def test_a_wrong_entry_is_refused(what: str, entry: Deprecation, words: str) -> None:
    (found,) = wrong({what: entry})
    assert words in found


@pytest.mark.anyio
@pytest.mark.parametrize(
    "what", ["hook gitu_tools", "facet kv", "contract tool 1", "field tool.input_schema", "field manifest.hooks"]
)
async def test_a_plugin_that_uses_it_gets_a_note_and_works(
    what: str, site: Site, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others get none."""
    site.tool("lamp", "say")
    site.install("bare", "def gitu_event(event):\n    pass\n", "[hooks]\ngitu_event = 0\n")
    (site.folder / "x_lamp" / "gitu-plugin.toml").write_text(f'id = "lamp"\n{tool_manifest("say")}{USES_FACET}')
    monkeypatch.setitem(DEPRECATED, what, made_up(400, instead="the other one"))
    registry = Registry(
        tmp_path, host_for=lambda manifest: RecordingHost(manifest.id), enabled=lambda *_: True, path=[str(site.folder)]
    )
    assert (await registry.get("tool", "say")).spec.name == "say"
    bare, lamp = registry.plugins()
    assert (lamp.id, lamp.state) == ("lamp", "enabled")
    note = f"it uses {what}, deprecated since 0.2 (2030-01-01) and kept until 2031-02-05 at least: use the other one"
    assert lamp.notes == (note,)
    assert note in listing([lamp])
    assert bare.notes == (() if what != "field manifest.hooks" else (note,))
    await registry.stop()


def test_a_plugin_that_also_speaks_a_newer_version_uses_nothing_deprecated(monkeypatch: pytest.MonkeyPatch) -> None:
    from gitu_core.manifest import deprecations

    monkeypatch.setitem(DEPRECATED, "contract tool 1", made_up())
    assert deprecations(Manifest("a", contracts={"tool": "1-2"})) == []
    assert len(deprecations(Manifest("a", contracts={"tool": "1-1"}))) == 1
