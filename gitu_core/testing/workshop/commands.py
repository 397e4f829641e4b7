"""``gitu new``, ``manifest``, ``check``, ``dev`` and ``plugins trace``. `gitu_core.__main__` adds them to those of
`gitu_core.cli`; what they need is imported when one of them runs."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

_HERE = ".testing.workshop.commands"

ADDED: dict[str, tuple[str, str]] = {
    "new": (_HERE, "write a whole plugin to begin with"),
    "manifest": (_HERE, "print or write a plugin's manifest from its code"),
    "check": (_HERE, "check a plugin against the rules, and compute its quality tier"),
    "dev": (_HERE, "ask a plugin that is being written, again at every change"),
    "plugins trace": (_HERE, "ask something and print every hook that was called"),
}
"""The commands: the module that has them, as seen from `gitu_core.cli`, and what they do."""

KINDS = ("tool", "adapter", "memory", "router", "action")
FORMATS = ("text", "json", "junit", "sarif")


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    {"new": _new, "manifest": _manifest, "check": _check, "dev": _dev, "plugins trace": _trace}[name](command)


def _new(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", choices=("plugin",), help="what to write")
    command.add_argument("name", nargs="?", default="", help="the plugin's id; its distribution is called gitu-NAME")
    command.add_argument("--kind", choices=KINDS, help="what it contributes")
    command.add_argument("--title", default="", help="a name for people (default: out of the id)")
    command.add_argument("--folder", type=Path, help="where to write it (default: a new folder gitu-NAME here)")
    command.add_argument("--license", default="", metavar="SPDX", help="the licence, such as Apache-2.0")


def _manifest(command: argparse.ArgumentParser) -> None:
    command.add_argument("package", help="the plugin's package (import name)")
    command.add_argument("--write", action="store_true", help="write gitu-plugin.toml into the package")


def _check(command: argparse.ArgumentParser) -> None:
    command.add_argument("plugin", nargs="?", default="", help="the folder of a plugin, or the id of an installed one")
    command.add_argument("--format", choices=FORMATS, default="text", help="how to print what was found")
    command.add_argument("--fast", action="store_true", help="only look: run neither tests nor the type checker")
    command.add_argument("--brief", action="store_true", help="only what is not kept")
    command.add_argument("--wheel", type=Path, metavar="FILE", help="a wheel that was built already")
    command.add_argument("--report", type=Path, metavar="FILE", help="build the wheel and write what was found of it")


def _dev(command: argparse.ArgumentParser) -> None:
    command.add_argument("plugin", type=Path, help="the folder of the plugin")
    command.add_argument("--message", default="", help="what to ask at every change; without it, a chat begins")
    command.add_argument("--model", default="", help="provider/model to use")


def _trace(command: argparse.ArgumentParser) -> None:
    command.add_argument("text", help="what to ask")
    command.add_argument("--model", default="", help="provider/model to use")
    command.add_argument("--content", action="store_true", help="also what hooks gave back, in full")
    command.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    module = {"plugins trace": "trace"}.get(options.command, options.command)
    return int(import_module(f"gitu_core.testing.workshop.{module}").run(options))
