"""Print the size of the core per room and fail when it exceeds the limit.

A code line bears code: blank lines, comments and docstrings appear in the column beside it but do not count,
so that explaining something never costs anything. ``gitu_core/testing`` is made for plugin authors and does
not count either.
"""

import ast
import io
import sys
import tokenize
from collections import defaultdict
from pathlib import Path

LIMIT = 17_450
"""What it is and why stands in docs/decisions/0010-core-size.md."""
CORE = Path(__file__).resolve().parent.parent / "gitu_core"
OUTSIDE = "testing"

_SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of all lines that docstrings occupy."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def code_lines(source: str) -> int:
    """Count the lines of ``source`` that bear code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstring_lines(ast.parse(source)))


def main() -> int:
    """Print the table; return 1 when the core is too large."""
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for path in sorted(CORE.rglob("*.py")):
        source = path.read_text("utf-8")
        row = rooms[path.relative_to(CORE).parts[0].removesuffix(".py")]
        row[0] += 1
        row[1] += code_lines(source)
        row[2] += source.count("\n")
    print(f"{'room':<16}{'files':>8}{'code':>8}{'lines':>8}")
    for room, (files, code, lines) in sorted(rooms.items()):
        print(f"{room:<16}{files:>8}{code:>8}{lines:>8}{'   not counted' if room == OUTSIDE else ''}")
    counted = [row for room, row in rooms.items() if room != OUTSIDE]
    files, code, lines = (sum(column) for column in zip(*counted, strict=True)) if counted else (0, 0, 0)
    print(f"{'core':<16}{files:>8}{code:>8}{lines:>8}   limit {LIMIT} lines of code")
    if code > LIMIT:
        print(f"error: {code - LIMIT} lines too many; move a feature into a plugin", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
