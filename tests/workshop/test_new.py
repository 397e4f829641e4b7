"""What `gitu new plugin` writes is whole: it passes its own tests, linter and type checker as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitu_core.errors import InputError
from gitu_core.manifest import read
from gitu_core.testing.workshop.commands import KINDS
from gitu_core.testing.workshop.new import write
from tests.cli.driver import Cli
from tests.workshop.conftest import python


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_passes_its_tests_and_the_linter(kind: str, written: dict[str, Path]) -> None:
    folder = written[kind]
    for line in ("pytest -q -p no:cacheprovider", "ruff check .", "ruff format --check ."):
        done = python(folder, *line.split())
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("kind", "untested"),
    [("adapter", {"'lost'", "'slow'", "`crash`"}), ("action", {"plant()", "`crash`"}), ("memory", set()),
     ("router", set())],
)  # fmt: skip
def test_its_tests_have_another_side_so_that_the_laws_run(
    kind: str, untested: set[str], written: dict[str, Path]
) -> None:
    """What is left untested is what such a plugin cannot show: files neither lose an answer nor answer late."""
    said = python(written[kind], "pytest", "-q", "-rs", "-p", "no:cacheprovider").stdout
    left = [line.partition("not tested: ")[2] for line in said.splitlines() if "not tested: " in line]
    assert {word for line in left for word in untested if word in line} == untested, said
    assert [line for line in left if not any(word in line for word in untested)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_its_manifest_is_what_the_code_amounts_to(kind: str, written: dict[str, Path]) -> None:
    package = f"gitu_my_{kind}"
    file = written[kind] / "src" / package / "gitu-plugin.toml"
    before = file.read_text("utf-8")
    assert python(written[kind], "gitu_core", "manifest", package).stdout == before
    seams = {each.seam for each in read(file).contributes}
    assert seams == {kind}


@pytest.mark.parametrize(("kind", "most"), [("tool", 12), ("adapter", 60)])
def test_a_plugin_is_small(kind: str, most: int, written: dict[str, Path]) -> None:
    (file,) = (written[kind] / "src").rglob("*.py")
    assert len(file.read_text("utf-8").splitlines()) <= most


@pytest.mark.parametrize(
    ("name", "kind", "title", "license", "said"),
    [
        ("Dice", "tool", "", "", "no name for a plugin"),
        ("my_dice", "tool", "", "", "no name for a plugin"),
        ("class", "tool", "", "", "no name for a plugin"),
        ("core", "tool", "", "", "no name for a plugin"),
        ("../x", "tool", "", "", "no name for a plugin"),
        ("gitu", "tool", "", "", "is not a plugin id"),
        ("basics", "tool", "", "", "a package gitu_basics in this installation already"),
        ("dice", "page", "", "", "no kind 'page'"),
        ("dice", "tool", 'a"b', "", "the title has characters"),
        ("dice", "tool", "", 'MIT"', "no SPDX expression"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    name: str, kind: str, title: str, license: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=said):
        write(name, kind, tmp_path / "new", title=title, license=license)
    assert list(tmp_path.iterdir()) == []


def test_the_help_lists_the_commands_of_authors_and_none_of_their_modules_is_imported(cli: Cli) -> None:
    out = cli.run("--help").stdout
    assert all(f"\n    {name} " in out for name in ("new", "check", "dev", "plugins trace"))
    code = "import sys, gitu_core.__main__; print([each for each in sys.modules if 'workshop' in each])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['gitu_core.testing.workshop', 'gitu_core.testing.workshop.commands']"


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        write("dice", "tool", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_what_was_not_said_is_an_error_where_nobody_can_be_asked(cli: Cli) -> None:
    assert "give it: gitu new plugin NAME" in cli.run("new", "plugin", status=1).stderr
    assert "say --kind tool|adapter" in cli.run("new", "plugin", "dice", status=1).stderr
    assert list(cli.folder.iterdir()) == []
    cli.run("new", "plugin", "dice", "--kind", "tool", "--license", "MIT", "--title", "Dice of all kinds")
    text = (cli.folder / "gitu-dice/pyproject.toml").read_text("utf-8")
    assert 'license = "MIT"' in text
    assert "Dice of all kinds" in text


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal that a test holds is a Unix thing; run it there")
def test_at_a_terminal_it_asks(cli: Cli) -> None:
    import os
    import pty

    ours, theirs = pty.openpty()
    with cli.start("new", "plugin", stdin=theirs) as process:
        os.write(ours, b"dice\ntool\n")
        out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0, err
    assert "The plugin's id" in out
    assert (cli.folder / "gitu-dice/src/gitu_dice/__init__.py").is_file()
