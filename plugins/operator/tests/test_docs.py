"""The page of the operator lists every command with all that it takes, and no other; its examples are run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gitu_operator.commands import make_commands
from tests.docs.shell import Shell
from tests.docs.test_blocks import run_page

PAGE = Path(__file__).parents[3] / "docs/operator.md"


def test_the_page_has_every_command_and_option_and_no_other() -> None:
    host: Any = None  # nothing is asked of it before a command runs
    sections = re.split(r"(?m)^## `gitu (\w+)`$", PAGE.read_text("utf-8"))
    bodies = dict(zip(sections[1::2], sections[2::2], strict=True))
    listed = {name: set(re.findall(r"(?m)^\| `([^`]+)` \|", body)) for name, body in bodies.items()}
    real = {}
    for each in make_commands(host):
        schema = each.spec.arguments
        alone = schema["required"]
        real[each.spec.name] = {name if name in alone else f"--{name}" for name in schema["properties"]}
    assert listed == real


def test_its_examples_print_what_it_shows(tmp_path: Path) -> None:
    assert run_page("docs/operator.md", Shell(tmp_path)) > 0


@pytest.mark.parametrize("page", ["security", "channels", "operate"])
def test_other_pages_name_only_commands_that_there_are(page: str) -> None:
    host: Any = None
    text = (PAGE.parent / f"{page}.md").read_text("utf-8")
    actions = {each.spec.name: each.spec.arguments["properties"].get("action", {}).get("enum", [])
               for each in make_commands(host)}  # fmt: skip
    said = re.findall(rf"gitu ({'|'.join(actions)}) ([a-z]+)\b", text)
    assert [(name, word) for name, word in said if word not in actions[name]] == []
