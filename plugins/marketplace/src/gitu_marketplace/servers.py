"""The servers in the ``mcp.json`` of an Agent Plugins package, read as strictly as version 1.0.0 of the format says."""

from __future__ import annotations

import ipaddress
import posixpath
import re
import shlex
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gitu_marketplace.agent.agreed import Server
from gitu_marketplace.bundle import Files
from gitu_marketplace.text import clean, plain

SCHEMA = "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json"
NAME = "mcp.json"
LARGEST, MOST, LONGEST = 1 << 20, 32, 2_000
"""Bytes of the file, servers in it, and characters that are shown of a command line, an environment or an address."""

_FIELDS = {"stdio": {"type", "command", "args", "env", "cwd"}, "streamable-http": {"type", "url", "headers"}}
_PLACES = ("PLUGIN_ROOT", "PLUGIN_DATA")
_NAMED = re.compile(r"\$\{([^}]*)\}?")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED = ("host", "content-length", "content-type", "accept", "connection", "transfer-encoding")


class _Wrong(Exception):
    """Why a server is left out."""


def read(files: Files, skip: Callable[[str], None]) -> dict[str, Server]:
    """The servers; *skip* is told of each that is left out, and why. A file that is no such file offers none."""
    if NAME not in files:
        return {}
    try:
        if len(files[NAME].data) > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB")
        told = msgspec.json.decode(files[NAME].data)
        if not isinstance(told, dict) or told.keys() != {"$schema", "mcpServers"}:
            raise ValueError("it needs exactly $schema and mcpServers")
        if told["$schema"] != SCHEMA or not isinstance(told["mcpServers"], dict):
            raise ValueError("it is for another version of the format than plugin.json")
        if len(told["mcpServers"]) > MOST:
            raise ValueError(f"it has more than {MOST} servers")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        skip(f"{NAME}: {clean(str(error))}")
        return {}
    found = {}
    for name, entry in told["mcpServers"].items():
        try:
            found[name] = _server(name, entry, files)
        except _Wrong as error:
            skip(f"server {clean(name, 60)}: {error}")
    return found


def secrets_of(server: Server) -> set[str]:
    """The names of the secrets that a server is to get."""
    values = (*server.env.values(), *server.headers.values())
    return {name for value in values for name in _NAMED.findall(value) if name not in _PLACES}


def host_of(server: Server) -> str:
    """The host of a server at an address, as a manifest declares it."""
    parts = urlsplit(server.url)
    return f"{'http://' if parts.scheme == 'http' else ''}{parts.netloc}"


def line_of(server: Server) -> str:
    """The command line of a program, as a shell would have it."""
    return shlex.join((server.command, *server.args))


def environment_of(server: Server) -> str:
    """What a program finds in its environment: values too, since some say which code is run."""
    return ", ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(server.env.items()))


def _server(name: str, entry: Any, files: Files) -> Server:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", name):
        raise _Wrong("its name has to be of letters, digits, '.', '_' and '-'")
    kind = entry.get("type") if isinstance(entry, dict) else None
    if kind == "sse":
        raise _Wrong("it speaks the transport sse, which is out of use")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise _Wrong("its type is neither stdio nor streamable-http")
    if unknown := entry.keys() - _FIELDS[kind]:
        raise _Wrong(f"a {kind} server has no {clean(', '.join(sorted(unknown)))}")
    return _stdio(entry, files) if kind == "stdio" else _http(entry)


