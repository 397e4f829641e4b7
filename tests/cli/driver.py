"""Runs `gitu` as a process of its own, in a folder and a home that belong to the test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 60.0
"""How long a command may take before the test gives up."""

_PLAIN = {"NO_COLOR": "1", "GITU_BLOCK_MODELS": "1", "PYTHONIOENCODING": "utf-8"}

UNREACHABLE = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
"""A provider that has its key and a server that is not there: nobody listens at the discard port of this machine."""


def signals_as_usual() -> None:
    """What a job in the background ignores, it hands down: a test that sends signals must not depend on it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Running(subprocess.Popen[str]):
    """A process that does not outlive a test which failed, and never holds up its report."""

    def __exit__(self, kind: Any, *error: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *error)


class Cli:
    """`gitu` in *folder*, where a ``gitu.toml`` may lie. Its home lies inside; *path* are folders with plugins."""

    def __init__(self, folder: Path, *path: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.folder.mkdir(parents=True, exist_ok=True)
        foreign = ("GITU_", "OPENAI_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.env.update(_PLAIN, GITU_HOME=str(self.home))
        if path:
            self.env["PYTHONPATH"] = os.pathsep.join(map(str, path))

    def configure(self, text: str) -> None:
        """Writes the ``gitu.toml``."""
        (self.folder / "gitu.toml").write_text(text)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """A command that runs on; its three streams are pipes unless *options* of `Popen` say otherwise."""
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, "-m", "gitu_core", *words]
        given = {"preexec_fn": signals_as_usual, **pipes, **options}
        return Running(command, cwd=self.folder, env=self.env, encoding="utf-8", **given)

    def run(self, *words: str, stdin: str = "", status: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        """A command from start to end; `AssertionError` shows what it said if it ends with another *status*."""
        with self.start(*words, **options) as process:
            out, err = process.communicate(stdin, timeout=SECONDS)
        shown = f"gitu {' '.join(words)} ended with {process.returncode}\n{out}\n{err}"
        assert process.returncode == status, shown
        assert "Traceback" not in f"{err}", shown
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
