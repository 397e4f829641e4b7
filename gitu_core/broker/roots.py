"""Files for plugins, under the roots that they declare."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gitu_core.contracts.host import FileInfo
from gitu_core.errors import Denied, InputError
from gitu_core.manifest import Manifest
from gitu_core.registry.fence import outermost

_STEP = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)

PIECE = 1 << 20
"""Bytes of a file that may be read or written at once."""


class Roots:
    """Reads and writes below the folders that a plugin declares. Blocks: call it in a thread."""

    def __init__(self, manifest: Manifest) -> None:
        self._plugin = manifest.id
        self._roots = outermost(manifest.capabilities.files)

    def list(self, path: str) -> list[FileInfo]:
        """What is in a folder, by name."""
        with _in_words(path), self._opened(path, os.O_RDONLY, stat.S_ISDIR) as folder, os.scandir(folder) as entries:
            found = sorted((each.name, each.stat(follow_symlinks=False)) for each in entries)
        return [
            FileInfo(os.path.join(path, name), about.st_size, stat.S_ISDIR(about.st_mode), about.st_mtime)
            for name, about in found
        ]

    def read(self, path: str, offset: int, size: int) -> bytes:
        """A piece of a file."""
        with _in_words(path), self._opened(path, os.O_RDONLY) as file:
            return os.pread(file, min(max(0, size), PIECE), max(0, offset))

    def write(self, path: str, data: bytes, append: bool) -> None:
        """Writes or extends a file."""
        if len(data) > PIECE:
            raise InputError(f"{len(data)} bytes at once, {PIECE} are allowed", hint="append smaller pieces")
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
        with _in_words(path), self._opened(path, flags) as file, open(file, "wb", closefd=False) as stream:
            stream.write(data)

    @contextmanager
    def _opened(self, path: str, flags: int, kind: Callable[[int], bool] = stat.S_ISREG) -> Iterator[int]:
        """What is there, opened where it was found to be, folder by folder: a link that anybody puts in place of one of
        them meanwhile leads nowhere."""
        wanted = self._inside(path)
        with ExitStack() as held:
            here = os.open(wanted.anchor, _STEP)
            held.callback(os.close, here)
            for part in wanted.parts[1:-1]:
                here = os.open(part, _STEP, dir_fd=here)
                held.callback(os.close, here)
            # Without waiting: whoever opens a pipe would wait for its other end.
            flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            number = os.open(wanted.name or ".", flags, 0o600, dir_fd=here)
            held.callback(os.close, number)
            if not kind(os.fstat(number).st_mode):
                raise InputError(f"{path[:200]}: this is not what it is taken for", hint="look at the path")
            yield number

    def _inside(self, path: str) -> Path:
        if "\0" in path or not self._roots:
            raise InputError(f"{path[:200]!r} is no path below a declared folder", hint="declare files = [...]")
        wanted = (self._roots[0] / Path(path).expanduser()).resolve()
        if not any(wanted.is_relative_to(root.resolve()) for root in self._roots):
            raise Denied(f"plugin {self._plugin} does not declare {path[:200]}",
                         hint="add its folder to files in gitu-plugin.toml", path=path[:200])  # fmt: skip
        return wanted


@contextmanager
def _in_words(path: str) -> Iterator[None]:
    """An error of the file system, with the path that was asked for."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path[:200]}: {error.strerror or error}", hint="look at the path") from error
