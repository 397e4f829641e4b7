"""Commands that plugins add to `gitu`."""

from __future__ import annotations

import argparse
import sys
from contextlib import AsyncExitStack
from typing import Any

import anyio
import msgspec

from gitu_core.cli.common import assistant, settings_of
from gitu_core.cli.plugins import registry_of
from gitu_core.contracts import Command, CommandSpec
from gitu_core.model import ToolResult

_TYPES = {"integer": int, "number": float}


def run_contributed(options: argparse.Namespace, name: str, *after: str) -> int | None:
    """Runs the command *name* that a plugin contributes; None if none does. *options* are those of `gitu` itself, what
    comes *after* the name belongs to the command."""
    # Looked up first without opening anything: a word that was mistyped must not leave a database behind.
    offers = [each.contribution for each in registry_of(options).offers("command") if each.contribution.name == name]
    if not offers:
        return None
    spec = msgspec.convert(offers[0].spec, CommandSpec)
    arguments = {key: value for key, value in vars(_parser(spec).parse_args(after)).items() if value is not None}
    given = {"home": str(settings_of(options).folder), "config": options.config or ""}
    told = {key: each.get("x-gitu") for key, each in spec.arguments.get("properties", {}).items()}
    arguments.update((key, given[what]) for key, what in told.items() if what in given)
    return anyio.run(_run, options, name, arguments)


async def _run(options: argparse.Namespace, name: str, arguments: dict[str, Any]) -> int:
    async with AsyncExitStack() as stack:
        if " " in name:  # below a command of the core: it must work where an assistant cannot start
            registry = registry_of(options)
            stack.push_async_callback(registry.stop)
        else:
            registry = (await stack.enter_async_context(assistant(options))).house.registry
        command: Command = await registry.get("command", name)
        result: ToolResult = await command.run(arguments)
    print(result.text, file=sys.stdout if result.status == "ok" else sys.stderr)
    return 0 if result.status == "ok" else 1


def _parser(spec: CommandSpec) -> argparse.ArgumentParser:
    """The command line of a command: each property of its JSON Schema is an option; required ones and lists stand
    alone. `x-gitu` marks what the program itself fills in: its ``home`` folder, the ``config`` that was named."""
    parser = argparse.ArgumentParser(prog=f"gitu {spec.name}", description=spec.description)
    required = spec.arguments.get("required", ())
    properties: dict[str, Any] = spec.arguments.get("properties", {})
    for name, schema in properties.items():
        option, help_text = f"--{name.replace('_', '-')}", schema.get("description", "")
        kind = _TYPES.get(schema.get("type", ""), str)
        if schema.get("x-gitu"):  # not for the person to say
            continue
        if schema.get("type") == "array":
            parser.add_argument(name, nargs="*", help=help_text)
        elif schema.get("type") == "boolean":
            parser.add_argument(option, action="store_true", default=None, dest=name, help=help_text)
        elif name in required:
            parser.add_argument(name, type=kind, help=help_text)
        else:
            parser.add_argument(option, type=kind, dest=name, help=help_text)
    return parser