def _stdio(entry: dict[str, Any], files: Files) -> Server:
    command, args, cwd = entry.get("command"), entry.get("args", []), entry.get("cwd", "")
    env = _texts(entry.get("env", {}), "env")
    if not isinstance(command, str) or not isinstance(cwd, str) or not isinstance(args, list):
        raise _Wrong("it needs a command, and a list of args")
    if not all(isinstance(each, str) for each in args) or "\0" in "".join((command, cwd, *args)):
        raise _Wrong("its args have to be texts")
    if command.startswith("./"):
        command = "./" + _inside(command[2:], "command")
        if command[2:] not in files:
            raise _Wrong(f"its command {clean(command, 80)} is not in the package")
    elif not command or re.search(r"[\s/\\$;|&<>`\"'()]", command):
        raise _Wrong(f"its command {clean(command, 80)!r} is neither the name of a program nor a path that begins ./")
    for name in env:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in _PLACES or name.startswith(("LD_", "DYLD_")):
            raise _Wrong(f"it may not set {clean(name, 60)}")
    server = Server("stdio", command, tuple(args), env, _folder(cwd))
    for what, shown in (("args", line_of(server)), ("env", environment_of(server)), ("cwd", cwd)):
        if len(shown) > LONGEST or not plain(shown):
            raise _Wrong(f"its {what} are longer, or hold other characters, than can be shown")
    for each in args:
        _only_places(each, "args, which others on this machine can read; put it into env")
    return server


def _http(entry: dict[str, Any]) -> Server:
    url, headers = entry.get("url"), _texts(entry.get("headers", {}), "headers")
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        host, port = (parts.hostname or "", parts.port) if parts else ("", None)
    except ValueError as error:
        raise _Wrong(f"its url is none: {clean(str(error))}") from error
    if parts is None or parts.scheme not in ("https", "http") or not host or "@" in parts.netloc or parts.fragment:
        raise _Wrong("its url has to be https://HOST/PATH")
    if not re.fullmatch(r"[\x21-\x7e]+", str(url)) or len(str(url)) > LONGEST or "*" in parts.netloc or port == 0:
        raise _Wrong("its url has to be https://HOST/PATH")
    if parts.scheme == "http" and not _loopback(host):
        raise _Wrong("its url has no TLS, which is for this very machine only")
    _only_places(str(url), "its url", none=True)
    names = [each.lower() for each in headers]
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or re.search(r"[^\x20-\x7e]", value) or "{secret:" in value:
            raise _Wrong(f"its header {clean(name, 60)} is none")
        if names.count(name.lower()) > 1 or name.lower() in _RESERVED or name.lower().startswith("mcp-"):
            raise _Wrong(f"it may not set the header {clean(name, 60)}, or not twice")
    return Server("http", url=str(url), headers=headers)


def _texts(value: Any, what: str) -> dict[str, str]:
    """A table of texts, whose ``${NAME}`` can only be places of the package and secrets."""
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise _Wrong(f"its {what} has to be a table of texts")
    for text in value.values():
        for name in _NAMED.findall(text):
            if not _SECRET.fullmatch(name) or f"${{{name}}}" not in text:
                raise _Wrong(f"its {what} has ${{{clean(name, 40)}}}; only ${{NAME}} in capitals can be a secret")
            if what == "headers" and name in _PLACES:
                raise _Wrong(f"its headers cannot hold {name}")
        if "\0" in text:
            raise _Wrong(f"its {what} has to be a table of texts")
    return value


def _only_places(text: str, where: str, *, none: bool = False) -> None:
    for name in _NAMED.findall(text):
        if none or name not in _PLACES:
            raise _Wrong(f"${{{clean(name, 40)}}} cannot stand in {where}")


def _folder(cwd: str) -> str:
    for start in ("./", "${PLUGIN_ROOT}/", "${PLUGIN_DATA}/"):
        if cwd.startswith(start):
            inside = _inside(cwd.removeprefix(start), "cwd")
            return f"{start}{inside}" if start.startswith("$") else inside
    if cwd in ("", "${PLUGIN_ROOT}", "${PLUGIN_DATA}"):
        return cwd
    raise _Wrong("its cwd has to begin with ./, ${PLUGIN_ROOT} or ${PLUGIN_DATA}")


def _inside(path: str, what: str) -> str:
    if "\\" in path or "$" in path or path.startswith("/") or ".." in path.split("/"):
        raise _Wrong(f"its {what} leaves the package")
    return posixpath.normpath(path) if path else "."


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
