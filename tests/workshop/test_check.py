"""`gitu check`: every rule catches a plugin that breaks it and no other; what is found has a place and a next step."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gitu_core.testing.workshop.check import apply, check, exit_of
from gitu_core.testing.workshop.commands import KINDS
from gitu_core.testing.workshop.new import write
from gitu_core.testing.workshop.rules import TIERS, Outcome, load
from gitu_core.testing.workshop.shapes import junit, sarif
from gitu_core.testing.workshop.source import Source, from_folder
from gitu_core.testing.workshop.tier import compared, tier_of
from gitu_core.testing.workshop.wheel import same, unpacked
from tests.cli.driver import Cli
from tests.docs.blocks import ROOT
from tests.workshop.breaking import BROKEN, CAPS, CODE, MANIFEST, Break, add, edit
from tests.workshop.breaking import write as write_over

UNKEPT: set[str] = set()
"""What a new plugin leaves to its author, of the rules that only look."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin that keeps every rule that only looks."""
    folder = tmp_path_factory.mktemp("kept") / "my-tool"
    write("my-tool", "tool", folder, license="MIT")
    return folder


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return Path(shutil.copytree(kept, tmp_path / "plugin"))


def failed(outcomes: list[Outcome]) -> set[str]:
    """The rules that are not kept."""
    return {each.rule for each in outcomes if each.status == "failed"}


def run(source: Source, *rules: str) -> dict[str, Outcome]:
    """What becomes of some rules."""
    return {id: load()[id].apply(source) for id in rules}


def test_a_new_plugin_keeps_every_rule_that_only_looks(folder: Path) -> None:
    outcomes = apply(from_folder(folder), fast=True)
    assert failed(outcomes) == UNKEPT
    assert {each.rule for each in outcomes} == {*load(), "quality"}
    assert all(each.evidence for each in outcomes if each.status == "passed"), "evidence, not a claim"


@pytest.mark.parametrize(("rule", "change", "place"), BROKEN, ids=[f"{n}-{e[0]}" for n, e in enumerate(BROKEN)])
def test_a_plugin_that_breaks_one_rule_is_caught_by_it_and_by_no_other(
    rule: str, change: Break, place: str, folder: Path
) -> None:
    change(folder)
    source = from_folder(folder)
    looked = [each.apply(source) for each in load().values() if not each.runs or each.id == rule]
    outcomes = compared(source, looked)
    claims = {"quality"} if rule not in ("licence", "isolated", "injected") else set()
    assert failed(outcomes) - UNKEPT == {rule, *claims}
    (outcome,) = [each for each in outcomes if each.rule == rule]
    assert outcome.findings[0].hint
    found = outcome.findings[0]
    assert place in (found.file, f"{found.file}:{found.line}"), found


@pytest.mark.parametrize(
    "text",
    ["import urllib.parse, ssl, os", "import zipfile\n\nzipfile.Path('x').open('r')", "import os\n\nos.getenv('LANG')",
     "host = 1\nhost.config", "def f(admin):\n    admin.people.unlink(1)",
     "from gitu_core.contracts.adapter import Adapter\nfrom gitu_core import errors",
     "from importlib.resources import files\n\nfiles(__name__).joinpath('words').read_text()"],
)  # fmt: skip
def test_what_touches_nothing_is_left_alone(text: str, folder: Path) -> None:
    add(CODE, f"\n\n{text}\n")(folder)
    assert failed(list(run(from_folder(folder), "undeclared", "imports").values())) == set()


@pytest.mark.parametrize(
    ("capabilities", "line"),
    [('network = ["a.example"]', "import socket"), ("subprocess = true", "import subprocess"),
     ('files = ["~/x"]', "open('x')"), ('facets = ["kv"]', "host.kv"),
     ('secrets = [{name = "MY_KEY"}]', "os.getenv('MY_KEY')")],
)  # fmt: skip
def test_what_is_declared_may_be_used(capabilities: str, line: str, folder: Path) -> None:
    add(CODE, f"\n\ndef _f(host):\n    {line}\n")(folder)
    edit(MANIFEST, CAPS, f"{CAPS}\n{capabilities}")(folder)
    assert run(from_folder(folder), "undeclared")["undeclared"].status == "passed"


