"""Writes wheels by hand, good ones and bad ones."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

TOOL = '''"""A lamp."""

from gitu_core import tool
{more}

@tool
def {name}_colour(number: int) -> str:
    """Tells the colour of a {name} by its number."""
    return f"The {name} {{number}} is {colour}."
'''

MANIFEST = """id = "{id}"
title = "{title}"

[contracts]
tool = 1

[hooks]
gitu_tools = 0

[[contributes]]
seam = "tool"
name = "{id}_colour"
description = "Tells the colour of a {id} by its number."
spec = \'\'\'{{"name": "{id}_colour", "description": "Tells the colour of a {id} by its number.", "input_schema":
{{"type": "object", "properties": {{"number": {{"type": "integer"}}}}, "required": ["number"],
"additionalProperties": false}}}}\'\'\'

[capabilities]
{capabilities}
"""


def digest(data: bytes) -> str:
    """The hash of a file as the record of a wheel has it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write_wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str], *, entry: str = "", requires: Sequence[str] = (),
    metadata: str = "", extra: Sequence[tuple[zipfile.ZipInfo, bytes]] = (), tag: str = "py3-none-any",
) -> Path:  # fmt: skip
    """A wheel with *files*; *extra* is put in as it is, with a record that fits."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    members = {**files, f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: {tag}\n"}
    members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}{needs}"
    if entry:
        members[f"{info}/entry_points.txt"] = f"[gitu.plugins]\n{entry}\n"
    record = [f"{info}/RECORD,,"]
    wheel = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in members.items():
            archive.writestr(zipfile.ZipInfo(path), text)
            record.append(f"{path},{digest(text.encode())},{len(text.encode())}")
        for member, data in extra:
            archive.writestr(member, data)
            record.append(f'"{member.filename}",{digest(data)},{len(data)}')
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "\n".join(record) + "\n")
    return wheel


def write_plugin(
    folder: Path, id: str, version: str = "1.0", *, colour: str = "green", capabilities: str = "", more: str = "",
    name: str = "", title: str = "", requires: Sequence[str] = (), manifest: str | None = "",
    extra: Sequence[tuple[zipfile.ZipInfo, bytes]] = (), metadata: str = "",
) -> Path:  # fmt: skip
    """A wheel of a plugin whose only tool tells a colour; *colour* may be any expression in braces."""
    code = TOOL.format(name=id, colour=colour, more=more) + f"\n\ndef gitu_tools(host):\n    return [{id}_colour]\n"
    files = {f"x_{id}/__init__.py": code}
    if manifest is not None:
        text = manifest or MANIFEST.format(id=id, title=title or f"Colours of {id}s", capabilities=capabilities)
        files[f"x_{id}/gitu-plugin.toml"] = text
    return write_wheel(
        folder, name or f"x-{id}", version, files, entry=f"{id} = x_{id}", requires=requires, extra=extra,
        metadata=metadata,
    )  # fmt: skip
