"""A plugin as its author has it: a folder with a `pyproject.toml`, an installed distribution, or an unpacked wheel."""

from __future__ import annotations

import ast
import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from gitu_core.errors import InputError, ManifestError
from gitu_core.manifest import FILE_NAME, Manifest, read
from gitu_core.registry.scan import GROUP, scan_folder


@dataclass
class Source:
    """What can be known of a plugin without running it. `project` is the table of that name, also of a wheel."""

    folder: Path
    package: Path
    project: dict[str, Any]
    points: dict[str, str] = field(default_factory=dict)
    kind: str = "folder"

    @property
    def id(self) -> str:
        """The id that its entry point gives it."""
        return next(iter(self.points), self.package.name.removeprefix("gitu_"))

    @property
    def manifest_file(self) -> Path:
        """Where the manifest is or should be."""
        return self.package / FILE_NAME

    @cached_property
    def manifest(self) -> Manifest | ManifestError:
        """The manifest, or why there is none."""
        try:
            return read(self.manifest_file)
        except ManifestError as error:
            return error

    @property
    def said(self) -> Manifest:
        """The manifest; one that says nothing where there is none."""
        return self.manifest if isinstance(self.manifest, Manifest) else Manifest(self.id)

    @property
    def tests(self) -> Path | None:
        """The folder of its tests."""
        found = self.folder / "tests"
        return found if self.kind == "folder" and found.is_dir() else None

    @cached_property
    def readme(self) -> str:
        """Its README, empty where there is none."""
        if self.kind != "folder":
            return str(self.project.get("readme_text", ""))
        try:
            return (self.folder / "README.md").read_text("utf-8", "replace")
        except OSError:
            return ""

    @cached_property
    def code(self) -> dict[Path, ast.Module]:
        """The parsed Python files of the package. `InputError` names one that cannot be parsed."""
        return dict(parsed(self.package))

    def where(self, path: Path) -> str:
        """A path as it is shown: from the plugin's folder."""
        try:
            return path.relative_to(self.folder).as_posix()
        except ValueError:
            return path.as_posix()


def parsed(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file below a folder, parsed."""
    for path in sorted(folder.rglob("*.py")):
        try:
            yield path, ast.parse(path.read_bytes(), str(path))
        except (SyntaxError, ValueError) as error:
            raise InputError(f"{path}: {error}", hint="correct it: nothing else can be checked before") from error


def find(word: str) -> Source:
    """The plugin in a folder, or the installed one with an id. `InputError` says that there is none."""
    folder = Path(word)
    if (folder / "pyproject.toml").is_file():
        return from_folder(folder.resolve())
    for place in filter(None, map(Path, sys.path)):
        for found in scan_folder(str(place), []) if place.is_dir() else ():
            if word in (found.name, found.id, found.distribution):
                return _installed(found.distribution, found.name, found.value, Path(found.info))
    hint = "name its folder, the one with the pyproject.toml, or the id of an installed plugin (see: gitu plugins)"
    raise InputError(f"there is no plugin {word!r}: no folder with a pyproject.toml, and none is installed", hint=hint)


def from_folder(folder: Path) -> Source:
    """The plugin whose `pyproject.toml` lies in a folder."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'pyproject.toml'}: {error}", hint="correct it") from error
    points = dict(project.get("entry-points", {}).get(GROUP, {}))
    name = next(iter(points.values()), str(project.get("name", "")).replace("-", "_")).partition(":")[0].split(".")[0]
    places = [folder / "src" / name, folder / name]
    package = next((each for each in places if name and each.is_dir()), None)
    if package is None:
        hint = f'put its code into src/{name or "gitu_NAME"}, and the entry point into [project.entry-points."{GROUP}"]'
        raise InputError(f"{folder} has no package {name!r}", hint=hint)
    return Source(folder, package, project, points)


def _installed(distribution: str, name: str, value: str, info: Path) -> Source:
    """An installed plugin. One that was installed from its folder, to be edited there, is that folder."""
    from importlib.metadata import PathDistribution

    meta = PathDistribution(info)
    link = json.loads(meta.read_text("direct_url.json") or "{}")
    if link.get("dir_info", {}).get("editable"):
        return from_folder(Path(url2pathname(urlsplit(link["url"]).path)))
    return from_metadata(info, info.parent / value.partition(":")[0].split(".")[0], {name: value}, "installed")


def from_metadata(info: Path, package: Path, points: dict[str, str], kind: str) -> Source:
    """A plugin of which there is the package and the metadata."""
    from importlib.metadata import PathDistribution

    found: Any = PathDistribution(info).metadata
    project: dict[str, Any] = {"name": found["Name"], "version": found["Version"]}
    needs = [each.partition(";") for each in found.get_all("Requires-Dist") or ()]
    project["dependencies"] = [need for need, _, when in needs if "extra" not in when]
    project["license"] = found.get("License-Expression") or found.get("License") or ""
    project["readme_text"] = found.get_payload()
    return Source(info.parent, package, project, points, kind)
