"""The frozen plugins: where they are, their checksums, and how one becomes an installed distribution, offline."""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from pathlib import Path

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
    stem = f"{about['name'].replace('-', '_')}-{about['version']}"
    entries = "\n".join(f"{name} = {value}" for name, value in about["entry-points"]["gitu.plugins"].items())
    needs = "".join(f"Requires-Dist: {need}\n" for need in about["dependencies"])
    content = {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {about['name']}\nVersion: {about['version']}\n"
        f"Summary: {about['description']}\n{needs}",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": f"[gitu.plugins]\n{entries}\n",
    }
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        for each in sorted((source / package).rglob("*")):
            if each.is_file() and not _IDLE & set(each.parts):
                name = each.relative_to((source / package).parent).as_posix()
                content[name] = each.read_text("utf-8")
    record = ""
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text.encode())}\n"
        archive.writestr(f"{stem}.dist-info/RECORD", f"{record}{stem}.dist-info/RECORD,,\n")
    return wheel


def install(wheel: Path, target: Path) -> None:
    """Installs a wheel of pure Python: to unpack it is all that an installer does with one."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
