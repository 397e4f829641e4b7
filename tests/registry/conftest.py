"""Builds small plugin distributions on disk, as an installer leaves them behind."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitu_core.errors import PluginError
from gitu_core.manifest import Manifest
from gitu_core.registry import PluginStatus, Registry
from gitu_core.registry.describe import RecordingHost

TOOL = '''
from gitu_core import tool

@tool
def {name}() -> str:
    """Says {name}."""
    return "{name}"
'''


class Site:
    """A folder that distributions are installed into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def install(
        self, id: str, code: str, manifest: str | None = "", *, value: str = "", version: str = "1.0", name: str = ""
    ) -> Path:
        """Writes package ``x_<id>`` with *code* and its metadata. *manifest* is TOML below the id; None =
        none.
        """
        package = f"x_{id.replace('-', '_')}"
        home = self.folder / package
        home.mkdir(exist_ok=True)
        (home / "__init__.py").write_text(textwrap.dedent(code))
        if manifest is not None:
            (home / "gitu-plugin.toml").write_text(f'id = "{id}"\n' + textwrap.dedent(manifest))
        name = name or f"x-{id}"
        info = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[gitu.plugins]\n{id} = {value or package}\n")
        (info / "RECORD").write_text(f"{package}/__init__.py,,\n{info.name}/METADATA,,\n")
        self.settle()
        return home

    def tool(self, id: str, tool: str, **options: Any) -> Path:
        """Installs a plugin with one tool and the manifest that fits it."""
        code = TOOL.format(name=tool) + f"\ndef gitu_tools(host):\n    return [{tool}]\n"
        return self.install(id, code, tool_manifest(tool), **options)

    def settle(self) -> None:
        """Makes the folder's last change lie a while back, as it does by the time anybody looks."""
        was = os.stat(self.folder).st_mtime_ns
        os.utime(self.folder, ns=(was - 10**10, was - 10**10))


def tool_manifest(*names: str) -> str:
    """What `gitu manifest` writes for functions like `TOOL`."""
    lines = ["[contracts]", "tool = 1", "[hooks]", "gitu_tools = 0"]
    for name in names:
        schema = '{"type": "object", "properties": {}, "additionalProperties": false}'
        spec = f'{{"name": "{name}", "description": "Says {name}.", "input_schema": {schema}}}'
        lines += ["[[contributes]]", 'seam = "tool"', f'name = "{name}"', f"spec = '''{spec}'''"]
    return "\n".join(lines) + "\n"


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the tests run on."""
    return "asyncio"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty folder of installed distributions."""
    path = list(sys.path)
    yield Site(tmp_path / "site")
    sys.path[:] = path


@pytest.fixture
def reports() -> list[PluginError]:
    """Everything that the registry reported."""
    return []


Make = Callable[..., Registry]


@pytest.fixture
def make(site: Site, tmp_path: Path, reports: list[PluginError]) -> Make:
    """Makes a registry over the site, in which everything is enabled unless the test says otherwise."""

    def registry(**options: Any) -> Registry:
        options.setdefault("enabled", lambda id, manifest: True)
        options.setdefault("path", [str(site.folder)])
        options.setdefault("report", reports.append)
        return Registry(tmp_path / "home", host_for=host_for, **options)

    return registry


def host_for(manifest: Manifest) -> Any:
    """A host for plugins that ask nothing of it."""
    return RecordingHost(manifest.id)


def status(registry: Registry, id: str) -> PluginStatus:
    """The status of the first plugin with this id."""
    return next(each for each in registry.plugins() if each.id == id)
