"""Read the imports of a module from its source, without running it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_DYNAMIC = {"import_module", "__import__"}


@dataclass(frozen=True)
class Import:
    """One imported name: ``import module`` has no name, ``from module import name`` has one."""

    line: int
    module: str
    name: str | None
    deferred: bool  # inside a function or under TYPE_CHECKING: does not happen when the module is loaded


def module_of(path: str) -> tuple[str, bool]:
    """Return the dotted name of a file and whether it is a package (``__init__.py``)."""
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        return ".".join(parts[:-1]), True
    return ".".join(parts), False


def imports_of(source: str, path: str) -> list[Import]:
    """Return every import in ``source``, also those in functions, under TYPE_CHECKING and by string."""
    module, is_package = module_of(path)
    package = module if is_package else module.rpartition(".")[0]
    return list(_walk(ast.parse(source), package, deferred=False))


def _walk(node: ast.AST, package: str, *, deferred: bool) -> Iterator[Import]:
    yield from _imports_at(node, package, deferred)
    if isinstance(node, ast.If) and _is_type_checking(node.test):
        for child in node.body:
            yield from _walk(child, package, deferred=True)
        for child in node.orelse:
            yield from _walk(child, package, deferred=deferred)
        return
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, package, deferred=deferred or isinstance(node, _FUNCTION))


def _imports_at(node: ast.AST, package: str, deferred: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(node.lineno, alias.name, None, deferred)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(node.module or "", node.level, package)
        for alias in node.names:
            yield Import(node.lineno, module, alias.name, deferred)
    elif isinstance(node, ast.Call) and (target := _dynamic_target(node)):
        level = len(target) - len(target.lstrip("."))
        yield Import(node.lineno, _absolute(target.lstrip("."), level, package), None, deferred)


def _absolute(module: str, level: int, package: str) -> str:
    if not level:
        return module
    parts = package.split(".")
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, module] if module else base)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _dynamic_target(call: ast.Call) -> str | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in _DYNAMIC or not call.args or not isinstance(call.args[0], ast.Constant):
        return None
    value = call.args[0].value
    return value if isinstance(value, str) else None
