"""The threat model names tests that there are: every risk and every planted value has some, and some are properties."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT
from tests.docs.test_reference import page, rows, sections

RISKS = [f"ASI{number:02}" for number in range(1, 11)]
PLANTED = [
    "look-alike Unicode",
    "a value split over fields",
    "a value that stands in the prompt for another purpose",
    "a known contact as vehicle",
    "an early or doubled action",
    "bounded money",
]
TEST = re.compile(r"((?:tests|plugins)/[\w./-]+\.py)::(\w+)")


@cache
def found_in(file: Path) -> dict[str, list[str]]:
    """The tests of a file, and what decorates each; a state machine is one by the name that pytest finds."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            found[node.name] = [ast.unparse(each).partition("(")[0] for each in node.decorator_list]
        elif isinstance(node, ast.Assign) and ast.unparse(node.value).endswith(".TestCase"):
            found |= {target.id: ["rule"] for target in node.targets if isinstance(target, ast.Name)}
    return found


def named(text: str) -> list[tuple[str, str]]:
    """The tests that a text names: file and name."""
    return TEST.findall(text)


def missing(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    return [
        f"{file}::{name}"
        for file, name in named(text)
        if not (ROOT / file).is_file() or name not in found_in(ROOT / file)
    ]


def table(head: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    return rows(sections(page("threat-model.md"))[head])[1:]


def test_every_test_that_is_named_is_there() -> None:
    text = page("threat-model.md")
    assert missing(text) == []
    assert text.count("::") == len(named(text)), "every name is written as file and test"


def test_the_ten_risks_are_there_in_order_each_with_what_it_means_stops_and_leaves() -> None:
    listed = table("By the OWASP top ten for agentic applications")
    assert [re.sub(r"\W", "", row[0].split()[0]) for row in listed] == RISKS
    assert all(len(row) == 5 and all(row) for row in listed)


@pytest.mark.parametrize("head", ["By the OWASP top ten for agentic applications", "Who is not in that list"])
def test_each_row_names_two_tests_at_least(head: str) -> None:
    few = [row[0] for row in table(head) if len(set(named(row[-1]))) < 2]
    assert few == []


def test_each_planted_value_has_a_property_test() -> None:
    listed = table("Values planted to confuse")
    assert [row[0] for row in listed] == PLANTED
    for row in listed:
        assert any("given" in found_in(ROOT / file)[name] for file, name in named(row[-1])), row[0]


def test_what_remains_possible_stands_in_one_place() -> None:
    pages = [
        file.name for file in (ROOT / "docs").rglob("*.md") if "# What remains possible" in file.read_text("utf-8")
    ]
    assert pages == ["threat-model.md"]


def test_a_test_that_is_not_there_is_found() -> None:
    good = "`tests/docs/test_threats.py::test_a_test_that_is_not_there_is_found`"
    assert missing(good) == []
    assert missing("`tests/docs/test_threats.py::test_nothing` `tests/none.py::test_x`") == [
        "tests/docs/test_threats.py::test_nothing",
        "tests/none.py::test_x",
    ]
    assert found_in(ROOT / "tests/budget/test_budget_machine.py") == {"TestMachine": ["rule"]}
