"""An Agent Plugins package: what its files say it is, and what of it is used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from gitu_marketplace import servers
from gitu_marketplace.agent.agreed import Server, Skill
from gitu_marketplace.bundle import MANIFEST, Files, load, refused
from gitu_marketplace.facts import version_of
from gitu_marketplace.text import clean

SCHEMA = "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json"
LARGEST, MOST_SKILLS, LARGEST_HEAD = 1 << 20, 100, 16 << 10
"""Bytes of the manifest, skills, and bytes of what stands at the head of one."""

_FIELDS = {"$schema": str, "name": str, "version": str, "description": str, "author": dict, "homepage": str,
           "repository": str, "license": str, "keywords": list, "extensions": dict}  # fmt: skip
_NAME = re.compile(r"(?!.*(?:--|\.\.))[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_SKILL = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_PAPERS = re.compile(r"(?i)(license|licence|notice|readme|changelog|contributing|security)[^/]*")
_KNOWN = ("hooks", "agents", "commands", "rules", "output-styles", ".mcp.json", ".lsp.json", ".claude-plugin")


class Package(msgspec.Struct, frozen=True):
    """A package that was read. `unused` says in words what is not used, and why."""

    id: str
    name: str
    version: str
    title: str
    author: str
    files: Files
    skills: tuple[Skill, ...]
    servers: dict[str, Server]
    unused: tuple[str, ...]


def read(path: Path) -> Package:
    """Reads a package from its folder or archive. `InputError` says what makes it none."""
    files, unused = load(path), list[str]()
    told = _manifest(path, files, unused.append)
    skills = tuple(_skills(files, unused.append))
    found = servers.read(files, unused.append)
    unused += _rest(files, bool([each for each in found.values() if each.kind == "stdio"]))
    if not skills and not found:
        why = f": {'; '.join(unused[:5])}" if unused else ""
        raise refused(path, f"it has neither a skill nor a server that can be used{why}")
    name, said = told["name"], told.get("version", "")
    id = ("" if name[0].isalpha() else "x_") + name.replace(".", "_")
    if len(id) > 50 or id == "gitu":
        raise refused(path, f"its name {name} cannot be the id of a plugin")
    number = version_of(said) if len(said) <= 60 else None
    version = str(number) if number and not number.is_devrelease else f"0+{_digest(files)}"
    return Package(id, name, version, clean(told.get("description", ""), 200),
                   clean(str(told.get("author", {}).get("name", ""))), files, skills, found, tuple(unused))  # fmt: skip


def _manifest(path: Path, files: Files, skip: Callable[[str], None]) -> dict[str, Any]:
    data = files[MANIFEST].data
    try:
        told = msgspec.json.decode(data) if len(data) <= LARGEST else None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise refused(path, f"{MANIFEST} is no JSON: {clean(str(error))}") from error
    if not isinstance(told, dict):
        raise refused(path, f"{MANIFEST} is no object of JSON, or has more than {LARGEST >> 20} MiB")
    if told.get("$schema") != SCHEMA:
        said = clean(str(told.get("$schema", "nothing")), 100)
        raise refused(path, f"{MANIFEST} is for {said}, only Agent Plugins 1.0.0 is understood")
    if not isinstance(told.get("extensions", {}), dict):
        skip("extensions of plugin.json: it is no table")
        del told["extensions"]
    for field in [each for each in told if each not in _FIELDS]:
        skip(f"field {clean(field, 60)} of plugin.json: the format has none of that name")
        del told[field]
    for field, value in told.items():
        if not isinstance(value, _FIELDS[field]):
            raise refused(path, f"the field {field} of {MANIFEST} is of another kind")
    author, words = told.get("author", {}), told.get("keywords", [])
    if author.keys() - {"name", "email", "url"} or not all(
        isinstance(each, str) for each in (*author.values(), *words)
    ):
        raise refused(path, f"author or keywords of {MANIFEST} are not as the format has them")
    if not _NAME.fullmatch(told.get("name", "")):
        raise refused(path, f"the name {clean(told.get('name', ''), 80)!r} in {MANIFEST} is none")
    for name in told.get("extensions", {}):
        skip(f"extension {clean(name, 60)}: it is for another program")
    return told


def _skills(files: Files, skip: Callable[[str], None]) -> list[Skill]:
    found: list[Skill] = []
    for folder in sorted({name.split("/")[1] for name in files if re.match(r"skills/[^/]+/", name)}):
        file = files.get(f"skills/{folder}/SKILL.md")
        try:
            if file is None:
                raise ValueError("it has no SKILL.md")
            if len(found) >= MOST_SKILLS:
                raise ValueError(f"a package may have {MOST_SKILLS}")
            head = _head(file.data)
            if not _SKILL.fullmatch(folder) or head.get("name") != folder:
                raise ValueError("its name and that of its folder disagree, or are no name")
            said = head.get("description")
            if not isinstance(said, str) or not 0 < len(said.strip()) <= 1_024:
                raise ValueError("its description has to be a text of at most 1,024 characters")
        except (ValueError, RecursionError) as error:
            skip(f"skill {clean(folder, 60)}: {clean(str(error))}")
            continue
        found.append(Skill(folder, clean(said, 1_024)))
        if any(name.startswith(f"skills/{folder}/scripts/") for name in files):
            skip(f"scripts of the skill {folder}: they can be read, and are not run")
        if "allowed-tools" in head:
            skip(f"allowed-tools of the skill {folder}: a skill allows nothing")
    return found


def _head(data: bytes) -> dict[str, Any]:
    """What stands between the lines ``---`` at the beginning of a skill."""
    import yaml  # type: ignore[import-untyped]

    text = data[: LARGEST_HEAD + 8].decode("utf-8", "ignore").removeprefix("\ufeff").replace("\r\n", "\n")
    begin, _, rest = text.partition("\n")
    head, end, _ = f"\n{rest}".partition("\n---")
    if begin.strip() != "---" or not end:
        raise ValueError("its SKILL.md does not begin with its name and description between lines of ---")
    if head.count("[") + head.count("{") > 100:  # else reading it takes long
        raise ValueError("its head is too deep")
    try:
        if any(isinstance(each, yaml.AliasToken) for each in yaml.scan(head)):
            raise ValueError("its head refers to parts of itself")
        found = yaml.safe_load(head)
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError) as error:  # of odd values, too
        raise ValueError(f"its head is no YAML: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("its head is no table")
    return found


def _rest(files: Files, programs: bool) -> list[str]:
    """What lies in a package beside skills and servers: programs can read it, nobody else does."""
    tops = {name.partition("/")[0]: "/" if "/" in name else "" for name in files}
    left = [name for name in sorted(tops) if name not in (MANIFEST, servers.NAME, "skills")]
    left = [name for name in left if not _PAPERS.fullmatch(name)]
    if programs:  # their own code and data
        left = [name for name in left if name in _KNOWN or re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+){2,}", name)]
    shown = [f"{clean(name, 60)}{tops[name]}: the format has no such thing" for name in left[:50]]
    return shown + ([f"{len(left) - 50} more files and folders"] if len(left) > 50 else [])


def _digest(files: Files) -> str:
    found = hashlib.sha256()
    for name in sorted(files):
        found.update(f"{name}\0{hashlib.sha256(files[name].data).hexdigest()}\n".encode())
    return found.hexdigest()[:12]
