"""Rules about what people read: the README and the docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from gitu_core.testing.workshop.rules import Finding, at, rule
from gitu_core.testing.workshop.source import Source

Found = Iterator[Finding | str]


@rule("readme", "error", "bronze")
def readme(source: Source) -> Found:
    """A README says what the plugin does."""
    words = re.findall(r"\w+", re.sub(r"(?m)^#.*$|```[^`]*```", "", source.readme))
    if len(words) < 10:
        yield at(source, source.folder / "README.md", f"it says next to nothing: {len(words)} words",
                 "say what the plugin does, how it is configured, and what it may touch")  # fmt: skip
    else:
        yield f"README.md, {len(words)} words"


@rule("configuration", "error", "gold")
def configuration(source: Source) -> Found:
    """The README names every setting and every secret."""
    said = source.said
    names = [*said.config.get("properties", {}), *(each.name for each in said.capabilities.secrets)]
    for name in names:
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", source.readme):
            yield at(source, source.folder / "README.md", f"it does not tell of the setting {name!r}",
                     "say what it is for and what it is where nobody sets it")  # fmt: skip
    yield f"{len(names)} settings and secrets"


@rule("permissions", "error", "gold")
def permissions(source: Source) -> Found:
    """The README has a section on permissions that names everything the manifest asks for."""
    hint = "write a section `## Permissions` that names what it may touch, or says that this is nothing"
    section = re.search(r"(?ims)^#+ permissions\b.*?$(.*?)(?=^#+ |\Z)", source.readme)
    if section is None:
        yield at(source, source.folder / "README.md", "it has no section on permissions", hint)
        return
    wants = source.said.capabilities
    asked = [*wants.network, *wants.files, *(each.name for each in wants.secrets), *(f"`{f}`" for f in wants.facets)]
    asked += ["subprocess"] if wants.subprocess else []
    for each in asked:
        if each not in section[1]:
            yield at(source, source.folder / "README.md", f"its section on permissions does not name {each}", hint)
    yield f"{len(asked)} permissions"


@rule("docstrings", "warning", "silver")
def docstrings(source: Source) -> Found:
    """Every module, and every public class and function, says what it is."""
    count = 0
    for path, tree in source.code.items():
        for node in _public(tree):
            count += 1
            if not ast.get_docstring(node):
                name = getattr(node, "name", "the module")
                yield at(source, path, f"{name} says nothing of itself", "write a docstring of one sentence",
                         getattr(node, "lineno", 1))  # fmt: skip
    yield f"{count} docstrings"


_Named = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _public(tree: ast.Module) -> Iterator[_Named]:
    """The module, its public classes and functions, and their public methods."""
    yield tree
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            yield node
            for each in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name[0] != "_":
                    yield each
