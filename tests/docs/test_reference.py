"""The reference pages list exactly what the code has: nothing is missing, nothing is invented."""

import argparse
import inspect
import re
import tomllib

import pytest

from gitu_core import config, errors, hookspecs
from gitu_core.__main__ import COMMANDS
from gitu_core.cli.main import parser
from gitu_core.contracts import SEAMS
from gitu_core.hookspecs import HOOKS
from gitu_core.testing import plugin as pytest_plugin
from tests.docs.blocks import ROOT
from tests.docs.laws import laws

Row = list[str]


def page(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / "docs" / name).read_text("utf-8")


def rows(text: str) -> list[Row]:
    """The rows of all tables, heads included; code marks are taken off where a cell is nothing else."""
    found = []
    for line in text.splitlines():
        if line.startswith("|") and not re.fullmatch(r"[|\- ]+", line):
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.append([cell[1:-1] if re.fullmatch(r"`[^`]+`", cell) else cell for cell in cells])
    return found


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level, code marks taken off."""
    parts = re.split(r"(?m)^## (.+)$", text)
    return {head.replace("`", ""): body for head, body in zip(parts[1::2], parts[2::2], strict=True)}


def words(text: str | None) -> str:
    """*text* on one line, with the code marks of Markdown."""
    return " ".join((text or "").split()).replace("``", "`")


# ---- hooks --------------------------------------------------------------------------------------


def documented_hooks() -> dict[str, tuple[str, Row]]:
    """Every hook of the page, with the mode of its section."""
    return {
        row[0]: (head.lower(), row)
        for head, body in sections(page("hooks.md")).items()
        for row in rows(body)
        if row[0].startswith("gitu_")
    }


def test_the_page_of_hooks_has_every_hook_and_no_other() -> None:
    assert set(documented_hooks()) == set(HOOKS)


@pytest.mark.parametrize("meta", HOOKS.values(), ids=lambda meta: meta.name)
def test_a_hook_is_described_as_it_is(meta: hookspecs.HookMeta) -> None:
    mode, row = documented_hooks()[meta.name]
    function = getattr(hookspecs, meta.name)
    assert mode == meta.mode
    assert re.findall(r"\w+", row[1]) == list(inspect.signature(function).parameters)
    assert row[2] == f"{meta.timeout:g} s"
    if meta.mode in ("provide", "filter"):
        assert row[3] == (meta.seam or meta.value)
    assert row[-1] == inspect.getdoc(function)


# ---- errors -------------------------------------------------------------------------------------


def test_the_page_of_errors_matches_the_classes() -> None:
    listed = {row[0]: row[1:3] for row in rows(page("errors.md"))[1:]}
    real = {name: [getattr(errors, name).__bases__[0].__name__, getattr(errors, name).code] for name in errors.__all__}
    assert listed == real
    assert {kind.__name__ for kind in errors.by_code().values()} == set(real)
    assert all(all(row) for row in rows(page("errors.md"))), "every error says when and what to do"


# ---- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("Settings", config.Settings),
        ("A profile: [profiles.NAME]", config.Profile),
        ("Limits of a turn: [profiles.NAME.limits]", config.Limits),
        ("A budget: [budgets.NAME]", config.Envelope),
    ],
)
def test_the_page_of_settings_has_every_field_with_its_default(head: str, kind: type) -> None:
    listed = {row[0]: row[1] for row in rows(sections(page("configuration.md"))[head])[1:]}
    unsaid = ("extra", "file")  # nobody says them: what a newer version said, and where it was said
    fields = [name for name in kind.__struct_fields__ if name not in unsaid]  # type: ignore[attr-defined]
    assert list(listed) == fields
    defaults = kind()
    for name in fields:
        value = getattr(defaults, name)
        if isinstance(value, int | float):
            assert listed[name] == (str(value).lower() if isinstance(value, bool) else str(value)), name


def test_every_environment_variable_that_is_read_is_listed_and_no_other() -> None:
    read: set[str] = set()
    for folder in (ROOT / "gitu_core", *(ROOT / "plugins").glob("*/src")):
        for file in folder.rglob("*.py"):
            read.update(re.findall(r"\bGITU_[A-Z_]+", file.read_text("utf-8")))
    table = sections(page("configuration.md"))["Environment variables"]
    assert {row[0] for row in rows(table)[1:]} == read


# ---- the command --------------------------------------------------------------------------------


def options_of(command: argparse.ArgumentParser) -> set[str]:
    """The arguments of a command: options by their long name, others by their own."""
    found: set[str] = set()
    for action in command._actions:
        if isinstance(action, argparse._SubParsersAction) or action.dest == "help":
            continue
        found.add(action.option_strings[-1] if action.option_strings else action.dest)
    return found


def test_the_page_of_the_command_has_every_command_and_option_and_no_other() -> None:
    top = parser(list(COMMANDS))
    subparsers = next(each for each in top._actions if isinstance(each, argparse._SubParsersAction))
    listed = sections(page("cli.md"))
    named = {head.removeprefix("gitu ") for head in listed if head.startswith("gitu ")}
    assert named == set(COMMANDS) == set(subparsers.choices)
    for name, command in subparsers.choices.items():
        table = rows(listed[f"gitu {name}"])
        assert {row[0] for row in table[1:]} == options_of(command), name
    shared = rows(page("cli.md").partition("\n## ")[0])[1:]
    assert {row[0] for row in shared if "help" not in row[0]} == options_of(top)


# ---- contracts ----------------------------------------------------------------------------------


def test_the_page_of_contracts_has_every_seam_with_its_version_and_no_other() -> None:
    heads = {f"{seam.name} (version {seam.version})" for seam in SEAMS.values()}
    assert set(sections(page("contracts.md"))) == heads


@pytest.mark.parametrize("seam", SEAMS.values(), ids=lambda seam: seam.name)
def test_a_contract_is_described_as_it_is(seam: object) -> None:
    name, version, protocol = seam.name, seam.version, seam.protocol  # type: ignore[attr-defined]
    body = sections(page("contracts.md"))[f"{name} (version {version})"]
    assert f"`gitu_core.contracts.{protocol.__name__}`" in body
    methods = {key: each for key, each in vars(protocol).items() if inspect.isfunction(each) and key[0] != "_"}
    listed = {re.sub(r"^async ", "", row[0]).partition("(")[0]: row for row in rows(body)[1:]}
    assert set(listed) == set(methods)
    for key, method in methods.items():
        assert listed[key][0].startswith("async ") is inspect.iscoroutinefunction(method)
        arguments = [f"{each}:" for each in inspect.signature(method).parameters][1:]
        assert all(each in listed[key][0] for each in arguments)
        assert listed[key][1] == words(inspect.getdoc(method))
    if name != "host":
        assert set(re.findall(r"`(\w+): [^`]+`", body.partition("| Method")[0])) == set(
            inspect.get_annotations(protocol)
        )


def test_every_law_is_on_the_page_word_for_word() -> None:
    stated = {id: words(law) for id, law in laws().items()}
    listed = dict(re.findall(r"(?m)^\* \*\*([A-Z]\d+)\*\* ((?:.+\n)(?:  .+\n)*)", page("contracts.md")))
    assert len(stated) > 30
    assert {id: words(law) for id, law in listed.items()} == stated


# ---- fixtures, dependencies, decisions ----------------------------------------------------------


def test_the_page_of_testing_has_every_fixture_and_every_name() -> None:
    import gitu_core.testing

    table = {row[0] for row in rows(sections(page("testing.md"))["Fixtures of the pytest plugin"])[1:]}
    source = inspect.getsource(pytest_plugin)
    assert table == set(re.findall(r"(?m)^@pytest\.fixture\ndef (\w+)", source))
    missing = [name for name in gitu_core.testing.__all__ if not re.search(rf"\b{name}\b", page("testing.md"))]
    assert missing == []


def test_every_dependency_is_listed_with_its_bound_and_no_other() -> None:
    wanted: set[tuple[str, str, str]] = set()
    for file in (ROOT / "pyproject.toml", *(ROOT / "plugins").glob("*/pyproject.toml")):
        project = tomllib.loads(file.read_text("utf-8"))["project"]
        groups = {"": project["dependencies"], **project.get("optional-dependencies", {})}
        for extra, needs in groups.items():
            owner = project["name"] + (f"[{extra}]" if extra else "")
            for need in needs:
                found = re.fullmatch(r"([\w-]+)(?:\[.+\])?(.*)", need)
                assert found, need
                if not found[1].startswith("gitu-"):
                    wanted.add((found[1].lower(), owner, found[2]))
    listed = {
        (row[0], owner, bound)
        for row in rows(page("decisions/0005-licences.md"))
        for owner, bound in re.findall(r"`([^`]+)` ([^\s`]*[^\s`,])", row[1])
    }
    assert listed == wanted


def test_every_decision_is_in_the_index() -> None:
    files = {file.name for file in (ROOT / "docs/decisions").glob("0*.md")}
    assert set(re.findall(r"\]\((0\d+-[\w-]+\.md)\)", page("decisions/README.md"))) == files


def test_the_floors_of_the_house_are_listed_top_first() -> None:
    from tests.architecture.rules import FLOORS

    there = {file.stem for file in (ROOT / "gitu_core").iterdir()}
    floors = [{room for room in floor if room in there and room != "__main__"} for floor in reversed(FLOORS)]
    table = sections(page("architecture.md"))["The house"]
    listed = [set(re.findall(r"`(\w+)`", line.split("|")[1])) for line in table.splitlines() if line.startswith("| `")]
    assert listed == [floor for floor in floors if floor]
