"""Commands that plugins add to `gitu`."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from typing import Any

import anyio
import msgspec

from gitu_core.cli.common import answering, settings_of
from gitu_core.cli.plugins import registry_of
from gitu_core.contracts import Command, CommandSpec
from gitu_core.contracts.base import Contribution
from gitu_core.model import ToolResult
from gitu_core.registry import Registry
from gitu_core.secrecy import hidden

_TYPES = {"integer": int, "number": float}


def contributed(options: argparse.Namespace) -> dict[str, str]:
    """The commands that enabled plugins add, and what each does. Imports none of them."""
    found = (each.contribution for each in registry_of(options).offers("command"))
    return {each.name: each.description for each in found}


def run_contributed(options: argparse.Namespace, name: str, *after: str) -> int | None:
    """Runs the command *name* that a plugin contributes; None if none does. *options* are those of `gitu` itself, what
    comes *after* the name belongs to the command."""
    # Looked up first without opening anything: a word that was mistyped must not leave a database behind.
    found = _held(registry_of(options), name)
    if found is None:
        return None
    own = {"home": str(settings_of(options).folder), "config": options.config or ""}
    arguments = vars(_parser(msgspec.convert(found[1].spec, CommandSpec), own).parse_args(after))
    return anyio.run(_run, options, found[0], {key: value for key, value in arguments.items() if value is not None})


def _held(registry: Registry, name: str) -> tuple[str, Contribution] | None:
    """Who has a command, as it is asked for, and what it says of itself. Whoever runs inside the host goes first: no
    other plugin takes a command away from what came with the bundle."""
    found = [(not registry.inside(plugin.id), registry.manifest(plugin.id).priority, f"{plugin.id}:{name}", each)
             for plugin in registry.plugins() if plugin.state == "enabled"
             for each in registry.manifest(plugin.id).of("command") if each.name == name]  # fmt: skip
    return min(found, key=lambda each: each[:3])[2:] if found else None


async def _run(options: argparse.Namespace, name: str, arguments: dict[str, Any]) -> int:
    # One below a command of the core works where no assistant can start.
    async with nullcontext() if " " in name else answering(options) as gitu:
        registry = gitu.house.registry if gitu else registry_of(options)
        command: Command = await registry.get("command", name)
        result: ToolResult = await command.run(arguments)
    print(hidden(result.text), file=sys.stderr if result.error else sys.stdout)
    return 0 if result.status == "ok" else 1


def _parser(spec: CommandSpec, own: dict[str, str]) -> argparse.ArgumentParser:
    """The command line of a command: each property of its JSON Schema is an option; required ones, in their order, and
    lists stand alone. A required one that has a ``default`` may be left out. ``enum`` are the words that it may be,
    ``title`` is what stands for it in the help. `x-gitu` marks a list that is an ``option``, said again for another
    item, and what nobody says, because it is the program's *own*: its ``home``, the ``config`` in use."""
    parser = argparse.ArgumentParser(prog=f"gitu {spec.name}", description=spec.description)
    properties, required = spec.arguments.get("properties", {}), spec.arguments.get("required", ())
    for name in dict.fromkeys((*(each for each in required if each in properties), *properties)):
        schema, option = properties[name], f"--{name.replace('_', '-')}"
        mark, many = schema.get("x-gitu", ""), schema.get("type") == "array"
        words = {"help": schema.get("description", "").replace("%", "%%"), "default": schema.get("default")}
        named = {"type": _TYPES.get(schema.get("type", ""), str), "metavar": schema.get("title"),
                 "choices": schema.get("enum"), **words}  # fmt: skip
        if mark in own:
            parser.set_defaults(**{name: own[mark]})
        elif schema.get("type") == "boolean":
            parser.add_argument(option, action="store_true", dest=name, **words)
        elif mark == "option":
            parser.add_argument(option, action="append", dest=name, **named)
        elif name in required or many:
            parser.add_argument(dest=name, nargs="*" if many else "?" if "default" in schema else None, **named)
        else:
            parser.add_argument(option, dest=name, **named)
    return parser
