"""Describes a plugin without a manifest in a child process, once for each version of its code.

The child is the same interpreter with a time limit, limits on processor time and memory where the platform
has them, no input, nothing of the environment but PATH, HOME and LANG; in bubblewrap without network, where
that is installed. Only plugins that the operator enabled come here: a plain child is a fence against
accidents, not against malice.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitu_core.errors import LoadError, PluginError
from gitu_core.isolation import blamed
from gitu_core.manifest import Manifest, check
from gitu_core.registry.scan import Found, Trouble, source_files, trouble_of

OUTPUT_LIMIT = 1 << 20
"""Bytes that a description may have."""

MEMORY = 2 << 30
"""Bytes that the child may take, and write to one file."""

_BOOT = """
import json, sys
task = json.loads(sys.argv[1])
sys.path[:] = task["path"]
from gitu_core.registry.jail import main
main(task)
"""


class Answer(msgspec.Struct, omit_defaults=True):
    """What the child says: a manifest, or what went wrong."""

    manifest: Manifest | None = None
    trouble: Trouble | None = None


def digest_of(found: Found) -> str:
    """Names the code of a plugin by its content, together with what reads it."""
    digest = hashlib.sha256(f"1 {sys.implementation.cache_tag} {found.name} {found.value}".encode())
    for file in source_files(found.value.partition(":")[0], found.location):
        digest.update(f"\0{file}\0".encode())
        try:
            digest.update(hashlib.sha256(Path(file).read_bytes()).digest())
        except OSError:  # unreadable is content too: it changes the digest once it can be read
            digest.update(b"unreadable")
    return digest.hexdigest()


def describe_in_child(found: Found, path: Sequence[str], home: Path, limit: float) -> Found:
    """*found* with the manifest that its code amounts to, or with the trouble that came of asking. Blocks, at most
    *limit* seconds."""
    source = "bubblewrap" if bubblewrap() else "child"
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # The interpreter's own path first, as in this process, so that a plugin shadows nothing.
    places = [os.path.abspath(folder) for folder in (*sys.path, own, *path, found.location)]
    task = {"path": list(dict.fromkeys(places)), "name": found.name, "value": found.value, "seconds": limit}
    answer = _ask(task, limit, home, jailed=source == "bubblewrap")
    return msgspec.structs.replace(found, manifest=answer.manifest, trouble=answer.trouble, source=source)


def _ask(task: dict[str, Any], limit: float, home: Path, *, jailed: bool) -> Answer:
    """Runs the child and reads its answer from a file of its own, which the plugin's output never reaches."""
    with tempfile.TemporaryFile() as answer:
        task["fd"] = answer.fileno()
        command = [sys.executable, "-I", "-B", "-c", _BOOT, msgspec.json.encode(task).decode()]
        if jailed:
            command = [*_fence(task["path"], home), *command]
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=(answer.fileno(),), env=keep, cwd=os.sep, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            hint = "free some memory or processes, then try again"
            return _failed(f"no child process can be started: {error}", hint)
        late = _wait(child, limit)
        answer.seek(0)
        return _understand(answer.read(OUTPUT_LIMIT + 1), late, child.returncode, limit)


def _wait(child: subprocess.Popen[bytes], limit: float) -> bool:
    """Waits for the end of the child and ends all that it started; True if it was ended because time ran out."""
    began = time.monotonic()
    timer = threading.Timer(limit, child.kill)  # not `wait(limit)`, which looks again and again
    timer.start()
    try:
        child.wait()
    finally:
        timer.cancel()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left of its group
            os.killpg(child.pid, signal.SIGKILL)
    return time.monotonic() - began >= limit


def _understand(data: bytes, late: bool, code: int, limit: float) -> Answer:
    if late:
        return _failed(f"its import did not end within {limit:g} s", "see what its module does when it is imported")
    if len(data) > OUTPUT_LIMIT:
        return _failed("it describes itself in more than a mebibyte", "write shorter descriptions")
    try:
        return msgspec.json.decode(data, type=Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # Bubblewrap tells a signal the way a shell does.
        signalled = -code if code < 0 else code - 128 if code > 128 else 0
        end = f"signal {signalled}" if signalled else f"exit code {code}"
        return _failed(f"its import ended the process ({end})", "see what its module does when it is imported")


def _failed(what: str, hint: str) -> Answer:
    return Answer(trouble=Trouble(what, hint))


@functools.cache
def bubblewrap() -> str:
    """The path of a bubblewrap that works here, or an empty text: some containers have it in vain."""
    import shutil

    program = shutil.which("bwrap")
    if program is None:
        return ""
    probe = [program, "--ro-bind", "/", "/", "--unshare-all", "--cap-drop", "ALL", "true"]
    try:
        done = subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return program if done.returncode == 0 else ""


def _fence(path: Sequence[str], home: Path) -> list[str]:
    """The bubblewrap command: no network, nothing writable, temporary files and Gitu's home out of sight."""
    fence = [
        bubblewrap(), "--unshare-all", "--unshare-user", "--uid", "65534", "--cap-drop", "ALL",
        "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
        "--tmpfs", tempfile.gettempdir(), *(("--tmpfs", str(home)) if home.is_dir() else ()),
    ]  # fmt: skip
    # Code may lie below the folders that were just hidden; it comes back, read-only.
    for folder in dict.fromkeys([sys.prefix, sys.base_prefix, *path]):
        if os.path.exists(folder):
            fence += ["--ro-bind", folder, folder]
    return fence


# ---- inside the child --------------------------------------------------------------------------------------


def main(task: dict[str, Any]) -> None:
    """Describes the entry point of *task* and ends the process, so that no plugin's thread or exit handler
    goes on.
    """
    os.set_inheritable(task["fd"], False)
    _limit(int(task["seconds"]) + 1)
    data = msgspec.json.encode(_answer(task["name"], task["value"]))[: OUTPUT_LIMIT + 1]
    while data:
        data = data[os.write(task["fd"], data) :]
    os._exit(0)


def _limit(seconds: int) -> None:
    """Bounds processor time, memory and files, where the platform has such limits."""
    try:
        import resource
    except ImportError:
        return
    limits = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_AS: MEMORY, resource.RLIMIT_FSIZE: MEMORY,
              resource.RLIMIT_CORE: 0}  # fmt: skip
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        within = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (within, within))


def _answer(name: str, value: str) -> Answer:
    import anyio

    from gitu_core.registry.describe import RecordingHost, describe
    from gitu_core.registry.loading import import_plugin

    async def run() -> Manifest:
        with blamed(LoadError, "its import ", "see what its module does when it is imported"):
            manifest = await describe(import_plugin(name, value), RecordingHost(name.lower()))
            check(manifest, f"the entry point {name}")
            return manifest

    try:
        return Answer(manifest=anyio.run(run))
    except PluginError as error:
        return Answer(trouble=trouble_of(error))
