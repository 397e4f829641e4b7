"""Reads the fenced blocks of a Markdown file, and runs those that are commands.

A comment on the line above a block says what to do with it: ``<!-- run -->`` (run the commands and compare what they
print), ``<!-- fails -->`` (the same, and each of them ends with another status than 0), ``<!-- file: NAME -->`` (write
it to NAME), ``<!-- same file -->`` (it continues the Python block before it), ``<!-- settings -->`` (it is a
gitu.toml).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Block:
    """One fenced block: the line it begins at, its language, its mark and its text."""

    page: str
    line: int
    language: str
    mark: str
    text: str

    @property
    def name(self) -> str:
        """Where it is, for the name of a test."""
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order. `AssertionError` if one is never closed."""
    found: list[Block] = []
    opened: tuple[int, str, str] | None = None
    body: list[str] = []
    before = ""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if opened is None and line.startswith("```"):
            mark = re.fullmatch(r"<!-- (.+) -->", before)
            opened, body = (number, line[3:].strip(), mark[1] if mark else ""), []
        elif opened is not None and line == "```":
            start, language, said = opened
            found.append(Block(page.relative_to(ROOT).as_posix(), start, language, said, "\n".join(body) + "\n"))
            opened = None
        elif opened is not None:
            body.append(line)
        before = line.strip()
    assert opened is None, f"{page}: a block is not closed"
    return found


def all_blocks(language: str) -> list[Block]:
    """The blocks of every page in one language."""
    return [block for page in PAGES for block in blocks_of(page) if block.language == language]


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what it is expected to print."""
    for part in re.split(r"(?m)^\$ ", block.text)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def promised(code: str) -> list[str]:
    """The lines that a Python block says it prints."""
    return re.findall(r"# prints: (.*)", code)


def fits(expected: str, printed: str) -> bool:
    """True if *printed* is what was *expected*; ``...`` stands for anything."""
    pattern = ".*".join(map(re.escape, expected.strip().split("...")))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None
