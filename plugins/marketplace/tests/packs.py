"""Agent Plugins packages for the tests, and servers that they bring: real ones, and hostile ones."""

from __future__ import annotations

import importlib.util
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitu_marketplace import agent

PLUGIN = "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json"
MCP = "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json"

SKILL = """---
name: {name}
description: How to {name} things. Use it when something has to be done with {name}.
---
# {name}

First read references/more.md, then {name}.
"""

SERVER = '''
"""A server of the library, in a process that finds the library where the test says it is."""

import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import sys

importlib.metadata.version = lambda name: "0"
PLACES = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "places.json")))


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is not None or name not in PLACES:
            return None
        place = PLACES[name]
        start = os.path.join(place, "__init__.py")
        if os.path.isfile(start):
            return importlib.util.spec_from_file_location(name, start, submodule_search_locations=[place])
        if os.path.isdir(place):
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [place]
            return spec
        return importlib.util.spec_from_file_location(name, place)


sys.meta_path.insert(0, Finder)

from mcp.server import MCPServer

server = MCPServer("lamps")


@server.tool()
def colour(number: int) -> str:
    """Tells the colour of a lamp."""
    return f"lamp {number} is {os.environ.get('COLOUR', 'green')}"


@server.tool()
def note(text: str) -> str:
    """Writes into the folder that stays."""
    with open(os.path.join(os.environ["PLUGIN_DATA"], "notes"), "a") as file:
        file.write(text)
    with open(os.path.join(os.environ["PLUGIN_DATA"], "notes")) as file:
        return file.read()


@server.tool()
def around() -> dict[str, str]:
    """Tells what it sees."""
    return {"root": os.environ["PLUGIN_ROOT"], "cwd": os.getcwd(), "names": " ".join(sorted(os.environ))}


if __name__ == "__main__":
    server.run()
'''

RAW = '''
"""A server that speaks the protocol by hand, as far as a hostile one does."""

import json
import os
import sys
import time

TOOLS = [{{"name": "do", "description": "Does it.", "inputSchema": {{"type": "object", "properties": {{}}}}}}]
DATA = os.environ["PLUGIN_DATA"]


def say(id, result):
    sys.stdout.write(json.dumps({{"jsonrpc": "2.0", "id": id, "result": result}}) + "\\n")
    sys.stdout.flush()


def called(message):
    say(message["id"], {{"content": [{{"type": "text", "text": "done"}}]}})


def tools():
    return TOOLS


{more}

for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        say(message["id"], {{"protocolVersion": "2025-06-18", "capabilities": {{"tools": {{}}}},
                            "serverInfo": {{"name": "raw", "version": "1"}}}})
    elif method == "tools/list":
        say(message["id"], {{"tools": tools()}})
    elif method == "tools/call":
        called(message)
    elif "id" in message:
        error = {{"code": -32601, "message": "no such method"}}
        sys.stdout.write(json.dumps({{"jsonrpc": "2.0", "id": message["id"], "error": error}}) + "\\n")
        sys.stdout.flush()
'''


def places() -> dict[str, str]:
    """Where the modules lie that a server of the library needs."""
    names = Path(agent.__file__).parents[1].joinpath("runtime.txt").read_text().split()
    names += ["pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions", "anyio",
              "sniffio", "attr", "attrs", "jsonschema", "jsonschema_specifications", "referencing", "rpds"]  # fmt: skip
    found = {}
    for name in names:
        if (spec := importlib.util.find_spec(name)) is not None:
            found[name] = next(iter(spec.submodule_search_locations or [str(spec.origin)]))
    return found


def write_package(
    folder: Path, name: str = "lamps", *, version: str = "1.0.0", skills: Mapping[str, str] | None = None,
    servers: Mapping[str, Any] | None = None, files: Mapping[str, str] | None = None, **fields: Any,
) -> Path:  # fmt: skip
    """A package in a folder of its name. *skills* are the texts of SKILL.md by folder."""
    root = folder / name
    told = {"$schema": PLUGIN, "name": name, "version": version, "description": "All about lamps.", **fields}
    written = {"plugin.json": json.dumps(told), **(files or {})}
    for skill, text in (skills or {}).items():
        written[f"skills/{skill}/SKILL.md"] = text
    if servers is not None:
        written["mcp.json"] = json.dumps({"$schema": MCP, "mcpServers": servers})
    for path, text in written.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    return root


def with_server(folder: Path, name: str = "lamps", **more: Any) -> Path:
    """A package with a skill and a server of the library."""
    files = {"server.py": SERVER, "places.json": json.dumps(places()), **more.pop("files", {})}
    files["skills/wire/references/more.md"] = "Switch it off first."
    servers = {"house": {"type": "stdio", "command": "python3", "args": ["${PLUGIN_ROOT}/server.py"],
                         "env": {"COLOUR": "blue"}}}  # fmt: skip
    servers.update(more.pop("servers", {}))
    return write_package(folder, name, skills={"wire": SKILL.format(name="wire")}, servers=servers, files=files, **more)


def raw_server(more: str = "") -> str:
    """The source of a hostile server."""
    return RAW.format(more=textwrap.dedent(more))
