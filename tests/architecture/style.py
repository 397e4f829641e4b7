"""Measures of style: how long things are, and what must not stand in a text. Line numbers start at 1."""

import ast
import io
import math
import re
import tokenize

FILE_LIMIT = 500
FILE_AIM = 200
FILE_AIM_SHARE = 80  # per cent of the files
FUNCTION_LIMIT = 80
FUNCTION_P95 = 50

# Put together from halves, so that this file does not contain what it looks for.
REMINDERS = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
_REMINDER = re.compile(rf"\b(?:{'|'.join(REMINDERS)})\b")

_INDEX = re.compile(
    "|".join(
        [
            r"https?://\S*" + "py" + "pi",
            "python" + "hosted",
            r"https?://\S+/" + r"simple\b",
            r"--(?:extra-|default-)?" + "index" + "-url",
            r"registry\." + "npmjs",
        ]
    ),
    re.IGNORECASE,
)
# Only absolute paths: neither the tail of a relative path nor a part of a web address.
_HOME = re.compile(r"(?<![\w.~)}\]*-])/" + r"(?:root|work|home)/")

# What a comment says to a tool is no reason for a reader.
_DIRECTIVE = re.compile(r"noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|type:\s*ignore(?:\[[^\]]*\])?|pragma:\s*no \w+")


def functions(source: str) -> dict[str, int]:
    """Return the number of lines of every function, by line and name: ``{"12 run": 30}``."""
    return {
        f"{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def percentile(values: list[int], share: int) -> int:
    """Return the smallest value that at least ``share`` per cent of ``values`` do not exceed."""
    if not values:
        return 0
    return sorted(values)[math.ceil(len(values) * share / 100) - 1]


def has_docstring(source: str) -> bool:
    """Tell whether the module starts with a docstring."""
    return bool(ast.get_docstring(ast.parse(source)))


def silent_broad_excepts(source: str) -> list[int]:
    """Return the lines of handlers that catch everything without a comment there or on an adjacent line."""
    explained = _commented_lines(source)
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ExceptHandler)
        and _is_broad(node.type)
        and not explained & {node.lineno - 1, node.lineno, node.lineno + 1}
    ]


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    broad = {"Exception", "BaseException"}
    return any(getattr(name, "id", getattr(name, "attr", "")) in broad for name in names)


def _commented_lines(source: str) -> set[int]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and re.search(r"[^\W\d]{2}", _DIRECTIVE.sub("", token.string))
    }


def reminders(text: str) -> list[int]:
    """Return the lines that put work off."""
    return [number for number, line in enumerate(text.splitlines(), 1) if _REMINDER.search(line)]


def ties(text: str) -> list[int]:
    """Return the lines with the address of a package index or an absolute path of somebody's machine."""
    lines = enumerate(text.splitlines(), 1)
    return [number for number, line in lines if _INDEX.search(line) or _HOME.search(line)]
