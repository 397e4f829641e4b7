"""The command line itself: help, unknown words, closed output, and commands that plugins add."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gitu_core.cli.main import COMMANDS
from tests.cli.driver import Cli
from tests.registry.conftest import Site

GREETER = """
from gitu_core.contracts import CommandSpec
from gitu_core.model import ErrorInfo, ToolResult

PROPERTIES = {
    "name": {"type": "string", "description": "whom to greet"},
    "times": {"type": "integer"},
    "how_loud": {"type": "number"},
    "politely": {"type": "boolean"},
}

class Greet:
    spec = CommandSpec("greet", "Greets somebody.", {"type": "object", "properties": PROPERTIES, "required": ["name"]})

    async def run(self, arguments):
        if arguments["name"] == "nobody":
            return ToolResult("error", error=ErrorInfo("tool", "nobody is there", "name somebody"))
        return ToolResult(content=f"greetings {sorted(arguments.items())}")

def gitu_commands(host):
    return [Greet()]
"""


@pytest.fixture(scope="module")
def greeter(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """`gitu` with a plugin that adds the command ``greet``."""
    folder: Path = tmp_path_factory.mktemp("greeter")
    site = Site(folder / "site")
    site.install("greeter", GREETER, manifest=None)
    cli = Cli(folder, site.folder)
    cli.run("plugins", "enable", "greeter")
    return cli


def test_help_names_every_command_and_no_command_shows_it(cli: Cli) -> None:
    shown = cli.run("--help").stdout
    assert all(name in shown for name in COMMANDS)
    assert cli.run(status=2).stdout == shown
    assert "--session" in cli.run("ask", "--help").stdout
    assert cli.run("--version").stdout.startswith("gitu ")


def test_an_unknown_command_is_refused_and_leaves_nothing_behind(cli: Cli) -> None:
    refused = cli.run("dcotor", status=2)
    assert "invalid choice: 'dcotor'" in refused.stderr
    assert not list(cli.home.glob("*.db"))


def test_options_before_the_command_do_not_hide_it(cli: Cli, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    cli.run("--home", str(elsewhere), "sessions")
    assert elsewhere.is_dir()
    assert not cli.home.exists()
    refused = cli.run("--config", "missing.toml", "sessions", status=1)
    assert "there is no file missing.toml" in refused.stderr


def test_a_command_of_a_plugin_takes_typed_arguments(greeter: Cli) -> None:
    said = greeter.run("greet", "greet", "--times", "2", "--how-loud", "0.5", "--politely").stdout
    assert said == "greetings [('how_loud', 0.5), ('name', 'greet'), ('politely', True), ('times', 2)]\n"
    assert greeter.run("--home", str(greeter.home), "greet", "ana").stdout == "greetings [('name', 'ana')]\n"


def test_a_command_of_a_plugin_explains_itself_and_refuses_what_does_not_fit(greeter: Cli) -> None:
    assert "whom to greet" in greeter.run("greet", "--help").stdout
    assert "invalid int value" in greeter.run("greet", "ana", "--times", "two", status=2).stderr


def test_a_command_of_a_plugin_that_fails_says_so_on_standard_error(greeter: Cli) -> None:
    failed = greeter.run("greet", "nobody", status=1)
    assert failed.stdout == ""
    assert "nobody is there" in failed.stderr


def test_a_reader_that_has_left_causes_no_complaint(cli: Cli) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    left = cli.run("plugins", "--fast", status=1, stdout=writing)
    os.close(writing)
    assert left.stderr == ""
