"""Makes the wheel of a plugin out of an Agent Plugins package: its files, a manifest, and a module of a few lines.

The same package and the same agreement give the same wheel, byte for byte. Everything that decides what the plugin does
stands in the manifest and in ``agreed.json``, and both are written here, from what the operator is shown.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from gitu_core.contracts import CommandSpec
from gitu_marketplace import wheel
from gitu_marketplace.agent.agreed import FILE, FOLDER, Agreed, Pinned, skills_spec
from gitu_marketplace.bundle import File, Files
from gitu_marketplace.packages import Package
from gitu_marketplace.servers import environment_of, host_of, line_of, secrets_of
from gitu_marketplace.wheel import Wheel

RUNTIME = "gitu_marketplace"
"""The package of the host that such a release is run by."""

_MODULE = '''"""{name}, an Agent Plugins package. The marketplace wrote this module when it was installed."""

from gitu_marketplace.agent import Package

_package = Package(__file__)


def gitu_tools(host):
    """Its skills, and the tools of its servers."""
    return _package.tools(host)
'''
_SERVERS = '''

def gitu_commands(host):
    """Asks the servers which tools they have."""
    return _package.commands(host)


async def gitu_stop():
    """Ends the servers."""
    await _package.stop()
'''


def make(package: Package, home: Path, into: Path, tools: tuple[Pinned, ...] = (), *, trusted: bool = False) -> Wheel:
    """Writes the wheel into a folder, and looks at it as at any other."""
    programs = any(each.kind == "stdio" for each in package.servers.values())
    data = str(home.resolve() / "package-data" / package.id) if programs else ""
    kept = tuple(sorted((each for each in tools if each.server in package.servers), key=lambda each: each.spec.name))
    agreed = Agreed(package.id, package.name, package.skills, package.servers, kept, trusted, data)
    module = f"agent_{package.id.replace('-', '_')}"
    members = {f"{module}/{FOLDER}/{name}": file for name, file in package.files.items()}
    code = _MODULE.format(name=package.name) + (_SERVERS if package.servers else "")
    members[f"{module}/__init__.py"] = File(code.encode())
    members[f"{module}/{FILE}"] = File(msgspec.json.format(msgspec.json.encode(agreed, order="deterministic")))
    members[f"{module}/gitu-plugin.toml"] = File(manifest(agreed, package.title).encode())
    file = _write(package, module, members, into)
    found = wheel.look(file)
    sentences = (*found.wants.permissions, *_sentences(agreed))
    wants = msgspec.structs.replace(found.wants, permissions=tuple(sorted(set(sentences))))
    return msgspec.structs.replace(found, wants=wants)


def _sentences(agreed: Agreed) -> list[str]:
    """What an operator is told beside what stands in every manifest: whole, since what is cut off nobody agreed to. It
    was made fit for a terminal when it was read."""
    found = [f"skill: {each.name}: {each.description}" for each in agreed.skills]
    found += ["skills: their text counts as your own words"] if agreed.trusted and agreed.skills else []
    for name, server in agreed.servers.items():
        if server.kind == "stdio":
            given = f"; environment: {environment_of(server)}" if server.env else ""
            where = server.cwd or "its package"
            found.append(f"server {name}: runs {line_of(server)} in {where}, without a network{given}")
        else:
            names = f"; headers: {', '.join(sorted(server.headers))}" if server.headers else ""
            found.append(f"server {name}: asks {server.url}{names}")
        if not any(each.server == name for each in agreed.tools):
            found.append(f"server {name}: none of its tools is agreed to yet")
    found += [
        f"tool: {each.spec.name} of the server {each.server} ({each.digest[:12]}): {each.spec.description}"
        f"{_taken(each.spec.input_schema)}"
        for each in agreed.tools
    ]
    return found


def _taken(schema: dict[str, Any]) -> str:
    """What a tool takes, word for word: models read all of it."""
    told = {word: value for word, value in schema.items() if word != "type"}
    return f"; it takes {msgspec.json.encode(told).decode()}" if told.get("properties") or len(told) > 1 else ""


def manifest(agreed: Agreed, title: str) -> str:
    """The manifest in TOML, whose strings and lists are those of JSON."""
    specs = [each.spec for each in agreed.tools]
    specs = [spec, *specs] if (spec := skills_spec(agreed)) else specs
    offered: list[tuple[str, Any]] = [("tool", each) for each in specs]
    hooks, contracts = {"gitu_tools": 0}, {"tool": 1} if specs else {}
    if agreed.servers:
        description = f"Tells which tools the servers of {agreed.name} have, as JSON."
        offered.append(("command", CommandSpec(agreed.command, description, {"type": "object", "properties": {}})))
        hooks |= {"gitu_commands": 0, "gitu_stop": 0}
        contracts["command"] = 1
    lines = [f"id = {_text(agreed.id)}", f"title = {_text(title or agreed.name)}", "", "[contracts]"]
    lines += [f"{name} = {number}" for name, number in contracts.items()]
    lines += ["", "[hooks]", *(f"{name} = {number}" for name, number in hooks.items())]
    for seam, spec in offered:
        lines += ["", "[[contributes]]", f"seam = {_text(seam)}", f"name = {_text(spec.name)}"]
        lines += [f"description = {_text(spec.description)}"]
        lines += [f"spec = {_text(msgspec.json.encode(spec, order='deterministic').decode())}"]
    return "\n".join([*lines, "", *_capabilities(agreed), ""])


def _capabilities(agreed: Agreed) -> list[str]:
    servers = agreed.servers.values()
    network = sorted({host_of(each) for each in servers if each.kind == "http"})
    revealed = sorted({name for each in servers if each.kind == "stdio" for name in secrets_of(each)})
    injected = sorted((name, host_of(each)) for each in servers if each.kind == "http" for name in secrets_of(each))
    facets = [*(["http"] if network else []), *(["secrets"] if revealed else [])]
    lines = ["[capabilities]", f"facets = {_text(facets)}", f"network = {_text(network)}",
             f"files = {_text([agreed.data] if agreed.data else [])}",
             f"subprocess = {_text(bool(agreed.data))}"]  # fmt: skip
    for name in revealed:
        lines += ["", "[[capabilities.secrets]]", f"name = {_text(name)}", 'mode = "revealed"']
    for name in sorted({name for name, _ in injected}):
        audience = sorted({host for each, host in injected if each == name})
        lines += ["", "[[capabilities.secrets]]", f"name = {_text(name)}", 'mode = "injected"']
        lines += [f"audience = {_text(audience)}"]
    return lines


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _write(package: Package, module: str, members: Files, into: Path) -> Path:
    name = f"agentplugin_{package.id.replace('-', '_')}"
    info = f"{name}-{package.version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {package.version}\n"
    about += f"Summary: {package.title}\n" if package.title else ""
    about += f"Author: {package.author}\n" if package.author else ""
    members[f"{info}/METADATA"] = File(about.encode())
    members[f"{info}/WHEEL"] = File(b"Wheel-Version: 1.0\nGenerator: gitu\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    members[f"{info}/entry_points.txt"] = File(f"[gitu.plugins]\n{package.id} = {module}\n".encode())
    rows = [f"{_cell(path)},{_hash(file.data)},{len(file.data)}" for path, file in sorted(members.items())]
    members[f"{info}/RECORD"] = File("\n".join([*rows, f"{info}/RECORD,,"]).encode() + b"\n")
    place = into / f"{name}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, file in sorted(members.items()):
            member = zipfile.ZipInfo(path)
            member.external_attr = (0o100755 if file.program else 0o100644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, file.data)
    return place


def _cell(path: str) -> str:
    return '"' + path.replace('"', '""') + '"' if set(path) & set(',"') else path


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