RUNNING: list[tuple[str, Break, str]] = [
    ("laws", edit("tests/test_tool.py", "3 words", "4 words"), "tests/test_tool.py"),
    ("laws", lambda folder: shutil.rmtree(folder / "tests"), "tests"),
    ("laws", write_over("tests/test_tool.py", "import os\n\nos._exit(3)\n"), ""),
    ("laws", write_over("tests/test_tool.py", ""), ""),
    ("types", add(CODE, "\n\n_number: int = 'one'\n"), f"{CODE}:12"),
    ("start-up", add(CODE, "\n\nfor _ in range(30_000_000):\n    pass\n"), CODE),
    ("start-up", add(CODE, "\n\nraise ValueError('broken')\n"), CODE),
]


@pytest.mark.parametrize(("rule", "change", "place"), RUNNING, ids=[f"{n}-{e[0]}" for n, e in enumerate(RUNNING)])
def test_what_only_shows_when_it_runs_is_caught(
    rule: str, change: Break, place: str, folder: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rule == "types":
        monkeypatch.setenv("MYPY_CACHE_DIR", str(ROOT / ".mypy_cache" / "check"))
    assert run(from_folder(kept), rule)[rule].status == "passed"
    change(folder)
    (found, *_) = run(from_folder(folder), rule)[rule].findings
    assert place in (found.file, f"{found.file}:{found.line}"), found
    assert found.hint


def test_a_kit_is_found_and_what_it_left_untested_too(folder: Path) -> None:
    outcomes = run(from_folder(folder), "kits", "every-law", "laws")
    assert [each.status for each in outcomes.values()] == ["passed", "failed", "passed"]
    assert outcomes["laws"].evidence == "12 tests ran, 11 were skipped; they run ToolLaws"
    add("tests/test_tool.py", REMOTE)(folder)
    (left,) = {each.what.partition("[")[0] for each in run(from_folder(folder), "every-law")["every-law"].findings}
    assert left == "test_t7_what_others_wrote_is_named_or_labelled", "nobody can plant anything in it"


REMOTE = """

class Nothing:
    def state(self) -> int:
        return 1


@pytest.fixture
def remote() -> Nothing:
    return Nothing()


TestTool.remote = staticmethod(remote)
"""

LIES = {
    "a class that has the name of a kit": add(
        "tests/test_tool.py", "\n\nclass ToolLaws:  # type: ignore[no-redef]\n    pass\n\n\nclass TestTool(ToolLaws):"
        "  # type: ignore[no-redef]\n    def test_t1_the_spec_is_valid_and_never_changes(self) -> None: ...\n",
    ),
    "a law that was written anew": add(
        "tests/test_tool.py", "\n\nTestTool.test_t1_the_spec_is_valid_and_never_changes = lambda self: None\n"
    ),
    "a law that is skipped": add(
        "tests/conftest.py", "\n\ndef pytest_collection_modifyitems(items):\n    for each in items:\n"
        "        if 'test_t2' in each.name:\n            each.add_marker(pytest.mark.skip(reason='T2'))\n",
    ),
    "a law that is expected to fail": add(
        "tests/conftest.py", "\n\ndef pytest_collection_modifyitems(items):\n    for each in items:\n"
        "        if 'test_t2' in each.name:\n            each.add_marker(pytest.mark.xfail(run=False))\n",
    ),
    "laws that are left out": edit("pyproject.toml", "addopts = [", "addopts = ['-k', 'not t1', "),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_law_counts_only_as_the_kit_has_it(lie: Break, folder: Path) -> None:
    lie(folder)
    outcome = run(from_folder(folder), "kits")["kits"]
    assert outcome.status == "failed", outcome


@pytest.mark.parametrize(
    ("change", "rule", "said", "next"),
    [
        (add(CODE, "\n\ndef gitu_toolz(host):\n    return []\n"), "agrees", "there is no hook 'gitu_toolz'",
         "did you mean 'gitu_tools'?"),
        (add(CODE, "\n\nimport nowhere_lib\n"), "agrees", "No module named 'nowhere_lib'",
         "try: python -c 'import gitu_my_tool'"),
        (add("tests/test_tool.py", "\nimport nowhere_lib\n"), "laws",
         "it cannot be imported: ModuleNotFoundError: No module named 'nowhere_lib'", "correct it"),
    ],
)  # fmt: skip
def test_a_beginners_mistake_is_told_with_its_own_next_step(
    change: Break, rule: str, said: str, next: str, folder: Path
) -> None:
    change(folder)
    (found,) = run(from_folder(folder), rule)[rule].findings
    assert said in found.what
    assert next in found.hint
    assert found.file in (MANIFEST, "tests/test_tool.py")


# ---- the tier ------------------------------------------------------------------------------------


def outcomes(**status: str) -> list[Outcome]:
    """Every rule kept, but for some."""
    return [Outcome(each.id, each.level, status.get(each.id.replace("-", "_"), "passed"), each.tier)  # type: ignore[arg-type]
            for each in load().values()]  # fmt: skip


def test_a_tier_needs_its_rules_and_those_of_all_below() -> None:
    assert tier_of(outcomes()) == "platinum"
    assert tier_of(outcomes(isolated="exempt")) == "platinum"
    assert tier_of(outcomes(every_law="unchecked")) == "gold", "what nobody looked at is not kept"
    assert tier_of(outcomes(licence="failed")) == "bronze", "whatever else is kept"
    assert tier_of(outcomes(manifest="failed")) == ""
    assert [tier for tier in TIERS if any(each.tier == tier for each in load().values())] == list(TIERS)


def test_who_is_exempt_with_a_reason_reaches_the_tier(folder: Path) -> None:
    edit("src/gitu_my_tool/gitu-plugin.toml", 'id = "my-tool"', 'id = "my-tool"\nisolation = "host"')(folder)
    edit("quality.toml", "[exempt]", '[exempt]\nisolated = "It counts words for the host itself."')(folder)
    (isolated,) = [each for each in apply(from_folder(folder), fast=True) if each.rule == "isolated"]
    assert (isolated.status, isolated.evidence) == ("exempt", "It counts words for the host itself.")


# ---- what is printed -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_of_any_kind_passes_unchanged(kind: str, written: dict[str, Path], cli: Cli) -> None:
    cli.env["MYPY_CACHE_DIR"] = str(ROOT / ".mypy_cache" / "check")
    out = cli.run("check", str(written[kind])).stdout
    assert "0 errors" in out
    assert f"my-{kind} 0.1.0" in out
    assert "tier: bronze" in out, "silver wants a licence, which is for a person to choose"


def test_the_report_names_the_wheel_that_was_checked(folder: Path, tmp_path: Path, cli: Cli) -> None:
    from hashlib import sha256

    from gitu_core.testing.workshop.wheel import build

    report, wheel = tmp_path / "report.json", build(from_folder(folder), tmp_path)
    cli.run("check", str(folder), "--fast", "--report", str(report))
    said = json.loads(report.read_text("utf-8"))
    assert said["wheel"] == wheel.name == "gitu_my_tool-0.1.0-py3-none-any.whl"
    assert said["sha256"] == sha256(wheel.read_bytes()).hexdigest(), "two builds give the same wheel"
    assert said["tier"] == "bronze"
    assert {each["rule"] for each in said["rules"]} == {*load(), "quality", "wheel"}
    add(CODE, "\n\n_MORE = 1\n")(folder)
    out = cli.run("check", str(folder), "--fast", "--wheel", str(wheel), status=1).stdout
    assert f"does not hold {CODE.removeprefix('src/')} as it is in the sources" in out
    assert "tier: bronze (not every rule" in cli.run("check", "--wheel", str(wheel)).stdout, "a wheel has no tests"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("evil.py", "import os", "holds evil.py beside the package"),
        ("evil.pth", "import os", "holds evil.pth beside the package"),
        ("gitu_my_tool-0.1.0.data/purelib/x.py", "", "beside the package"),
        ("other-1.dist-info/entry_points.txt", "[gitu.plugins]\nx = gitu_my_tool", "holds other-1.dist-info"),
        ("gitu_my_tool/more.so", "", "does not hold gitu_my_tool/more.so as it is in the sources"),
        ("METADATA", "Requires-Dist: evil-lib>=1\n", "depends on something else"),
        ("METADATA", "Version: 9.0\n", "has the version 9.0"),
    ],
)
def test_a_wheel_holds_nothing_that_was_not_checked(
    name: str, text: str, said: str, folder: Path, tmp_path: Path
) -> None:
    from gitu_core.testing.workshop.wheel import build

    wheel, source = build(from_folder(folder), tmp_path), from_folder(folder)
    assert same(source, unpacked(wheel, tmp_path / "as-built"), wheel.name).status == "passed"
    with zipfile.ZipFile(wheel) as archive:
        files = {each: archive.read(each).decode() for each in archive.namelist()}
    if name == "METADATA":
        (name,) = (each for each in files if each.endswith("/METADATA"))
        key = text.partition(":")[0]
        old = [line for line in files[name].splitlines() if not line.startswith(key)]
        text = "\n".join([old[0], text.strip(), *old[1:]])
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in {**files, name: text}.items():
            archive.writestr(path, content)
    outcome = same(source, unpacked(wheel, tmp_path / "changed"), wheel.name)
    assert said in "\n".join(str(each) for each in outcome.findings)


