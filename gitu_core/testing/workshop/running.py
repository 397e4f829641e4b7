"""Rules that import the plugin's code, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from gitu_core.testing.workshop.rules import Broken, Finding, Unchecked, at, rule
from gitu_core.testing.workshop.source import Source

Found = Iterator[Finding | str]

SECONDS = 600
"""How long one of these processes may take."""

CPU_MS = 150
MODULES = 150
"""What importing a plugin may cost, beyond what every plugin needs of the core. Load heavy libraries when they are
first used."""

_DESCRIBE = """
import sys, json, asyncio
from gitu_core.errors import GituError
from gitu_core.manifest import read
from gitu_core.registry.describe import compare
from gitu_core.testing.workshop.manifest import describe_package
sys.stdout, out = sys.stderr, sys.stdout
try:
    folder, found = asyncio.run(describe_package(sys.argv[1]))
    said = [(each, "") for each in compare(read(sys.argv[2]), found)]
except GituError as error:
    said = [(error.message.removeprefix(f"{sys.argv[2]}: "), error.hint)]
out.write(json.dumps(said))
"""

_IMPORT = """
import sys, json, time, importlib
import gitu_core, gitu_core.contracts, gitu_core.hookspecs, gitu_core.tools
import asyncio, anyio, pydantic
sys.stdout, out = sys.stderr, sys.stdout
before, began = set(sys.modules), time.process_time()
importlib.import_module(sys.argv[1])
took = time.process_time() - began
out.write(json.dumps([took * 1000, sorted(set(sys.modules) - before)]))
"""


def python(source: Source, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with the plugin's sources on its path, in the plugin's folder. No real model can be asked."""
    paths = [str(source.package.parent), *filter(None, sys.path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MYPYPATH": str(source.package.parent),
           "GITU_BLOCK_MODELS": "1", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    command = [sys.executable, *words]
    try:
        return subprocess.run(command, cwd=source.folder, env=env, capture_output=True, encoding="utf-8",
                              errors="replace", timeout=SECONDS, stdin=subprocess.DEVNULL)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Broken(f"it took longer than {SECONDS} seconds") from error


def last(text: str) -> str:
    """The last line that says something."""
    return (text.strip().splitlines() or ["nothing was said"])[-1]


@rule("agrees", "error", "bronze", runs=True)
def agrees(source: Source) -> Found:
    """The manifest says what the code does."""
    done = python(source, "-c", _DESCRIBE, source.package.name, str(source.manifest_file))
    hint = f"write it again: PYTHONPATH=src gitu manifest {source.package.name} --write"
    if done.returncode:
        yield at(source, source.manifest_file, f"the code cannot be described: {last(done.stderr)}", hint)
        return
    for what, own in json.loads(done.stdout):
        yield at(source, source.manifest_file, what, own or hint)
    yield "hooks, contributions and contracts are as in the code"


@rule("start-up", "error", "gold", runs=True)
def start_up(source: Source) -> Found:
    """Importing it costs little: heavy libraries are loaded when they are first used."""
    package = source.package.name
    tries = [python(source, "-c", _IMPORT, package) for _ in range(2)]
    if tries[0].returncode:
        yield at(source, source.package / "__init__.py", f"it cannot be imported: {last(tries[0].stderr)}",
                 f"try: python -c 'import {package}'")  # fmt: skip
        return
    costs = [json.loads(each.stdout) for each in tries if not each.returncode]
    cpu, modules = min(cost for cost, _ in costs), costs[0][1]
    said = f"importing it costs {cpu:.0f} ms of CPU (at most {CPU_MS}) and {len(modules)} modules (at most {MODULES})"
    if cpu > CPU_MS or len(modules) > MODULES:
        heavy = sorted({name.partition(".")[0] for name in modules} - {package})
        yield at(source, source.package / "__init__.py", said,
                 f"import inside the functions that need them: {', '.join(heavy[:6])}")  # fmt: skip
    else:
        yield said


@rule("types", "error", "gold", runs=True)
def types(source: Source) -> Found:
    """mypy --strict finds nothing."""
    if find_spec("mypy") is None:
        raise Unchecked("mypy is not installed: pip install mypy")
    cache = Path(os.environ.get("MYPY_CACHE_DIR") or user_cache_path("gitu") / "mypy")
    words = ["--strict", "--no-error-summary", "--show-absolute-path", "--hide-error-context", "--cache-dir"]
    done = python(source, "-m", "mypy", *words, str(cache), str(source.package))
    if done.returncode > 1:
        raise Broken(f"mypy failed: {last(done.stdout + done.stderr)}")
    for line in done.stdout.splitlines():
        if found := re.fullmatch(r"(.+?):(\d+)(?::\d+)?: error: (.+)", line):
            yield at(source, Path(found[1]), found[3], "say the type, or correct the code", int(found[2]))
    yield f"mypy --strict {source.where(source.package)}"
