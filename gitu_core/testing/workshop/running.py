"""Rules that run the plugin's code, each in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from platformdirs import user_cache_path

from gitu_core.testing.workshop.rules import Finding, Unchecked, at, rule
from gitu_core.testing.workshop.source import Source, parsed

Found = Iterator[Finding | str]

SECONDS = 600
"""How long the tests of a plugin may take."""

CPU_MS = 150
MODULES = 150
"""What importing a plugin may cost, beyond what every plugin needs of the core. Load heavy libraries when they are
first used."""

KITS = {
    "adapter": "AdapterLaws", "tool": "ToolLaws", "action": "RuleActionLaws", "memory": "MemoryStoreLaws",
    "router": "ModelRouterLaws", "provider": "ModelProviderLaws", "embedder": "EmbedderLaws",
    "dispatcher": "DispatcherLaws",
}  # fmt: skip
"""The conformance kit of each seam that has one."""

_DESCRIBE = """
import sys, json, asyncio
from gitu_core.errors import GituError
from gitu_core.manifest import read
from gitu_core.registry import describe_package
from gitu_core.registry.describe import compare
sys.stdout, out = sys.stderr, sys.stdout
try:
    folder, found = asyncio.run(describe_package(sys.argv[1]))
    said = compare(read(sys.argv[2]), found)
except GituError as error:
    said = [f"{error.message} ({error.hint})"]
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


def _python(source: Source, *words: str) -> subprocess.CompletedProcess[str]:
    """Python with the plugin's sources on its path, in the plugin's folder. No real model can be asked."""
    paths = [str(source.package.parent), *filter(None, sys.path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MYPYPATH": str(source.package.parent),
           "GITU_BLOCK_MODELS": "1", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    command = [sys.executable, *words]
    try:
        return subprocess.run(command, cwd=source.folder, env=env, capture_output=True, encoding="utf-8",
                              errors="replace", timeout=SECONDS, stdin=subprocess.DEVNULL)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unchecked(f"it took longer than {SECONDS} seconds") from error


def _last(text: str) -> str:
    """The last line that says something."""
    return (text.strip().splitlines() or ["nothing was said"])[-1]


@rule("agrees", "error", "bronze", runs=True)
def agrees(source: Source) -> Found:
    """The manifest says what the code does."""
    done = _python(source, "-c", _DESCRIBE, source.package.name, str(source.manifest_file))
    hint = f"write it again: PYTHONPATH=src gitu manifest {source.package.name} --write"
    if done.returncode:
        yield at(source, source.manifest_file, f"the code cannot be described: {_last(done.stderr)}", hint)
        return
    for each in json.loads(done.stdout):
        yield at(source, source.manifest_file, each, hint)
    yield "hooks, contributions and contracts are as in the code"


@rule("start-up", "error", "gold", runs=True)
def start_up(source: Source) -> Found:
    """Importing it costs little: heavy libraries are loaded when they are first used."""
    package = source.package.name
    tries = [_python(source, "-c", _IMPORT, package) for _ in range(2)]
    if tries[0].returncode:
        yield at(source, source.package / "__init__.py", f"it cannot be imported: {_last(tries[0].stderr)}",
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
    done = _python(source, "-m", "mypy", *words, str(cache), str(source.package))
    if done.returncode > 1:
        raise Unchecked(f"mypy failed: {_last(done.stdout + done.stderr)}")
    for line in done.stdout.splitlines():
        if found := re.fullmatch(r"(.+?):(\d+)(?::\d+)?: error: (.+)", line):
            yield at(source, Path(found[1]), found[3], "say the type, or correct the code", int(found[2]))
    yield f"mypy --strict {source.where(source.package)}"


@rule("laws", "error", "silver", runs=True)
def laws(source: Source) -> Found:
    """It has tests, and they pass."""
    if source.kind == "folder" and source.tests is None:
        yield Finding("there are no tests", "write some, and run the conformance kit of each seam in them", "tests")
        return
    cases = _tested(source)
    for case in cases:
        broken = next((each for each in case if each.tag in ("failure", "error")), None)
        if broken is not None:
            name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
            what = (broken.get("message") or "it failed").strip().splitlines()[0]
            yield Finding(f"{name}: {what[:300]}", "run it alone: pytest -k, and correct it", _file(case))
    skipped = sum(1 for case in cases if case.find("skipped") is not None)
    kits = ", ".join(sorted(kits_of(source))) or "no kit"
    yield f"{len(cases) - skipped} tests ran, {skipped} were skipped; they run {kits}"


def _file(case: ElementTree.Element) -> str:
    """The file of a test; its class name ends with the class, where there is one."""
    parts = [each for each in case.get("classname", "").split(".") if not each.startswith("Test")]
    return f"{'/'.join(parts)}.py"


def _tested(source: Source) -> list[ElementTree.Element]:
    """What became of every test. Run once for all rules that want to know."""
    known: list[ElementTree.Element] | None = source.__dict__.get("_tested")
    if known is not None:
        return known
    if source.tests is None:
        raise Unchecked("there are no tests; name the folder of the plugin to run them")
    if find_spec("pytest") is None:
        raise Unchecked("pytest is not installed: pip install 'gitu-core[testing]'")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "junit.xml")
        done = _python(source, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={file}", "tests")
        if not file.is_file():
            raise Unchecked(f"pytest failed: {_last(done.stderr or done.stdout)}")
        cases = list(ElementTree.parse(file).iter("testcase"))  # our own file, made this moment
    if not cases:
        raise Unchecked("there are no tests in the folder tests")
    source.__dict__["_tested"] = cases
    return cases


def kits_of(source: Source) -> set[str]:
    """The conformance kits that the tests subclass."""
    found: set[str] = set()
    for _, tree in parsed(source.tests) if source.tests else ():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.update(ast.unparse(base).rpartition(".")[2] for base in node.bases)
    return found & set(KITS.values())


@rule("kits", "warning", "gold")
def kits(source: Source) -> Found:
    """For every seam that it contributes to, the tests run the conformance kit."""
    if source.tests is None and source.kind != "folder":
        raise Unchecked("there are no tests; name the folder of the plugin to look at them")
    seams = sorted({each.seam for each in source.said.contributes} & set(KITS))
    run = kits_of(source)
    for seam in seams:
        if KITS[seam] not in run:
            yield at(source, source.folder / "tests", f"the laws of the {seam} are not tested by its kit",
                     f"subclass {KITS[seam]} of gitu_core.testing.conformance and give it one fixture")  # fmt: skip
    yield f"kits: {', '.join(sorted(run)) or 'none are needed'}"


@rule("every-law", "warning", "platinum", runs=True)
def every_law(source: Source) -> Found:
    """The kits left no law untested for want of something that the tests could have given."""
    if source.tests and not kits_of(source) and any(each.seam in KITS for each in source.said.contributes):
        yield Finding("no kit is run, so no law is known to be tested", "see the rule kits", "tests")
        return
    for case in _tested(source):
        skipped = case.find("skipped")
        why = (skipped.get("message") or "") if skipped is not None else ""
        if why.startswith("not tested: "):
            yield Finding(f"{case.get('name')}: {why}", "give what it asks for", _file(case))
    yield "no law was left untested"
