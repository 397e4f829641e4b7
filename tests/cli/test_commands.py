"""The command line itself: help, unknown words, closed output, and commands that plugins add."""

from __future__ import annotations

import os
import subprocess
import sys
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
    "at": {"type": "string", "enum": ["dawn", "dusk"], "default": "dawn"},
    "also": {"type": "array", "items": {"type": "string"}},
    "with": {"type": "array", "items": {"type": "string"}, "title": "GIFT", "x-gitu": "option"},
}

class Greet:
    schema = {"type": "object", "properties": PROPERTIES, "required": ["name", "at"]}
    spec = CommandSpec("greet", "Greets 100% of those named.", schema)

    async def run(self, arguments):
        if arguments["name"] == "nobody":
            return ToolResult("error", error=ErrorInfo("tool", "nobody is there", "name somebody"))
        if arguments["name"] == "rain":
            return ToolResult("error", content="it pours")
        return ToolResult(content=f"greetings {sorted(arguments.items())}")

def gitu_commands(host):
    return [Greet()]
"""

USERS = """
from gitu_core.contracts import CommandSpec
from gitu_core.model import ToolResult

class Take:
    def __init__(self, name, says):
        self.spec, self.says = CommandSpec(name, "Takes over."), says

    async def run(self, arguments):
        return ToolResult(content=self.says)

def gitu_commands(host):
    return [Take("{name}", "taken by {id}")]
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
    given = "('also', []), ('at', 'dawn'), ('how_loud', 0.5), ('name', 'greet'), ('politely', True), ('times', 2)"
    assert said == f"greetings [{given}]\n"
    plain = greeter.run("--home", str(greeter.home), "greet", "ana").stdout
    assert plain == "greetings [('also', []), ('at', 'dawn'), ('name', 'ana')]\n"


def test_what_a_command_requires_stands_in_its_order_and_lists_are_said_again(greeter: Cli) -> None:
    said = greeter.run("greet", "ana", "dusk", "bob", "cid", "--with", "a=1", "--with", "b=2").stdout
    given = "('also', ['bob', 'cid']), ('at', 'dusk'), ('name', 'ana'), ('with', ['a=1', 'b=2'])"
    assert said == f"greetings [{given}]\n"
    assert "invalid choice: 'noon' (choose from" in greeter.run("greet", "ana", "noon", status=2).stderr
    assert "--with GIFT" in greeter.run("greet", "--help").stdout


def test_the_help_lists_the_commands_of_plugins_and_imports_none(greeter: Cli, tmp_path: Path) -> None:
    assert "greet          greets 100% of those named" in greeter.run("--help").stdout
    assert "greet" in greeter.run(status=2).stdout
    assert "greet" in greeter.run("gret", status=2).stderr
    code = (
        "import sys\nfrom gitu_core.__main__ import main\ntry: main(['--help'])\n"
        "except SystemExit: print(*[each for each in sys.modules if each.startswith(('gitu_', 'x_greeter'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=greeter.env, capture_output=True, text=True, check=True)
    assert {each.partition(".")[0] for each in done.stdout.splitlines()[-1].split()} == {"gitu_core"}
    (tmp_path / "gitu.toml").write_text("nonsense = 1")
    assert "doctor" in greeter.run("--config", str(tmp_path / "gitu.toml"), "--help").stdout


def test_nobody_takes_a_command_from_a_plugin_inside_the_host(tmp_path: Path) -> None:
    """Whatever it is called and whatever priority it gives itself."""
    site = Site(tmp_path / "site")
    for id in ("aaa", "zzz"):
        manifest = f"""
            priority = {-5 if id == "aaa" else 100}
            [contracts]
            command = 1
            [hooks]
            gitu_commands = 0
            [[contributes]]
            seam = "command"
            name = "take"
            description = "Takes over."
            spec = '{{"name": "take", "description": "Takes over."}}'
        """
        site.install(id, USERS.replace("{name}", "take").replace("{id}", id), manifest)
    cli = Cli(tmp_path / "here", site.folder)
    cli.configure("[plugins.aaa]\nenabled = true\n[plugins.zzz]\nenabled = true\ntrusted = true\n")
    assert cli.run("take").stdout == "taken by zzz\n"
    cli.configure("[plugins.aaa]\nenabled = true\n")
    assert cli.run("take").stdout == "taken by aaa\n"


def test_a_command_of_a_plugin_explains_itself_and_refuses_what_does_not_fit(greeter: Cli) -> None:
    assert "whom to greet" in greeter.run("greet", "--help").stdout
    assert "invalid int value" in greeter.run("greet", "ana", "--times", "two", status=2).stderr


def test_a_command_of_a_plugin_that_fails_says_so_on_standard_error(greeter: Cli) -> None:
    failed = greeter.run("greet", "nobody", status=1)
    assert failed.stdout == ""
    assert "nobody is there" in failed.stderr
    poured = greeter.run("greet", "rain", status=1)
    assert (poured.stdout, poured.stderr) == ("it pours\n", "")


def test_a_reader_that_has_left_causes_no_complaint(cli: Cli) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    left = cli.run("plugins", "--fast", status=1, stdout=writing)
    os.close(writing)
    assert left.stderr == ""
