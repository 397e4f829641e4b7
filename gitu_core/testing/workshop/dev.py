"""``gitu dev``: asks a plugin that lies in a folder, and again at every change of its sources."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from platformdirs import user_cache_path

from gitu_core.registry.scan import GROUP, Stamp, stamp
from gitu_core.testing.workshop.shapes import painted
from gitu_core.testing.workshop.source import Source, from_folder

PAUSE = 0.2
"""Seconds between two looks at the files."""

_WATCHED = (".py", ".toml", ".md", ".json")


def run(options: argparse.Namespace) -> int:
    """Runs until it is interrupted, or until the person leaves the chat."""
    source = from_folder(options.plugin.resolve())
    with tempfile.TemporaryDirectory() as folder:
        _install(source, Path(folder))
        while True:
            again = _round(source, Path(folder), options.message, options.model)
            if again is not None:
                return again


def _install(source: Source, folder: Path) -> None:
    """Makes the plugin known, as an installer would: it is read from where it is written."""
    info = folder / f"{source.package.name}-0.dist-info"
    info.mkdir()
    name, version = source.project.get("name", source.id), source.project.get("version", "0")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    points = "\n".join(f"{name} = {value}" for name, value in source.points.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n", "utf-8")


def _round(source: Source, folder: Path, message: str, model: str) -> int | None:
    """Manifest, checks, and the plugin at work, until a file changes: then None."""
    seen = watched(source.folder)
    print(painted(f"--- {source.id}", 1), flush=True)
    home = user_cache_path("gitu") / "dev" / source.id
    gitu = [sys.executable, "-m", "gitu_core"]
    paths = [str(source.package.parent), str(folder), *filter(None, sys.path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def done(*words: str, quiet: bool = False) -> bool:
        out = subprocess.DEVNULL if quiet else None
        return subprocess.run([*gitu, *words], env=env, stdout=out, check=False).returncode == 0

    right = done("manifest", source.package.name, "--write", quiet=True)
    seen[str(source.manifest_file)] = stamp(str(source.manifest_file))  # we wrote it ourselves just now
    right = right and done("check", str(source.folder), "--fast", "--brief")
    if right and done("--home", str(home), "plugins", "enable", source.id, "--fast", quiet=True):
        words = ["ask", message] if message else ["chat"]
        process = subprocess.Popen(
            [*gitu, "--home", str(home), *words, *(["--model", model] if model else [])], env=env
        )
        try:
            while process.poll() is None and watched(source.folder) == seen:
                time.sleep(PAUSE)
            if process.returncode is not None and not message:
                return process.returncode
        finally:
            _end(process)
    while watched(source.folder) == seen:
        time.sleep(PAUSE)
    return None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def watched(folder: Path) -> dict[str, Stamp]:
    """The stamps of the files whose change counts."""
    found = {}
    for where, below, names in os.walk(folder):
        below[:] = [each for each in below if each[0] not in "._" and each not in ("dist", "build")]
        found.update({path: stamp(path) for name in names if name.endswith(_WATCHED)
                      for path in [os.path.join(where, name)]})  # fmt: skip
    return found
