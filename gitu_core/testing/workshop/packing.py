"""Rules about the distribution and the manifest, read without running anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gitu_core.errors import ManifestError
from gitu_core.testing.workshop.rules import Finding, at, rule
from gitu_core.testing.workshop.source import Source

Found = Iterator[Finding | str]
_VERSION = re.compile(r"v?(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9.]+)?")
_NEED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^]]*\])?\s*(@.*|\(?[<>=!~].*)?", re.DOTALL)


def _project(source: Source) -> Path:
    return source.folder / "pyproject.toml"


@rule("manifest", "error", "bronze")
def manifest(source: Source) -> Found:
    """A manifest lies in the package, can be read, and has the id of the entry point."""
    file = source.manifest_file
    write = f"write it: PYTHONPATH=src gitu manifest {source.package.name} --write"
    if not file.is_file():
        yield at(source, file, "there is no manifest", write)
    elif isinstance(source.manifest, ManifestError):
        yield at(source, file, source.manifest.message.removeprefix(f"{file}: "), source.manifest.hint or write)
    elif source.manifest.id != source.id:
        yield at(source, file, f"its id is {source.manifest.id!r}, the entry point is called {source.id!r}",
                 "give both the same name")  # fmt: skip
    else:
        yield f"{source.where(file)}: {len(source.manifest.contributes)} contributions"


@rule("entry-point", "error", "bronze")
def entry_point(source: Source) -> Found:
    """There is one entry point in the group gitu.plugins, and it names the package."""
    hint = f'write under [project.entry-points."gitu.plugins"]: {source.id} = "{source.package.name}"'
    if len(source.points) != 1:
        yield at(source, _project(source), f"{len(source.points)} entry points in the group gitu.plugins", hint)
    else:
        yield f"{source.id} = {source.points[source.id]}"


@rule("version", "error", "bronze")
def version(source: Source) -> Found:
    """The version is one that installers can order."""
    said = str(source.project.get("version", ""))
    if _VERSION.fullmatch(said):
        yield f"version {said}"
    elif "version" in source.project.get("dynamic", ()):
        yield "the build says the version"
    else:
        yield at(source, _project(source), f"{said!r} is no version", 'write version = "0.1.0" under [project]')


@rule("dependencies", "error", "silver")
def dependencies(source: Source) -> Found:
    """Every dependency has a lower bound, and gitu-core is one of them."""
    needs = [str(each) for each in source.project.get("dependencies", ())]
    names = set()
    for need in needs:
        found = _NEED.fullmatch(need.partition(";")[0])
        if found is None:
            yield at(source, _project(source), f"{need!r} is no requirement", "write NAME>=VERSION")
            continue
        names.add(found[1].lower().replace("_", "-"))
        if not re.search(r"[~=>]=|>|@", (found[2] or "").replace("!=", "").replace("<=", "")):
            yield at(source, _project(source), f"{need!r} has no lower bound",
                     f"say the oldest version that it was tried with: {found[1]}>=...")  # fmt: skip
    if "gitu-core" not in names:
        yield at(source, _project(source), "it does not depend on gitu-core", 'add "gitu-core>=0.1" to dependencies')
    yield ", ".join(needs)


@rule("py-typed", "error", "silver")
def py_typed(source: Source) -> Found:
    """The package says that it is typed."""
    file = source.package / "py.typed"
    if file.is_file():
        yield source.where(file)
    else:
        yield at(source, file, "there is no py.typed", "make an empty file of that name in the package")


@rule("licence", "warning", "silver")
def licence(source: Source) -> Found:
    """It says under which licence others may use it."""
    said = source.project.get("license")
    if said:
        yield f"licence {said if isinstance(said, str) else said.get('text') or said.get('file')}"
    else:
        yield at(source, _project(source), "nobody may use it: no licence is named",
                 'choose one: license = "Apache-2.0" under [project]')  # fmt: skip


@rule("isolated", "warning", "platinum", exempt=True)
def isolated(source: Source) -> Found:
    """It runs in a process of its own."""
    if source.said.isolation == "process":
        yield 'isolation = "process"'
    else:
        yield at(source, source.manifest_file, "it runs inside the host",
                 'set isolation = "process", or say in quality.toml why it cannot')  # fmt: skip


@rule("injected", "warning", "platinum", exempt=True)
def injected(source: Source) -> Found:
    """No secret is revealed to it: the host puts them into requests."""
    shown = [each.name for each in source.said.capabilities.secrets if each.mode == "revealed"]
    for name in shown:
        yield at(source, source.manifest_file, f"the secret {name} is revealed to it",
                 'use mode = "injected", or say in quality.toml why it must see it')  # fmt: skip
    yield f"{len(shown)} secrets are revealed"
