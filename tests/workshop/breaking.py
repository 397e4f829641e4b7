"""For every rule that only looks: how a plugin that keeps all of them is made to break this one and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Break = Callable[[Path], None]


def edit(name: str, before: str, after: str) -> Break:
    """Replaces a text in a file of the plugin."""

    def change(folder: Path) -> None:
        file = folder / name
        text = file.read_text("utf-8")
        assert before in text, name
        file.write_text(text.replace(before, after), "utf-8")

    return change


def add(name: str, text: str) -> Break:
    """Adds to a file of the plugin; makes it where there is none."""

    def change(folder: Path) -> None:
        file = folder / name
        file.write_text((file.read_text("utf-8") if file.exists() else "") + text, "utf-8")

    return change


def write(name: str, text: str) -> Break:
    """Writes a file of the plugin anew."""

    def change(folder: Path) -> None:
        (folder / name).write_text(text, "utf-8")

    return change


def remove(name: str) -> Break:
    """Removes a file of the plugin."""
    return lambda folder: (folder / name).unlink()


CODE = "src/gitu_my_tool/__init__.py"
MANIFEST = "src/gitu_my_tool/gitu-plugin.toml"
PROJECT = "pyproject.toml"
CAPS = "[capabilities]"


def code(line: str) -> tuple[str, Break, str]:
    """Code that touches something undeclared."""
    return "undeclared", add(CODE, f"\n\ndef _f(host, path, name):\n    {line}\n"), f"{CODE}:13"


def secret(folder: Path) -> None:
    """A secret that is revealed, and told of."""
    edit(MANIFEST, CAPS, f'{CAPS}\nsecrets = [{{name = "MY_KEY", mode = "revealed"}}]')(folder)
    edit("README.md", "## Permissions\n", "## Permissions\n\nThe secret MY_KEY.\n")(folder)


BROKEN: list[tuple[str, Break, str]] = [
    ("manifest", edit(MANIFEST, 'id = "my-tool"', 'id = "other"'), MANIFEST),
    ("manifest", edit(MANIFEST, "[contracts]", "[contracts"), MANIFEST),
    ("entry-point", edit(PROJECT, 'my-tool = "gitu_my_tool"', 'my-tool = "gitu_my_tool"\nb = "gitu_my_tool"'), PROJECT),
    ("agrees", edit(CODE, "Counts the words of a text.", "Counts words."), MANIFEST),
    ("imports", add(CODE, "\n\nimport gitu_core.clock  # noqa: F401\n"), f"{CODE}:12"),
    ("imports", add(CODE, "\n\nfrom gitu_core import model  # noqa: F401\n"), f"{CODE}:12"),
    ("imports", add(CODE, "\n\nimport gitu_basics  # noqa: F401\n"), f"{CODE}:12"),
    ("imports", add(CODE, "\n\nimport gitu_core.testing  # noqa: F401\n"), f"{CODE}:12"),
    ("imports", add("tests/conftest.py", "\nimport gitu_core.app\n"), "tests/conftest.py:11"),
    ("version", edit(PROJECT, 'version = "0.1.0"', 'version = "new"'), PROJECT),
    ("readme", write("README.md", "# gitu-my-tool\n\n## Permissions\n\nNone.\n"), "README.md"),
    code("__import__('socket')"), code("import httpx"), code("from urllib import request"),
    code("from urllib.request import urlopen"), code("asyncio.open_connection(name)"), code("import subprocess"),
    code("os.system(name)"), code("asyncio.create_subprocess_exec(name)"), code("from os import fork"),
    code("open(path)"), code("path.write_text(name)"), code("path.open('w')"), code("path.unlink()"),
    code("shutil.rmtree(path)"),
    code("os.environ['MY_API_KEY']"), code("os.getenv('MY_TOKEN')"), code("host.kv.get(name)"),
    code("self._host.files.read(name)"),
    ("dependencies", edit(PROJECT, "gitu-core>=0.1", "gitu-core>=0.1\", \"rich"), PROJECT),
    ("dependencies", edit(PROJECT, '["gitu-core>=0.1"]', '["gitu-core>=0.1", "rich[x]<15; sys_platform == \'win32\'"]'),
     PROJECT),
    ("dependencies", edit(PROJECT, 'dependencies = ["gitu-core>=0.1"]', "dependencies = []"), PROJECT),
    ("py-typed", remove("src/gitu_my_tool/py.typed"), "src/gitu_my_tool/py.typed"),
    ("docstrings", add(CODE, "\n\nclass Word:\n    pass\n"), f"{CODE}:12"),
    ("licence", edit(PROJECT, 'license = "MIT"\n', ""), PROJECT),
    ("configuration", add(MANIFEST, "\n[config]\nschema = '''{\"properties\": {\"language\": {}}}'''\n"), "README.md"),
    ("permissions", edit("README.md", "## Permissions", "## Rights"), "README.md"),
    ("permissions", edit(MANIFEST, CAPS, f'{CAPS}\nnetwork = ["api.example.org"]'), "README.md"),
    ("injected", secret, MANIFEST),
    ("isolated", edit(MANIFEST, 'id = "my-tool"', 'id = "my-tool"\nisolation = "host"'), MANIFEST),
    ("quality", edit("quality.toml", "[exempt]", '[exempt]\nlaws = "it is so small"'), "quality.toml"),
    ("quality", edit("quality.toml", "[exempt]", '[exempt]\nisolated = ""'), "quality.toml"),
    ("quality", edit("quality.toml", 'done = [', 'done = ["kits",'), "quality.toml"),
    ("quality", edit("quality.toml", 'done = [', 'done = ["beauty",'), "quality.toml"),
    ("quality", edit("quality.toml", 'done = [', 'claims = ['), "quality.toml"),
    ("quality", remove("quality.toml"), "quality.toml"),
]  # fmt: skip
