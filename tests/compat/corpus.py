"""The frozen plugins: where they are, their checksums, and how one becomes an installed distribution, offline."""

from __future__ import annotations

import hashlib
import tomllib
import zipfile
from pathlib import Path

from tests.wheels import write_wheel

CORPUS = Path(__file__).with_name("corpus")
SUMS = "SHA256SUMS"
ADDED_ONLY = (
    "a corpus is only ever added to: plugins that people wrote do not change with Gitu. Put it back as it was"
    " (git checkout tests/compat/corpus); what is new goes into a generation of its own"
)
_IDLE = {"__pycache__", ".mypy_cache", ".ruff_cache"}


def files(root: Path) -> dict[str, str]:
    """Every file below a folder of generations with its digest."""
    found = (each for each in sorted(root.rglob("*")) if each.is_file() and not _IDLE & set(each.parts))
    return {
        each.relative_to(root).as_posix(): hashlib.sha256(each.read_bytes()).hexdigest()
        for each in found
        if each.name != SUMS
    }


def frozen(root: Path) -> dict[str, str]:
    """The digests that were written down."""
    lines = (root / SUMS).read_text("utf-8").splitlines() if (root / SUMS).exists() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def broken(root: Path) -> list[str]:
    """What of the frozen files is not as it was, and what nobody froze; in words."""
    there, written = files(root), frozen(root)
    changed = [f"{name} was {'changed' if name in there else 'removed'}; {ADDED_ONLY}"
               for name, digest in written.items() if there.get(name) != digest]  # fmt: skip
    generations = {name.partition("/")[0] for name in written}
    for name in sorted(there.keys() - written.keys()):
        generation = name.partition("/")[0]
        if generation in generations:
            changed.append(f"{name} was added to a frozen generation; {ADDED_ONLY}")
        else:
            changed.append(f"{name} is not frozen yet: python -m tests.compat.freeze {generation}")
    return changed


def plugins(root: Path = CORPUS) -> list[Path]:
    """The folder of every distribution of every generation."""
    return sorted(each.parent for each in root.glob("*/*/pyproject.toml"))


def pack(source: Path, folder: Path) -> Path:
    """The wheel of a distribution, as its build back-end makes it."""
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))
    about = project["project"]
    entries = "\n".join(f"{name} = {value}" for name, value in about["entry-points"]["gitu.plugins"].items())
    content = {}
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        for each in sorted((source / package).rglob("*")):
            if each.is_file() and not _IDLE & set(each.parts):
                content[each.relative_to((source / package).parent).as_posix()] = each.read_text("utf-8")
    return write_wheel(
        folder, about["name"], about["version"], content, entry=entries, requires=about["dependencies"],
        metadata=f"Summary: {about['description']}\n",
    )  # fmt: skip


def install(wheel: Path, target: Path) -> None:
    """Installs a wheel of pure Python: to unpack it is all that an installer does with one."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
