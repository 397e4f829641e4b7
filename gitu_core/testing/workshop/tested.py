"""Rules about the plugin's tests: they are run once, in a process of their own, for all rules that want to know."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from gitu_core.testing.workshop.rules import Broken, Finding, Unchecked, at, rule
from gitu_core.testing.workshop.running import last, python
from gitu_core.testing.workshop.source import Source, parsed

Found = Iterator[Finding | str]

KITS = {
    "adapter": "AdapterLaws", "tool": "ToolLaws", "action": "RuleActionLaws", "memory": "MemoryStoreLaws",
    "router": "ModelRouterLaws", "provider": "ModelProviderLaws", "embedder": "EmbedderLaws",
    "dispatcher": "DispatcherLaws",
}  # fmt: skip
"""The conformance kit of each seam that has one."""


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
        done = python(source, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={file}", "tests")
        if not file.is_file():
            raise Broken(f"pytest failed: {last(done.stderr or done.stdout)}")
        cases = list(ElementTree.parse(file).iter("testcase"))  # our own file, made this moment
    if not cases:
        raise Broken("there are no tests in the folder tests")
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
