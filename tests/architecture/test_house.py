"""Small rooms, documented, reasons beside broad excepts, and nothing that ties the project to one machine.

Every rule is tried first on a small made-up text, which proves that it can fail; then on the project.
"""

import warnings

import pytest

from tests.architecture import style
from tests.architecture.files import ROOT, project_files, python_files, text_of, walk

CODE = python_files("gitu_core/*", "plugins/*/src/*")
ALL_PYTHON = python_files("*")


def sources(names: list[str]) -> list[tuple[str, str]]:
    """Read the named files; all Python is text."""
    return [(name, text_of(name) or "") for name in names]


def test_no_file_is_too_long() -> None:
    """No Python file exceeds 500 lines, and at least four of five files of the code stay within 200."""
    assert CODE, "no code was found, so nothing was checked"
    assert set(CODE) < set(ALL_PYTHON), "tests and scripts are checked too"
    lengths = {name: len(text.splitlines()) for name, text in sources(ALL_PYTHON)}
    assert {name: lines for name, lines in lengths.items() if lines > style.FILE_LIMIT} == {}
    long = {name: lengths[name] for name in CODE if lengths[name] > style.FILE_AIM}
    if long:
        listed = ", ".join(f"{name} ({lines})" for name, lines in sorted(long.items()))
        warnings.warn(f"{len(long)} of {len(CODE)} files are long: {listed}", stacklevel=1)
    assert 100 * len(long) <= (100 - style.FILE_AIM_SHARE) * len(CODE), long


def test_functions_fit_on_a_screen() -> None:
    """No function of the code exceeds 80 lines and 95 of 100 stay within 50, docstrings included."""
    lengths = {f"{name}:{key}": n for name, text in sources(CODE) for key, n in style.functions(text).items()}
    assert {name: lines for name, lines in lengths.items() if lines > style.FUNCTION_LIMIT} == {}
    assert style.percentile(list(lengths.values()), 95) <= style.FUNCTION_P95


def test_every_broad_except_has_a_reason_beside_it() -> None:
    """Catching everything is sometimes right; why it is right stands in a comment there or beside it."""
    files = sources(ALL_PYTHON)
    assert [f"{name}:{line}" for name, text in files for line in style.silent_broad_excepts(text)] == []


def test_every_module_says_what_it_is() -> None:
    """Every Python file starts with a docstring."""
    assert [name for name, text in sources(ALL_PYTHON) if not style.has_docstring(text)] == []


def test_no_work_is_left_behind_in_comments() -> None:
    """What is still open belongs into an issue, where someone sees it."""
    files = sources(ALL_PYTHON)
    assert [f"{name}:{line}" for name, text in files for line in style.reminders(text)] == []


def test_packages_are_typed() -> None:
    """The core and every plugin that has code tell type checkers so."""
    packages = {"/".join(name.split("/")[: 4 if name.startswith("plugins/") else 1]) for name in CODE}
    assert [package for package in sorted(packages) if not (ROOT / package / "py.typed").is_file()] == []


def test_nothing_ties_the_project_to_one_machine() -> None:
    """No file holds the address of a package index or a path below somebody's home."""
    files = [(name, text) for name in project_files() if (text := text_of(name)) is not None]
    assert [f"{name}:{line}" for name, text in files for line in style.ties(text)] == []
    assert [name for name in project_files() if name.rpartition("/")[2] == "uv.lock"] == []


def test_files_are_found_without_git_too() -> None:
    """A source archive has no repository; the same code is checked there."""
    assert set(CODE) <= set(walk(ROOT))


def test_functions_are_measured_to_their_last_line() -> None:
    """Methods, nested and async functions count, each with everything inside it."""
    text = "class A:\n    async def f(self):\n        def g():\n            pass\n        return g\n"
    assert style.functions(text) == {"2 f": 4, "3 g": 2}
    assert style.percentile([1] * 94 + [60] * 6, 95) == 60
    assert style.percentile([1] * 95 + [60] * 5, 95) == 1
    assert style.percentile([], 95) == 0


@pytest.mark.parametrize(
    ("handler", "comment", "silent"),
    [
        ("except Exception:", "", True),
        ("except BaseException as error:", "", True),
        ("except:", "", True),
        ("except (OSError, Exception):", "", True),
        ("except builtins.Exception:", "", True),
        ("except Exception:", "  # noqa: BLE001", True),
        ("except Exception:", "  # type: ignore[misc]  # pragma: no cover", True),
        ("except Exception:", "  # noqa: BLE001 - a broken plugin must not stop the others", False),
        ("except Exception:", "  # whatever it raised, the turn goes on", False),
        ("except Exception:", "\n        # whatever it raised, the turn goes on", False),
        ("except OSError:", "", False),
    ],
)
def test_a_broad_except_without_a_reason_is_found(handler: str, comment: str, silent: bool) -> None:
    """A directive for a tool is not a reason."""
    text = f"try:\n    run()\n{handler}{comment}\n    pass\n"
    assert style.silent_broad_excepts(text) == ([3] if silent else [])


def test_a_missing_docstring_is_found() -> None:
    """A comment is no docstring, and an empty file has none."""
    assert style.has_docstring('"""What it is."""\n')
    assert not style.has_docstring("# What it is.\n")
    assert not style.has_docstring("")


@pytest.mark.parametrize("word", style.REMINDERS)
def test_a_reminder_is_found(word: str) -> None:
    """The words count as words, not inside others."""
    assert style.reminders(f"x = 1\n# {word}: later\n") == [2]
    assert style.reminders(f"x = 1\n# {word.lower()}s and {word}S\n") == []


@pytest.mark.parametrize(
    ("text", "tied"),
    [
        ("https://{}.org/project/x", True),
        ("https://{}.example.org/", True),
        ("https://mirror.example.org/root/{}/+{}/", True),
        ("http://10.0.0.1:3141/{simple}/", True),
        ("pip install --{index}-url x", True),
        ("/{root}/.cache", True),
        ('path = "/{home}/ana/notes"', True),
        ("cd /{work}/project", True),
        ("https://example.org/{home}/page", False),
        ("docs/{work}/page.md", False),
        ("a simple /homepage of the network/", False),
    ],
)
def test_an_address_or_a_path_of_one_machine_is_found(text: str, tied: bool) -> None:
    """The samples are put together here, so that this file does not break the rule itself."""
    folders = {"root": "root", "home": "home", "work": "work"}
    text = text.format("py" + "pi", "f", simple="simple", index="index", **folders)
    assert style.ties(f"\n{text}\n") == ([2] if tied else [])
