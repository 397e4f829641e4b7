"""Reads the command line and hands over to the command; imports nothing that the command does not need."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any

from gitu_core import __version__
from gitu_core.cli.show import complain
from gitu_core.errors import GituError
from gitu_core.secrecy import hidden

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "choose a model and channels, and get the first answer"),
    "chat": ("talk", "talk to the assistant in this terminal"),
    "ask": ("talk", "ask one question and print the answer"),
    "serve": ("serve", "run the enabled channels until stopped"),
    "worker": ("serve", "work on the messages of channels that run in other processes"),
    "sessions": ("talk", "list the last sessions"),
    "plugins": ("plugins", "list, enable and disable plugins"),
    "doctor": ("doctor", "check the installation and say what to do"),
    "keys": ("keys", "list and rotate the keys that everything is sealed with"),
    "backup": ("care", "write a consistent copy of the data"),
    "restore": ("care", "put a copy back into an empty home"),
}
"""Every command of the core: the module beside this one that has it, and what it does. `gitu_core.__main__`, which is
above all rooms, adds those of the room `testing`. A name may have two words, of which the first is a command too."""

ACTIONS = {"plugins": ("list", "enable", "disable", "reset")}
"""What stands behind a command that plugins may add to: other words there are commands of theirs, called after both."""


def parser(words: Sequence[str] = (), more: Mapping[str, str] | None = None) -> argparse.ArgumentParser:
    """The command line, as far as the core knows it; plugins add commands of their own, of which *more* are
    listed. Only what *words* name is imported."""
    what = "A plugin-first assistant."
    top = argparse.ArgumentParser(prog="gitu", description=what, allow_abbrev=False, parents=[_head()])
    commands = top.add_subparsers(dest="command", metavar="command")
    for name, (module, what) in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        if name in words:
            import_module(f".{module}", __package__).arguments(name, command)
    for name, what in (more or {}).items():
        commands.add_parser(name, help=(what[:1].lower() + what[1:].rstrip(".")).replace("%", "%%"), add_help=False)
    return top


def _head() -> argparse.ArgumentParser:
    """What may stand before the command."""
    usage = "gitu [-h] [--version] [--config CONFIG] [--home HOME] command ..."
    head = argparse.ArgumentParser("gitu", usage, add_help=False, allow_abbrev=False)
    head.add_argument("--version", action="version", version=f"gitu {__version__}")
    head.add_argument("--config", help="the gitu.toml to use")
    head.add_argument("--home", help="the folder for data and settings (default: GITU_HOME)")
    return head


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; gives the exit status: 0 = done, 1 = failed, 2 = bad arguments, 130 = interrupted."""
    sys.excepthook = _crashed
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _run(words)
        sys.stdout.flush()  # here, where a reader who has left is noticed, and not when the interpreter ends
        return status
    except GituError as error:
        where = error.where or str(error.details.get("model", ""))
        hint = error.hint or ("look at it with: gitu doctor --ask" if "model" in error.details else "")
        complain(f"{where}: {error.message}" if where else error.message, hint)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has left; the interpreter's own complaint about it at exit would help nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _crashed(*error: Any) -> None:
    """Tells of an error that nobody expected, as Python does, without secrets."""
    from traceback import format_exception

    print(hidden("".join(format_exception(*error))), end="", file=sys.stderr)


def _more(options: argparse.Namespace) -> dict[str, str]:
    """The commands of plugins, for the help: what is wrong with the settings must not hide it."""
    from gitu_core.cli.extra import contributed

    try:
        found = contributed(options)
    except GituError:
        return {}
    return {name: what for name, what in found.items() if " " not in name and name not in COMMANDS}


def _run(words: list[str]) -> int:
    head = _head()
    head.add_argument("words", nargs=argparse.REMAINDER)
    before, unknown = head.parse_known_args(words)
    both, first, second = " ".join(before.words[:2]), *(*before.words[:2], "", "")[:2]
    if both in COMMANDS:
        words[-len(before.words) :] = [both, *before.words[len(both.split()) :]]
    depth = 2 if first in ACTIONS and second.isalpha() and second not in ACTIONS[first] else 1
    if before.words and both not in COMMANDS and (depth == 2 or first not in COMMANDS) and not unknown:
        from gitu_core.cli.extra import run_contributed

        if (status := run_contributed(before, " ".join(before.words[:depth]), *before.words[depth:])) is not None:
            return status
    more = {} if first in COMMANDS else _more(before)
    options = parser(words, more).parse_args(words)
    if options.command is None:
        parser(more=more).print_help()
        return 2
    run = import_module(f".{COMMANDS[options.command][0]}", __package__).run
    if not iscoroutinefunction(run):  # what blocks must stay out of an event loop, so that Ctrl-C ends it at once
        return int(run(options))
    import anyio

    return anyio.run(run, options) or 0
