"""Rules about what the code reaches for: what it imports, and what it touches without having said so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gitu_core
from gitu_core.contracts.host import FACETS
from gitu_core.testing.workshop.rules import Finding, at, rule
from gitu_core.testing.workshop.source import Source, parsed

Found = Iterator[Finding | str]

_OPEN = ("gitu_core.contracts", "gitu_core.errors")
_NETWORK = re.compile(
    r"(socket|httpx2?|requests|aiohttp|urllib3|websockets?|urllib\.request|http\.client|ftplib|smtplib|imaplib|"
    r"poplib|telnetlib|xmlrpc\.client|socketserver)(\.|$)"
)
_PROCESS = re.compile(r"(subprocess|multiprocessing|pty)(\.|$)")
_SPAWN = re.compile(
    r"(os\.(system|popen|fork|forkpty|exec[lv]p?e?|spawn\w+|posix_spawnp?)|"
    r"(asyncio|anyio)\.(create_subprocess_\w+|run_process|open_process))$"
)
_CONNECT = re.compile(r"\.(open_connection|create_connection|create_datagram_endpoint|connect_tcp|connect_udp)$")
_WRITE = re.compile(
    r"((^|\.)open|\.(write_text|write_bytes|mkdir|makedirs|touch|rename|rmdir|symlink_to)|"
    r"(?<!admin\.people)\.unlink|"  # which takes an account from a person
    r"^shutil\.\w+|^os\.(remove|unlink|mkdir|makedirs|rmdir|rename|replace))$"
)
_SECRET = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$")


@rule("imports", "error", "bronze")
def imports(source: Source) -> Found:
    """It imports only public names of the core, and no other plugin."""
    files = list(source.code.items())
    count = 0
    for path, tree in [*files, *(parsed(source.tests) if source.tests else ())]:
        in_tests = source.tests is not None and path.is_relative_to(source.tests)
        for module, name, line in _imported(tree):
            count += 1
            if reason := _wrong(module, name, source.package.name, in_tests):
                yield at(source, path, reason, "see docs/contracts.md for what is public", line)
    yield f"{count} imports in {len(files)} files"


def _imported(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Every absolute import: the module, the name taken from it or nothing, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name, "", node.lineno) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", each.name, node.lineno) for each in node.names)
        elif isinstance(node, ast.Call) and _dotted(node.func).endswith(("import_module", "__import__")):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value[:1] != ".":
                yield first.value, "", node.lineno


def _wrong(module: str, name: str, own: str, in_tests: bool) -> str:
    top = module.partition(".")[0]
    if top != "gitu_core":
        return f"it imports another plugin, {top}" if top.startswith("gitu_") and top != own else ""
    doors = (*_OPEN, "gitu_core.testing") if in_tests else _OPEN
    inside = any(module == door or module.startswith(f"{door}.") for door in doors)
    if inside or (module == "gitu_core" and (name in ("", "*", *gitu_core.__all__) or f"gitu_core.{name}" in doors)):
        return ""
    return f"{module}{'.' if name else ''}{name} is not public"


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as written; what cannot be known is left out, the rest begins with a dot."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@rule("undeclared", "error", "silver")
def undeclared(source: Source) -> Found:
    """What it touches stands in the manifest: network, processes, files, secrets, facets of the host."""
    wants = source.said.capabilities
    names = {each.name for each in wants.secrets}
    for path, tree in source.code.items():
        for kind, what, line in _touched(tree):
            allowed = {"network": wants.network, "subprocess": wants.subprocess, "files": wants.files,
                       "secrets": what in names, "facets": what in wants.facets}[kind]  # fmt: skip
            if not allowed:
                yield _undeclared(source, path, kind, what, line)
    yield f"{len(source.code)} files read"


def _undeclared(source: Source, path: Path, kind: str, what: str, line: int) -> Finding:
    hint = f"declare it in {source.manifest_file.name} under [capabilities]: {kind}, or do without"
    return at(source, path, f"it uses {what}, and its manifest does not declare {kind}", hint, line)


def _touched(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """What a file reaches for: the capability that it needs, what it is, and the line."""
    for module, name, line in _imported(tree):
        whole = f"{module}.{name}" if name else module
        for kind, pattern in (("network", _NETWORK), ("subprocess", _PROCESS)):
            if pattern.match(module) or pattern.match(whole):
                yield kind, whole, line
        if _SPAWN.fullmatch(whole):
            yield "subprocess", whole, line
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.Subscript) and _dotted(node.value) in ("os.environ", "environ"):
            yield from _secret(node.slice, node.lineno)
        elif (
            isinstance(node, ast.Attribute) and node.attr in FACETS and re.search(r"(^|\._?)host$", _dotted(node.value))
        ):
            yield "facets", node.attr, node.lineno


def _called(node: ast.Call) -> Iterator[tuple[str, str, int]]:
    name = _dotted(node.func)
    if _SPAWN.fullmatch(name):
        yield "subprocess", name, node.lineno
    elif _CONNECT.search(name):
        yield "network", name.lstrip("."), node.lineno
    elif _WRITE.search(name) and not (name.endswith(".open") and not _writes(node)):
        yield "files", name.lstrip("."), node.lineno
    elif name in ("os.getenv", "getenv", "os.environ.get", "environ.get", "os.environ.pop") and node.args:
        yield from _secret(node.args[0], node.lineno)


def _writes(node: ast.Call) -> bool:
    """True if a method `open` is called with a mode that writes; what libraries call `open` is not meant."""
    given = [*node.args, *(each.value for each in node.keywords)]
    said = [each.value for each in given if isinstance(each, ast.Constant)]
    return any(re.fullmatch(r"[wax][bt+]*|r[bt]?\+", each) for each in said if isinstance(each, str))


def _secret(node: ast.expr, line: int) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SECRET.search(node.value):
        yield "secrets", node.value, line
