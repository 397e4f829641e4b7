"""Rules about the plugin's tests: they are run once, in a process of their own, for all rules that want to know."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from gitu_core.testing.workshop.rules import Broken, Finding, Unchecked, at, rule
from gitu_core.testing.workshop.running import last, python
from gitu_core.testing.workshop.source import Source

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
            yield _failed(case, broken)
    skipped = sum(1 for case in cases if case.find("skipped") is not None)
    kits = ", ".join(sorted(_laws(source))) or "no kit"
    yield f"{len(cases) - skipped} tests ran, {skipped} were skipped; they run {kits}"


def _failed(case: ElementTree.Element, broken: ElementTree.Element) -> Finding:
    name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
    what = (broken.get("message") or "it failed").strip().splitlines()[0]
    if not case.get("classname"):  # a file that cannot be imported: what went wrong stands at the end of its text
        said = [line[1:].strip() for line in (broken.text or "").splitlines() if line.startswith("E ")]
        return Finding(f"it cannot be imported: {(said or [what])[-1][:300]}", "correct it", _file(case))
    return Finding(f"{name}: {what[:300]}", "run it alone: pytest -k, and correct it", _file(case))


def _file(case: ElementTree.Element) -> str:
    """The file of a test; its class name ends with the class, where there is one."""
    said = case.get("classname") or case.get("name") or ""
    parts = [each for each in said.split(".") if each and not each.startswith("Test")]
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
        options = ("-q", "-p", "no:cacheprovider", "-p", "gitu_core.testing.workshop.witness")
        done = python(source, "-m", "pytest", *options, f"--junitxml={file}", "tests")
        if not file.is_file():
            raise Broken(f"pytest failed: {last(done.stderr or done.stdout)}")
        cases = list(ElementTree.parse(file).iter("testcase"))  # our own file, made this moment
    if not cases:
        raise Broken("there are no tests in the folder tests")
    source.__dict__["_tested"] = cases
    return cases


def _laws(source: Source) -> dict[str, dict[str, list[ElementTree.Element]]]:
    """The laws that were run, as the kits have them: by kit and by name."""
    found: dict[str, dict[str, list[ElementTree.Element]]] = {}
    for case in _tested(source):
        if kit := _property(case, "gitu-law"):
            found.setdefault(kit, {}).setdefault(str(case.get("name")).partition("[")[0], []).append(case)
    return found


def _property(case: ElementTree.Element, name: str) -> str:
    """What `witness` noted of a test."""
    return next((each.get("value", "") for each in case.iter("property") if each.get("name") == name), "")


@rule("kits", "warning", "gold", runs=True)
def kits(source: Source) -> Found:
    """For every seam that it contributes to, the tests run the conformance kit, whole and as it is."""
    seams = sorted({each.seam for each in source.said.contributes} & set(KITS))
    run = _laws(source) if seams else {}
    for seam in seams:
        if KITS[seam] not in run:
            yield at(source, source.folder / "tests", f"the laws of the {seam} are not tested by its kit",
                     f"subclass {KITS[seam]} of gitu_core.testing.conformance and give it one fixture")  # fmt: skip
            continue
        for name in sorted(_all_laws(KITS[seam])):
            cases = run[KITS[seam]].get(name, [])
            if not cases or any(_property(each, "gitu-left-out") for each in cases):
                yield at(source, source.folder / "tests", f"{KITS[seam]}.{name} was replaced or left out",
                         "let the kit's own test run; what cannot apply it skips itself")  # fmt: skip
    yield f"kits: {', '.join(sorted(run)) or 'none are needed'}"


def _all_laws(kit: str) -> set[str]:
    """The tests of a kit."""
    from gitu_core.testing import conformance

    return {name for name in dir(getattr(conformance, kit)) if name.startswith("test_")}


@rule("every-law", "warning", "platinum", runs=True)
def every_law(source: Source) -> Found:
    """The kits left no law untested for want of something that the tests could have given."""
    if any(each.seam in KITS for each in source.said.contributes) and not _laws(source):
        yield Finding("no kit is run, so no law is known to be tested", "see the rule kits", "tests")
        return
    for case in _tested(source):
        skipped = case.find("skipped")
        why = (skipped.get("message") or "") if skipped is not None else ""
        if why.startswith("not tested: "):
            yield Finding(f"{case.get('name')}: {why}", "give what it asks for", _file(case))
    yield "no law was left untested"
