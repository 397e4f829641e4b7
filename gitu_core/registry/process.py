"""What the process of an isolated plugin is given, and what the system tells of it."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from gitu_core.registry.fence import around
from gitu_core.registry.scan import Found, package_folder
from gitu_core.registry.treaty import RUNTIME

MOST_FILES = 2_000
"""Files that a worker may keep in its folder."""


@contextlib.asynccontextmanager
async def folder_for(home: Path, id: str) -> AsyncIterator[str]:
    """A folder that a worker may write to; it is removed with it, in a thread: nobody knows how much lies there."""
    above = home / "tmp"
    above.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = tempfile.mkdtemp(prefix=f"{id}-", dir=above)
    try:
        yield folder
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))


@functools.cache
def packages(names: tuple[str, ...]) -> tuple[str, ...]:
    """Where what a worker has from its host lies."""
    specs = filter(None, map(importlib.util.find_spec, names))
    return tuple(each for spec in specs for each in spec.submodule_search_locations or (spec.origin,) if each)


def lent(found: Found) -> tuple[str, ...]:
    """What a worker has from its host. A release that was made on this machine, not by an author, names a package of
    the host that runs it; what that needs stands in its ``runtime.txt``."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, ImportError):
        name = msgspec.json.decode(Path(found.location, "release.json").read_bytes())["runtime"]
        return RUNTIME + tuple(Path(packages((name,))[0], "runtime.txt").read_text().split())
    return RUNTIME


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used; 0 where nobody can tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def size_of(folder: str) -> float:
    """Bytes in a folder; without end where there are more files than anybody would count."""
    size, left, folders = 0.0, MOST_FILES, [folder]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:  # it may be gone by now
            for each in entries:
                left -= 1
                if left < 0:
                    return float("inf")
                if each.is_dir(follow_symlinks=False):
                    folders.append(each.path)
                size += each.stat(follow_symlinks=False).st_blocks * 512
    return size


def how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "its process was ended"
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else str(-code)
        return f"its process was ended by {name}"
    return f"its process ended by itself (exit code {code})"


def places(found: Found) -> list[str]:
    """Where a plugin's code lies: what it was installed into, and its own source where that is apart."""
    folder = package_folder(found.value.partition(":")[0].partition(".")[0], found.location)
    apart = [os.path.dirname(folder)] if folder and not folder.startswith(found.location) else []
    return [found.location, *apart]


def readable(found: Found, home: Path) -> tuple[str, ...]:
    """What a worker may read."""
    return around((sys.base_prefix, *packages(lent(found)), *places(found)), str(home))
