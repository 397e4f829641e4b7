"""What the process of an isolated plugin is given, and what the system tells of it."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from secrets import token_hex

import anyio
import anyio.to_thread
import msgspec

from gitu_core.locks import lock
from gitu_core.registry.fence import around
from gitu_core.registry.scan import Found, package_folder
from gitu_core.registry.treaty import RUNTIME

CROWD = 256
"""Threads and processes that a worker may be and start."""

MOST_FILES = 2_000
"""Files that a worker may keep in its folder."""


@contextlib.asynccontextmanager
async def folder_for(home: Path, id: str) -> AsyncIterator[str]:
    """A folder that a worker may write to; it is removed with it, in a thread: nobody knows how much lies there. Those
    whose lock nobody holds were left by a host that was killed, and are removed as well."""
    remove = partial(shutil.rmtree, ignore_errors=True)
    for left in (home / "tmp").glob("*.lock"):
        if (number := lock(left)) is not None:
            await anyio.to_thread.run_sync(remove, left.with_suffix(""))
            left.unlink(missing_ok=True)
            os.close(number)
    folder = home / "tmp" / f"{id}-{token_hex(8)}"
    while (held := lock(folder.with_name(f"{folder.name}.lock"))) is None:  # noqa: ASYNC110 - taken for one that was left
        await anyio.sleep(0.01)
    try:
        folder.mkdir(mode=0o700)
        yield str(folder)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(remove, folder)
        folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)
        os.close(held)


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


def use(pid: int, programs: bool) -> tuple[float, int, float]:
    """What a worker takes, with the *programs* that it started where it may: seconds of processor time, threads and
    processes, bytes in files that have no name any more; 0 where nobody can tell."""
    seconds, tasks, nameless = 0.0, 0, 0.0
    for each in filter(str.isdigit, os.listdir("/proc")) if programs and os.path.isdir("/proc") else [str(pid)]:
        with contextlib.suppress(OSError):  # it may be gone by now
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            if each != str(pid) and fields[3] != str(pid):  # the session, which nobody in it can leave
                continue
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            tasks += int(fields[17])
            for number in os.listdir(f"/proc/{each}/fd"):
                with contextlib.suppress(OSError):
                    about = os.stat(f"/proc/{each}/fd/{number}")
                    nameless += 0 if about.st_nlink else about.st_blocks * 512
    return seconds, tasks, nameless


def enclosed(pid: int) -> Path | None:
    """The cgroup that holds a worker and all that it starts, and no more than `CROWD` of them; None where this process
    may make none: beside its own in version 2, in its own before."""
    for line in Path("/proc/self/cgroup").read_text().splitlines() if os.path.exists("/proc/self/cgroup") else ():
        _, names, path = line.split(":", 2)
        if names in ("", "pids"):
            group = Path(f"/sys/fs/cgroup/{names}{path if names else os.path.dirname(path)}", f"gitu-{pid}")
            for left in group.parent.glob("gitu-*"):
                with contextlib.suppress(OSError):  # somebody is in there
                    left.rmdir()
            try:
                group.mkdir(exist_ok=True)
                (group / "pids.max").write_text(str(CROWD))
                (group / "cgroup.procs").write_text(str(pid))
                return group
            except OSError:
                with contextlib.suppress(OSError):
                    group.rmdir()
    return None


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
