"""Describes a plugin without a manifest in a child process, once for each version of its code.

The child is the same interpreter with a time limit, limits on processor time and memory where the platform
has them, no input, nothing of the environment but PATH, HOME and LANG, behind the fence that plugins in
processes of their own live behind. Only plugins that the operator enabled come here: where the platform has no
fence, a plain child is one against accidents, not against malice.
"""

from __future__ import annotations

import contextlib
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
from gitu_core.registry.fence import Fence, apply, around
from gitu_core.registry.scan import Found, Source, Trouble, source_files

OUTPUT_LIMIT = 1 << 20
"""Bytes that a description may have."""

MEMORY = 2 << 30
"""Bytes that the child may take."""

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
    fenced: bool = False


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
    own = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    # The interpreter's own path first, as in this process, so that a plugin shadows nothing.
    places = [os.path.abspath(folder) for folder in (*sys.path, own, *path, found.location)]
    task: dict[str, Any] = {
        "path": list(dict.fromkeys(places)),
        "name": found.name,
        "value": found.value,
        "seconds": limit,
    }
    task["read"] = around((sys.prefix, sys.base_prefix, *task["path"]), str(home))
    answer = _ask(task, limit)
    source: Source = "fenced" if answer.fenced else "child"
    return msgspec.structs.replace(found, manifest=answer.manifest, trouble=answer.trouble, source=source)


def _ask(task: dict[str, Any], limit: float) -> Answer:
    """Runs the child and reads its answer from a file of its own, which the plugin's output never reaches."""
    with tempfile.TemporaryFile() as answer:
        task["fd"] = answer.fileno()
        command = [sys.executable, "-I", "-B", "-c", _BOOT, msgspec.json.encode(task).decode()]
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
        end = f"signal {-code}" if code < 0 else f"exit code {code}"
        return _failed(f"its import ended the process ({end})", "see what its module does when it is imported")


def _failed(what: str, hint: str) -> Answer:
    return Answer(trouble=Trouble(what, hint))


# ---- inside the child --------------------------------------------------------------------------------------


def main(task: dict[str, Any]) -> None:
    """Describes the entry point of *task* and ends the process, so that no plugin's thread or exit handler
    goes on.
    """
    os.set_inheritable(task["fd"], False)
    _limit(int(task["seconds"]) + 1)
    walls = apply(Fence(read=tuple(task["read"]), memory=MEMORY))
    answer = _answer(task["name"], task["value"])
    answer.fenced = any("Landlock" in wall for wall in walls)
    data = msgspec.json.encode(answer)[: OUTPUT_LIMIT + 1]
    while data:
        data = data[os.write(task["fd"], data) :]
    os._exit(0)


def _limit(seconds: int) -> None:
    """Bounds processor time, where the platform has such a limit."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


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
        return Answer(trouble=Trouble(error.message, error.hint))
