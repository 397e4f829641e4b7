"""Runs the commands of a page in a folder of their own, offline, with a home folder of their own."""

import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.docs.blocks import ROOT

_BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


class Shell:
    """A reader at the keyboard. What ``pip`` does is done without a network and without touching this environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self._site = folder / "site"
        self._home = folder / "home"
        for each in (self.folder, self._site, self._home):
            each.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """What a command sees: no key, no settings, and the plugins that were installed here."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_PROCESS_START") if name in os.environ}
        paths = os.pathsep.join(map(str, (self._site, ROOT)))
        return {**kept, "HOME": str(self._home), "GITU_HOME": str(self._home), "PYTHONPATH": paths, "NO_COLOR": "1",
                "PYTHONUNBUFFERED": "1"}  # fmt: skip

    def run(self, command: str) -> tuple[int, str]:
        """Runs one command line; gives its status and all that it printed."""
        if command.startswith("pip wheel "):
            assert "--no-build-isolation" in command, "else pip fetches another hatchling, which nobody checked with"
            return self._python("-c", _BUILD, command.split("--wheel-dir ")[1].split()[0])
        if command.startswith("pip install "):
            # A wheel of pure Python is installed by unpacking it.
            with zipfile.ZipFile(self.folder / command.split()[-1]) as wheel:
                wheel.extractall(self._site)
            return 0, ""
        words = shlex.split(command)
        given = {}
        while words and (found := re.fullmatch(r"([A-Z_]+)=(.*)", words[0])):
            given[found[1]] = found[2]
            words.pop(0)
        if words[0] == "gitu":
            words[:1] = ["-m", "gitu_core"]
        elif words[0] == "python":
            words = words[1:]
        else:
            raise AssertionError(f"the tests know no command {words[0]!r}")
        return self._python(*words, **given)

    def _python(self, *words: str, **given: str) -> tuple[int, str]:
        environment = self.environment
        if "PYTHONPATH" in given:
            given["PYTHONPATH"] = os.pathsep.join((given["PYTHONPATH"], environment["PYTHONPATH"]))
        done = subprocess.run(
            [sys.executable, *words], cwd=self.folder, env={**environment, **given}, timeout=60,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip
        return done.returncode, done.stdout
