"""Writes a whole plugin to begin with: it passes its own checks as it is."""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gitu_core import __version__
from gitu_core.errors import InputError
from gitu_core.testing.workshop.commands import KINDS

_TEMPLATES = Path(__file__).parent / "templates"
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() -]*")
_NONE = "# Say here under which licence others may use it, and put its text beside this file: license = ..."


@dataclass(frozen=True)
class Kind:
    """What differs from kind to kind: what the README says, and what only a person can say in the manifest."""

    about: str
    configure: str = "There is nothing to configure."
    permissions: str = "None: no network, no files, no subprocess, no secrets."
    manifest: str = ""
    needs: str = ""
    todo: tuple[str, ...] = ("licence", "types", "start-up", "every-law")


_LETTERS = '''
[capabilities]
files = ["~/gitu-{{name}}"]

[config]
schema = """
{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "folder": {
      "type": "string",
      "default": "~/gitu-{{name}}",
      "description": "Where the folders `in` and `out` are."
    }
  }
}
"""
'''

_KINDS = {
    "tool": Kind("A tool that counts the words of a text: `count_words`."),
    "action": Kind("An action that a rule can take: `{{action}}` keeps a text."),
    "router": Kind("Chooses among models: the cheapest that can do it."),
    "memory": Kind("Keeps what the assistant remembers, in memory."),
    "adapter": Kind(
        "A channel: files in the folder `in` are messages, answers and questions appear in `out`. A question is\n"
        "answered by a file with the line `answer ID CHOICE` that it shows.",
        '`folder` is where `in` and `out` are; by default `~/gitu-{{name}}`. Make `in` before you start:\n\n```toml\n'
        '[plugins.{{name}}]\nfolder = "~/gitu-{{name}}"\n```',
        "Reads and writes files below `~/gitu-{{name}}`. No network, no subprocess, no secrets.",
        _LETTERS,
        ', "anyio>=4.16"',
    ),
}  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Asks for what was not said, where somebody can answer, and writes the plugin."""
    name = options.name or _asked("The plugin's id (lower-case letters, digits, -): ", "give it: gitu new plugin NAME")
    kind = options.kind or _asked(f"What it contributes ({', '.join(KINDS)}): ", f"say --kind {'|'.join(KINDS)}")
    folder = options.folder or Path(f"gitu-{name}")
    for path in write(name, kind, folder, title=options.title, license=options.license):
        print(f"written: {path}")
    print(f"next: gitu check {folder}")
    return 0


def _asked(question: str, hint: str) -> str:
    if not sys.stdin.isatty():
        raise InputError("not everything that is needed was said", hint=hint)
    return input(question).strip()


def write(name: str, kind: str, folder: Path, *, title: str = "", license: str = "") -> list[Path]:
    """Writes the plugin *name* into *folder*, which must be new or empty. `InputError` says what is wrong."""
    from gitu_core.manifest import Manifest, check

    package = f"gitu_{name.replace('-', '_')}"
    if kind not in _KINDS:
        raise InputError(f"there is no kind {kind!r}", hint=f"choose one of {', '.join(_KINDS)}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(name) or name == "core":
        raise InputError(f"{name!r} is no name for a plugin", hint="use lower-case letters, digits and single -")
    check(Manifest(name))
    if find_spec(package) is not None:
        what = f"there is a package {package} in this installation already, which it would clash with"
        raise InputError(what, hint="choose another name, or uninstall that one first")
    if license and not _SPDX.fullmatch(license):
        raise InputError(f"{license!r} is no SPDX expression", hint="say for instance --license Apache-2.0")
    title = title or name.replace("-", " ").capitalize()
    if not title.isprintable() or set(title) & set('"\\{}'):
        raise InputError("the title has characters that no title has", hint="use letters, digits and spaces")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already; nothing was written", hint="name another one with --folder")
    chosen = _KINDS[kind]
    todo = [each for each in chosen.todo if not (license and each == "licence")]
    words = {"about": chosen.about, "configure": chosen.configure, "permissions": chosen.permissions,
             "needs": chosen.needs, "todo": ", ".join(f'"{each}"' for each in todo),
             "license": f'license = "{license}"' if license else _NONE, "title": title, "name": name,
             "package": package, "action": name.replace("-", "_"), "core": __version__.rpartition(".")[0]}  # fmt: skip
    try:
        return _written(folder, package, kind, words)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}", hint="name another one") from error


def _written(folder: Path, package: str, kind: str, words: dict[str, str]) -> list[Path]:
    source = folder / "src" / package
    texts = {folder / name: f"{name}.txt" for name in ("pyproject.toml", "README.md", "quality.toml")}
    texts |= {source / "__init__.py": f"{kind}.py.txt", folder / "tests/conftest.py": "conftest.py.txt",
              folder / f"tests/test_{kind}.py": f"test_{kind}.py.txt"}  # fmt: skip
    said = {path: _filled((_TEMPLATES / name).read_text("utf-8"), words) for path, name in texts.items()}
    said[source / "py.typed"] = ""
    own = 'id = "{{name}}"\ntitle = "{{title}}"\n' + _KINDS[kind].manifest
    said[source / "gitu-plugin.toml"] = _filled(own, words)
    for path, text in said.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    _describe(folder, package)
    return list(said)


def _filled(text: str, words: dict[str, str]) -> str:
    for name, value in words.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _describe(folder: Path, package: str) -> None:
    """Completes the manifest from the code, in a process of its own, as the author will do later."""
    import os
    import subprocess

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder / "src"), *filter(None, sys.path)])}
    command = [sys.executable, "-m", "gitu_core", "manifest", package, "--write"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"the manifest could not be written: {done.stderr.strip()}", hint="look at the plugin's code")
