"""The page on quality is what the code has, and every plugin of this repository keeps what its `quality.toml` says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from msgspec.structs import replace

from gitu_core.testing.workshop.check import apply
from gitu_core.testing.workshop.rules import TIERS, load
from gitu_core.testing.workshop.running import CPU_MS, MODULES
from gitu_core.testing.workshop.source import from_folder
from gitu_core.testing.workshop.tier import tier_of
from tests.docs.blocks import ROOT
from tests.docs.test_reference import page, rows, sections

PLUGINS = sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))


def test_the_page_lists_every_rule_with_its_tier_and_no_other() -> None:
    body = sections(page("quality.md"))["The rules"]
    listed = [[each[0], *each[1:4], each[4] == "yes"] for each in rows(body)[1:]]
    assert listed == [[each.id, each.tier, each.level, each.what, each.exempt] for each in load().values()]
    assert [row[0] for row in rows(page("quality.md").partition("\n## ")[0])[1:]] == list(TIERS)
    assert f"{CPU_MS} ms of CPU and {MODULES} modules" in body


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_of_this_repository_breaks_no_rule_that_only_looks(folder: Path) -> None:
    broken = [f"{each.rule}: {finding}" for each in apply(from_folder(folder), fast=True)
              for finding in each.findings if each.level == "error"]  # fmt: skip
    assert broken == []


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_its_tier_on_the_page_is_the_one_that_comes_out(folder: Path) -> None:
    """What only shows when it runs is taken from its statements, which `gitu check` in full holds against it."""
    done = tomllib.loads((folder / "quality.toml").read_text("utf-8"))["done"]
    found = [replace(each, status="passed" if each.rule in done else "failed") if each.status == "unchecked" else each
             for each in apply(from_folder(folder), fast=True)]  # fmt: skip
    table = {row[0]: row[1:] for row in rows(sections(page("quality.md"))["The plugins of this repository"])[1:]}
    assert set(table) == {each.name for each in PLUGINS}
    unkept = [each.rule for each in found if each.status == "failed"]
    exempt = [each.rule for each in found if each.status == "exempt"]
    assert table[folder.name][0] == (tier_of(found) or "none")
    assert [re.findall(r"[\w-]{2,}", cell) for cell in table[folder.name][1:]] == [unkept, exempt]


@pytest.mark.slow
@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_it_keeps_what_it_says_in_full(folder: Path) -> None:
    outcomes = {each.rule: each for each in apply(from_folder(folder), fast=False)}
    assert outcomes["quality"].findings == ()
    assert [each.rule for each in outcomes.values() if each.status == "unchecked"] == []
