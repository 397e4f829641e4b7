"""Commands that plugins add to `gitu`."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from typing import Any

import anyio
import msgspec

from gitu_core.cli.common import assistant, settings_of
from gitu_core.cli.plugins import registry_of
from gitu_core.contracts import Command, CommandSpec
from gitu_core.model import ToolResult

_TYPES, _COUNTS = {"integer": int, "number": float}, {"array": "*"}


def run_contributed(options: argparse.Namespace, name: str, *after: str) -> int | None:
    """Runs the command *name* that a plugin contributes; None if none does. *options* are those of `gitu` itself, what
    comes *after* the name belongs to the command."""
    # Looked up first without opening anything: a word that was mistyped must not leave a database behind.
    offers = [each.contribution for each in registry_of(options).offers("command") if each.contribution.name == name]
    if not offers:
        return None
    own = {"home": str(settings_of(options).folder), "config": options.config or ""}
    arguments = vars(_parser(msgspec.convert(offers[0].spec, CommandSpec), own).parse_args(after))
    return anyio.run(_run, options, name, {key: value for key, value in arguments.items() if value is not None})


async def _run(options: argparse.Namespace, name: str, arguments: dict[str, Any]) -> int:
    # One below a command of the core works where no assistant can start.
    async with nullcontext() if " " in name else assistant(options) as gitu:
        registry = gitu.house.registry if gitu else registry_of(options)
        command: Command = await registry.get("command", name)
        result: ToolResult = await command.run(arguments)
    print(result.text, file=sys.stdout if result.status == "ok" else sys.stderr)
    return 0 if result.status == "ok" else 1


def _parser(spec: CommandSpec, own: dict[str, str]) -> argparse.ArgumentParser:
    """The command line of a command: each property of its JSON Schema is an option; required ones and lists stand
    alone. `x-gitu` marks what nobody says, because it is the program's *own*: its ``home``, the ``config`` in use."""
    parser = argparse.ArgumentParser(prog=f"gitu {spec.name}", description=spec.description)
    required = spec.arguments.get("required", ())
    for name, schema in spec.arguments.get("properties", {}).items():
        option, help_text = f"--{name.replace('_', '-')}", schema.get("description", "")
        kind = _TYPES.get(schema.get("type", ""), str)
        if "x-gitu" in schema:
            parser.set_defaults(**{name: own.get(schema["x-gitu"])})
        elif schema.get("type") == "boolean":
            parser.add_argument(option, action="store_true", default=None, dest=name, help=help_text)
        elif name in required or schema.get("type") == "array":
            parser.add_argument(name, type=kind, nargs=_COUNTS.get(schema.get("type", "")), help=help_text)
        else:
            parser.add_argument(option, type=kind, dest=name, help=help_text)
    return parser
