"""Finds plugins in the folders of a path and reads their manifests. Imports no plugin and runs none of its
code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import takewhile
from typing import Literal

import msgspec

from gitu_core.errors import ManifestError
from gitu_core.manifest import FILE_NAME, Manifest, read

GROUP = "gitu.plugins"
"""The group of entry points that makes a distribution a plugin."""

Stamp = tuple[int, int, int]
"""Modification time in nanoseconds, size in bytes and inode of a file; all 0 where there is none."""

Source = Literal["", "file", "fenced", "child", "local"]
"""Where a manifest comes from: nowhere yet, its file, a jailed or a plain child process, the embedder's own
object.
"""

_MOST_FILES = 256


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a plugin cannot be used: what happened, and the next step."""

    message: str
    hint: str = ""


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """A plugin as it was found. `stamps` are the files that were read; a changed one makes it out of date."""

    distribution: str
    version: str
    name: str
    value: str
    location: str
    info: str
    file: str = ""
    manifest: Manifest | None = None
    source: Source = ""
    trouble: Trouble | None = None
    stamps: dict[str, Stamp] = {}

    @property
    def id(self) -> str:
        """The plugin's id: its manifest's, else the name of its entry point."""
        return self.manifest.id if self.manifest else self.name.lower()

    @property
    def bare(self) -> Found:
        """The plugin as it lies on disk, without what a jail said of it."""
        if self.source not in ("child", "fenced"):
            return self
        return msgspec.structs.replace(self, manifest=None, trouble=None, source="")


def stamp(path: str) -> Stamp:
    """What tells whether a file changed."""
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def unchanged(found: Found) -> bool:
    """True if every file that *found* was read from is as it was."""
    return all(stamp(path) == was for path, was in found.stamps.items())


def scan_folder(folder: str, known: list[Found]) -> list[Found]:
    """Every plugin in one folder of the path, by distribution. Those *known* that are up to date are kept."""
    kept = {(each.info, each.name, each.value): each for each in known if unchanged(each)}
    found = []
    for name in sorted(os.listdir(folder)):
        if not name.endswith((".dist-info", ".egg-info")):
            continue
        info = os.path.join(folder, name)
        text = _read(os.path.join(info, "entry_points.txt"))
        if GROUP not in text:
            continue
        for entry, value in entry_points(text):
            old = kept.get((info, entry, value))
            found.append(old if old and old.trouble is None else read_plugin(folder, info, entry, value))
    return found


def entry_points(text: str) -> Iterator[tuple[str, str]]:
    """The names and values of the group in an ``entry_points.txt``, in order."""
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and line and line[0] not in "#;":
            name, equals, value = line.partition("=")
            if equals:
                # An extra behind the value ("module:thing [extra]") plays no part in loading.
                yield name.strip(), value.partition("[")[0].strip()


def read_plugin(folder: str, info: str, name: str, value: str) -> Found:
    """Reads what is known of one entry point: its distribution and its manifest, or what is wrong with it."""
    points = os.path.join(info, "entry_points.txt")
    places = _manifest_places(value.partition(":")[0], folder)
    file = next(filter(os.path.isfile, places), "")
    # Where a manifest would be is watched as well, so that one which is written later is noticed.
    stamps = {path: stamp(path) for path in (points, *([file] if file else places))}
    source: Source = "file" if file else ""
    found = Found(*_identity(info), name, value, folder, info, file, source=source, stamps=stamps)
    try:
        return msgspec.structs.replace(found, manifest=read(file)) if file else found
    except ManifestError as error:
        return msgspec.structs.replace(found, trouble=Trouble(error.message, error.hint))


def _identity(info: str) -> tuple[str, str]:
    """Name and version of a distribution: from its metadata, else from the name of its folder."""
    name, _, version = os.path.basename(info).rpartition(".")[0].partition("-")
    text = _read(os.path.join(info, "METADATA")) or _read(os.path.join(info, "PKG-INFO"))
    fields = dict(line.partition(":")[::2] for line in takewhile(bool, text.splitlines()))
    name = fields.get("Name", name).strip().lower().replace("_", "-").replace(".", "-")
    return name, fields.get("Version", version).strip()


def _manifest_places(module: str, folder: str) -> list[str]:
    """Where the manifest may lie: beside the code, in its top-level package or in one further down the name."""
    top, *below = module.split(".")
    base = package_folder(top, folder)
    return [os.path.join(base, *below[:depth], FILE_NAME) for depth in range(len(below) + 1)] if base else []


def package_folder(top: str, folder: str) -> str | None:
    """The folder of a top-level package; None for a single module. An editable install has it elsewhere."""
    beside = os.path.join(folder, top)
    if os.path.isdir(beside):
        return beside
    if os.path.isfile(f"{beside}.py"):
        return None
    places = _spec_places(top)
    return next((place for place in places if os.path.isdir(place)), None)


def source_files(module: str, folder: str) -> list[str]:
    """The Python files that make up the top-level package or module that *module* belongs to, by name."""
    top = module.partition(".")[0]
    package = package_folder(top, folder)
    if package is None:
        single = os.path.join(folder, f"{top}.py")
        return [single] if os.path.isfile(single) else [place for place in _spec_places(top) if os.path.isfile(place)]
    files: list[str] = []
    for where, below, names in os.walk(package):
        below.sort()
        files += [os.path.join(where, name) for name in sorted(names) if name.endswith(".py")]
        if len(files) > _MOST_FILES:
            break
    return files[:_MOST_FILES]


def _spec_places(top: str) -> list[str]:
    """Where Python would import a top-level name from. Finding runs the import system, never the plugin."""
    from importlib.util import find_spec

    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return []
    if spec is None:
        return []
    return list(spec.submodule_search_locations or ()) or ([spec.origin] if spec.origin else [])


def _read(path: str) -> str:
    """A file as text; empty where there is none, because most distributions have no entry points."""
    try:
        with open(path, "rb") as stream:
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
