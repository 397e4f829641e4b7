"""Links lead somewhere, and files that are named exist."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT

# Files that a reader makes, or that a running assistant does.
_MADE = {
    "gitu.toml", "gitu-plugin.toml", "gitu.db", "plugins.json", "master.key", "pyproject.toml", "entry_points.txt",
    "src/gitu_dice/__init__.py", "src/gitu_dice/gitu-plugin.toml", "tests/test_dice.py",
    "quality.toml", "tests/test_tool.py",
}  # fmt: skip


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The places inside a page that a link may name, as forges make them from headings."""
    heads = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(target)
    return found


def missing_files(page: Path) -> list[str]:
    """Names of files in code marks that are neither in the project nor made by a reader."""
    found = []
    for name in re.findall(r"`([\w./-]+\.(?:py|md|toml|txt|sh))`", prose(page)):
        places = [ROOT, ROOT / "docs", page.parent, ROOT / "gitu_core", *sorted((ROOT / "gitu_core").glob("*/"))]
        if name not in _MADE and not any((place / name).is_file() for place in places):
            found.append(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_named_files_are_there(page: Path) -> None:
    assert broken_links(page) == []
    assert missing_files(page) == []


def test_a_broken_link_and_a_missing_file_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A head\n\n[good](#a-head) [bad](#b) [worse](none.md) [out](https://example.org) `none.py`\n")
    assert broken_links(page) == ["#b", "none.md"]
    assert missing_files(page) == ["none.py"]


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", prose(page))
        todo += [(page.parent / link).resolve() for link in links if not re.match(r"[a-z]+:", link)]
    assert set((ROOT / "docs").rglob("*.md")) <= reached
