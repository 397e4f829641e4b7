"""The page of the marketplace lists every command with everything that it takes, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from gitu_marketplace.commands import make_commands

PAGE = Path(__file__).parents[3] / "docs/marketplace.md"


def test_the_page_has_every_command_and_option_and_no_other() -> None:
    body = PAGE.read_text("utf-8").partition("## The commands\n")[2].partition("\n## ")[0]
    listed = {}
    for line in body.splitlines():
        if line.startswith("| `"):
            command, *words = re.findall(r"`([^`]+)`", line)
            listed[command] = set(words)
    real = {}
    for each in make_commands():
        schema = each.spec.arguments
        real[f"gitu {each.spec.name}"] = {
            name if name in schema["required"] or kind["type"] == "array" else f"--{name.replace('_', '-')}"
            for name, kind in schema["properties"].items()
            if "x-gitu" not in kind
        }
    assert listed == real