def test_what_cannot_be_checked_is_said(tmp_path: Path, cli: Cli) -> None:
    assert "there is no plugin 'nobody'" in cli.run("check", "nobody", status=2).stderr
    assert "no plugin was named" in cli.run("check", status=2).stderr
    (tmp_path / "x.whl").write_text("no archive")
    assert "cannot be read" in cli.run("check", "--wheel", str(tmp_path / "x.whl"), status=2).stderr
    (cli.folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert "has no package" in cli.run("check", ".", status=2).stderr


def test_a_next_step_is_said_once(folder: Path, cli: Cli) -> None:
    add(CODE, "\ndef (\n")(folder)
    said = cli.run("check", str(folder), status=2).stderr
    assert "__init__.py, line 11" in said
    assert said.count("nothing else can be checked before") == 1


def test_an_installed_plugin_is_found_by_its_id(cli: Cli) -> None:
    assert cli.run("check", "basics", "--fast", "--format", "json").stdout.startswith('{\n  "plugin": "basics"')


def test_junit_and_sarif_are_what_programs_expect(folder: Path, tmp_path: Path) -> None:
    add(CODE, "\n\nimport socket\n\n\nclass Word:\n    pass\n")(folder)
    result = check(str(folder), tmp_path, fast=True)
    assert exit_of(result.rules) == 1
    suite = ElementTree.fromstring(junit(result)).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases) == len(result.rules)
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) > 1
    assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped")) > 1
    log = json.loads(sarif(result))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    assert log["$schema"].endswith("sarif-2.1.0.json")
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(each["shortDescription"]["text"] and "id" in each for each in rules)
    for each in log["runs"][0]["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
        assert each["level"] in ("error", "warning", "note", "none")
        place = each["locations"][0]["physicalLocation"]
        assert not place["artifactLocation"]["uri"].startswith("/"), "relative, so that a program finds the file"
        assert place.get("region", {"startLine": 1})["startLine"] >= 1
        assert each["message"]["text"]
    assert {"undeclared", "docstrings"} <= {each["ruleId"] for each in log["runs"][0]["results"]}
