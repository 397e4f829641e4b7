"""Commands that plugins add to `gitu`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import anyio
import msgspec

from gitu_core.cli.common import assistant
from gitu_core.cli.plugins import registry_of
from gitu_core.contracts import Command, CommandSpec
from gitu_core.model import ToolResult

_TYPES = {"integer": int, "number": float}


def run_contributed(options: argparse.Namespace, name: str, *after: str) -> int | None:
    """Runs the command *name* that a plugin contributes; None if none does. *options* are those of `gitu` itself, what
    comes *after* the name belongs to the command."""
    # Looked up first without opening anything: a word that was mistyped must not leave a database behind.
    if all(each.contribution.name != name for each in registry_of(options).offers("command")):
        return None
    return anyio.run(_run, options, after, name)


async def _run(options: argparse.Namespace, after: Sequence[str], name: str) -> int:
    async with assistant(options) as gitu:
        offer = next(each for each in gitu.house.registry.offers("command") if each.contribution.name == name)
        spec = msgspec.convert(offer.contribution.spec, CommandSpec)
        arguments = _parser(spec).parse_args(after)
        command: Command = await gitu.house.registry.get("command", name)
        given = {key: value for key, value in vars(arguments).items() if value is not None}
        result: ToolResult = await command.run(given)
    print(result.text, file=sys.stdout if result.status == "ok" else sys.stderr)
    return 0 if result.status == "ok" else 1


def _parser(spec: CommandSpec) -> argparse.ArgumentParser:
    """The command line of a command: each property of its JSON Schema is an option; required ones stand alone."""
    parser = argparse.ArgumentParser(prog=f"gitu {spec.name}", description=spec.description)
    required = spec.arguments.get("required", ())
    properties: dict[str, Any] = spec.arguments.get("properties", {})
    for name, schema in properties.items():
        option, help_text = f"--{name.replace('_', '-')}", schema.get("description", "")
        kind = _TYPES.get(schema.get("type", ""), str)
        if schema.get("type") == "boolean":
            parser.add_argument(option, action="store_true", default=None, dest=name, help=help_text)
        elif name in required:
            parser.add_argument(name, type=kind, help=help_text)
        else:
            parser.add_argument(option, type=kind, dest=name, help=help_text)
    return parser
