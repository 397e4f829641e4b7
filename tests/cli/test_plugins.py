"""`gitu plugins` and `gitu manifest`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitu_core.manifest import parse
from tests.cli.driver import Cli
from tests.registry.conftest import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty folder of installed distributions."""
    return Site(tmp_path / "site")


@pytest.fixture
def cli(tmp_path: Path, site: Site) -> Cli:
    """`gitu` that finds what is installed there."""
    return Cli(tmp_path / "here", site.folder)


def listed(cli: Cli, *words: str) -> dict[str, dict[str, Any]]:
    """What ``gitu plugins … --json`` tells, by id."""
    return {each["id"]: each for each in json.loads(cli.run("plugins", *words, "--json").stdout)}


def test_what_comes_along_is_enabled_and_what_was_installed_is_not(cli: Cli, site: Site) -> None:
    site.tool("extra", "wink")
    found = listed(cli)
    assert found["basics"]["state"] == "enabled"
    assert "tool:clock" in found["basics"]["contributions"]
    assert found["extra"]["state"] == "disabled"
    assert found["extra"]["hint"] == "to use it, run: gitu plugins enable extra"
    table = cli.run("plugins").stdout
    assert table.splitlines()[0].split() == ["plugin", "state", "version", "contributes"]
    assert ["extra", "disabled"] in [line.split()[:2] for line in table.splitlines()]


def test_a_plugin_is_switched_on_and_off_for_good(cli: Cli, site: Site) -> None:
    site.tool("extra", "wink")
    assert set(listed(cli, "enable", "extra")) == {"extra"}
    assert listed(cli)["extra"]["state"] == "enabled"
    assert "disabled" in cli.run("plugins", "disable", "extra").stdout
    assert listed(cli)["extra"]["state"] == "disabled"


def test_who_enables_what_cannot_be_loaded_learns_it_at_once(cli: Cli, site: Site) -> None:
    home = site.install("torn", "raise RuntimeError('the wheel came off')")
    told = cli.run("plugins", "enable", "torn").stdout
    assert "quarantined" in told
    assert "the wheel came off" in told
    assert "next: try: python -c 'import x_torn'" in told
    assert listed(cli, "--fast")["torn"]["state"] == "enabled"
    (home / "__init__.py").write_text(
        'from gitu_core import tool\n@tool\ndef roll() -> str:\n    """Rolls."""\n    return "on"\n'
    )
    (home / "gitu-plugin.toml").unlink()
    assert listed(cli, "reset", "torn")["torn"]["contributions"] == ["tool:roll"]


def test_of_two_plugins_with_one_tool_the_listing_says_how_the_other_is_reached(cli: Cli, site: Site) -> None:
    site.tool("one", "wink")
    site.tool("two", "wink")
    cli.run("plugins", "enable", "one")
    told = cli.run("plugins", "enable", "two").stdout
    assert "two: the tool 'wink' comes from one; this one is reached as 'two:wink'" in told
    assert listed(cli)["two"]["notes"] == ["the tool 'wink' comes from one; this one is reached as 'two:wink'"]


def test_help_says_what_reset_does(cli: Cli) -> None:
    said = " ".join(cli.run("plugins", "--help").stdout.split())
    assert "describes it anew where it has no manifest" in said
    assert "ends when that one is started again" in said


NOISY = """
from gitu_core import tool

print("noise: import")

@tool
def wink() -> str:
    "Winks."
    return "wink"

def gitu_tools(host):
    print("noise: tools")
    return [wink]

async def gitu_start(host):
    print("noise: start")

def gitu_message_received(message):
    print("noise: message")

def gitu_stop(host):
    print("noise: stop")
"""


def test_what_a_plugin_prints_never_comes_between_the_answer_and_its_reader(cli: Cli, site: Site) -> None:
    site.install("noisy", NOISY, manifest=None)
    cli.configure("[plugins.noisy]\ntrusted = true\n")
    assert listed(cli, "enable", "noisy")["noisy"]["state"] == "enabled"
    asked = cli.run("ask", "--json", "2+2")
    assert json.loads(asked.stdout)["text"] == "2+2 = 4"
    for when in ("import", "tools", "start", "message", "stop"):
        assert f"noise: {when}" in asked.stderr
    assert cli.run("ask", "2+2").stdout == "2+2 = 4\n"
    assert json.loads(cli.run("sessions", "--json").stdout)
    assert json.loads(cli.run("doctor", "--json").stdout)
    assert parse(cli.run("manifest", "x_noisy").stdout).contributes[0].name == "wink"
    chat = cli.run("chat", stdin="2+2\n")
    assert not {"noise: import", "noise: tools", "noise: start"} & set(chat.stdout.splitlines())


def test_an_unknown_plugin_is_refused_with_the_nearest_name(cli: Cli) -> None:
    for action in ("enable", "disable", "reset"):
        refused = cli.run("plugins", action, "basiks", status=1)
        assert "there is no plugin 'basiks'" in refused.stderr
        assert "did you mean 'basics'?" in refused.stderr
    assert "there is no plugin ''" in cli.run("plugins", "enable", status=1).stderr


def test_a_manifest_is_printed_and_written_from_the_code(cli: Cli, site: Site) -> None:
    home = site.install("wink", (
        "from gitu_core import tool\n\n@tool\ndef wink(eye: str = 'left') -> str:\n    'Winks.'\n    return eye\n"
        "\ndef gitu_tools(host):\n    host.kv\n    return [wink]\n"
    ), manifest=None)  # fmt: skip
    printed = cli.run("manifest", "x_wink").stdout
    manifest = parse(printed)
    assert (manifest.id, manifest.contributes[0].name, manifest.capabilities.facets) == ("wink", "wink", ("kv",))
    file = home / "gitu-plugin.toml"
    assert not file.exists()
    assert cli.run("manifest", "x_wink", "--write").stdout == f"written: {file}\n"
    assert file.read_text() == printed
    assert listed(cli, "enable", "wink")["wink"]["source"] == "file"


def test_a_package_that_cannot_be_described_is_refused_with_the_next_step(cli: Cli, site: Site) -> None:
    site.install("torn", "import sys\nsys.exit('no')", manifest=None)
    refused = cli.run("manifest", "x_torn", status=1)
    assert "SystemExit" in refused.stderr
    assert "next: try: python -c 'import x_torn'" in refused.stderr
    assert "ModuleNotFoundError" in cli.run("manifest", "x_missing", status=1).stderr
