"""Which files belong to the project: tracked ones and new ones, not what git ignores."""

import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NOT_OURS = {".git", ".venv", ".tools", ".bench", ".bench-authority", "__pycache__", "build", "dist"}


def walk(root: Path) -> Iterator[str]:
    """Yield the files below ``root`` without asking git, leaving out what tools leave behind."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and not any(p in _NOT_OURS or p.endswith("_cache") for p in relative.parts):
            yield relative.as_posix()


@cache
def project_files() -> tuple[str, ...]:
    """Return all files of the project as paths relative to its root, with forward slashes."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        # No git, no repository, or a repository that belongs to another account.
        return tuple(walk(ROOT))
    names = set(answer.stdout.decode().split("\0")) - {""}
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def python_files(*patterns: str) -> list[str]:
    """Return the project's Python files that match one of ``patterns``; ``*`` also stands for slashes."""
    return [
        name
        for name in project_files()
        if name.endswith(".py") and any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


def text_of(name: str) -> str | None:
    """Return the text of a project file, or None when it is not text."""
    try:
        return (ROOT / name).read_text("utf-8")
    except UnicodeDecodeError:
        return None
