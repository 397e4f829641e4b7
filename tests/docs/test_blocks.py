"""What the pages show is what happens: Python, settings, manifests and commands."""

import sys
import tomllib
import types
from pathlib import Path

import pytest

from gitu_core import config, manifest
from tests.docs.blocks import PAGES, ROOT, Block, all_blocks, blocks_of, commands_of, fits, promised
from tests.docs.shell import Shell

LANGUAGES = {"python", "toml", "console", "sh", "text", "mermaid", "sql", "json", "js"}
TUTORIALS = ["docs/write-a-plugin.md", "docs/tutorial.md"]


def programs() -> list[Block]:
    """The Python blocks that are whole programs: those that continue one are joined to it, files are left out."""
    found: list[Block] = []
    for block in all_blocks("python"):
        if block.mark == "same file":
            joined = found.pop()
            block = Block(joined.page, joined.line, "python", joined.mark, joined.text + block.text)
        if not block.mark.startswith("file: "):
            found.append(block)
    return found


@pytest.fixture
def offline(gitu_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key of this machine is seen, and relative paths lead nowhere."""
    import os

    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("block", programs(), ids=lambda block: block.name)
@pytest.mark.usefixtures("offline")
def test_a_python_block_runs_and_prints_what_it_says(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"page_{abs(hash(block.name))}"
    module = types.ModuleType(name)
    sys.modules[name] = module  # hints of classes are looked up in their module
    try:
        exec(compile(block.text, block.name, "exec"), module.__dict__)  # noqa: S102 - our own pages
    finally:
        del sys.modules[name]
    said = promised(block.text)
    if said:
        assert capsys.readouterr().out.splitlines() == said


@pytest.mark.parametrize("block", all_blocks("toml"), ids=lambda block: block.name)
def test_a_toml_block_can_be_read_as_what_it_is(block: Block) -> None:
    values = tomllib.loads(block.text)
    if block.mark == "settings":
        config.from_dict(values)
    elif block.mark.endswith(manifest.FILE_NAME):
        manifest.parse(block.text)


def test_every_block_says_its_language() -> None:
    found = {f"{block.name} {block.language!r}" for page in PAGES for block in blocks_of(page)
             if block.language not in LANGUAGES}  # fmt: skip
    assert found == set()


def run_page(page: str, shell: Shell) -> int:
    """Follows a page from top to bottom: writes its files, runs its commands; gives how many commands."""
    ran = 0
    for block in blocks_of(next(each for each in PAGES if each.as_posix().endswith(page))):
        if block.mark.startswith("file: "):
            file = shell.folder / block.mark.removeprefix("file: ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif block.mark in ("run", "fails"):
            for command, expected in commands_of(block):
                status, printed = shell.run(command)
                assert fits(expected, printed), f"{block.name}: $ {command} ({status})\n{printed}"
                assert (status == 0) is (block.mark == "run"), f"{block.name}: $ {command} ({status})\n{printed}"
                ran += 1
    return ran


@pytest.mark.parametrize("page", ["start", "cli", "marketplace", "operate", "testing"])
def test_the_commands_of_a_page_print_what_it_shows(page: str, tmp_path: Path) -> None:
    assert run_page(f"docs/{page}.md", Shell(tmp_path)) > 0


@pytest.mark.parametrize("page", TUTORIALS)
def test_the_tutorial_leads_from_an_empty_folder_to_an_installed_plugin(page: str, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel of the tutorial")
    assert run_page(page, Shell(tmp_path)) >= 10


@pytest.mark.parametrize(("mark", "word", "most"), [("file: ", "def roll(", 12), ("", "class Letters", 60)])
def test_a_plugin_takes_few_lines(mark: str, word: str, most: int) -> None:
    """A tool, and a complete channel that receives, sends, and lets people answer questions."""
    page = blocks_of(ROOT / "docs/write-a-plugin.md")
    (first, *_) = [block for block in page if block.mark.startswith(mark) and word in block.text]
    assert len(first.text.splitlines()) <= most
    for part in ("receive", "send", "Ask)", "Answer("):
        assert word != "class Letters" or part in first.text


@pytest.mark.parametrize(
    ("expected", "printed", "yes"),
    [("a\nb\n", "a\nb", True), ("a...c", "a\nb\nc", True), ("", "", True), ("a", "ab", False), ("", "x", False)],
)
def test_what_was_printed_is_compared_as_a_whole(expected: str, printed: str, yes: bool) -> None:
    assert fits(expected, printed) is yes
