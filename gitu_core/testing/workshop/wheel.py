"""Builds a plugin's wheel without a network, and compares a wheel with the sources it should hold."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from gitu_core.errors import InputError
from gitu_core.registry.scan import entry_points
from gitu_core.testing.workshop.rules import Finding, Outcome
from gitu_core.testing.workshop.source import Source, from_metadata

_BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
_LEFT_OUT = ("__pycache__", ".pyc", ".pyo")


def build(source: Source, folder: Path) -> Path:
    """Builds the wheel into *folder*, in this environment. `InputError` says why that does not work."""
    if find_spec("hatchling") is None:
        raise InputError("the wheel cannot be built: hatchling is not installed", hint="pip install hatchling")
    done = subprocess.run([sys.executable, "-c", _BUILD, str(folder.resolve())], cwd=source.folder,
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise InputError(f"the wheel cannot be built: {done.stderr.strip()[-500:]}", hint="correct pyproject.toml")
    return folder / done.stdout.strip().splitlines()[-1]


def digest(wheel: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return sha256(wheel.read_bytes()).hexdigest()


def unpacked(wheel: Path, folder: Path) -> Source:
    """What is in a wheel, as something to check."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{wheel} cannot be read: {error}", hint="name a wheel, built by: pip wheel") from error
    info = next(folder.glob("*.dist-info"), None)
    file = info / "entry_points.txt" if info else None
    points = dict(entry_points(file.read_text("utf-8"))) if file and file.is_file() else {}
    if info is None or not points:
        raise InputError(f"{wheel} holds no plugin", hint="give it an entry point in the group gitu.plugins")
    package = next(iter(points.values())).partition(":")[0].split(".")[0]
    return from_metadata(info, folder / package, points, "a wheel")


def same(source: Source, wheel: Source, name: str) -> Outcome:
    """Whether a wheel holds exactly the sources that were checked."""
    ours, theirs = (_files(each.package) for each in (source, wheel))
    findings = [
        Finding(f"{name} does not hold {path} as it is in the sources", "build it again", path)
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    ]
    others = {each.name for each in wheel.folder.iterdir() if each != wheel.package and not _metadata(each, source)}
    for other in sorted(others):
        what = f"{name} holds {other} beside the package, which was not checked"
        findings.append(Finding(what, "leave it out, or move it into the package", other))
    for word in ("name", "version"):
        said = str(source.project.get(word, wheel.project[word]))
        if _plain(said) != _plain(str(wheel.project[word])):
            findings.append(
                Finding(f"{name} has the {word} {wheel.project[word]}, the sources {said}", "build it again")
            )
    wanted, given = ({_plain(str(need)) for need in each.project.get("dependencies", ())} for each in (source, wheel))
    if "dependencies" not in source.project.get("dynamic", ()) and wanted != given:
        findings.append(Finding(f"{name} depends on something else than the sources say", "build it again"))
    if wheel.points != source.points:
        findings.append(Finding(f"{name} has other entry points than the sources", "build it again"))
    status = "failed" if findings else "passed"
    return Outcome("wheel", "error", status, "", f"{len(theirs)} files as in the sources", tuple(findings))  # type: ignore[arg-type]


def _metadata(path: Path, source: Source) -> bool:
    name = str(source.project.get("name", "")).replace("-", "_").replace(".", "_").lower()
    return path.name.lower().startswith(f"{name}-") and path.name.endswith(".dist-info")


def _plain(need: str) -> str:
    """A requirement, a name or a version as it can be compared: builders write them in their own order."""
    text = re.sub(r"[\s()]", "", need.partition(";")[0]).lower().replace("_", "-")
    at = min((text.find(sign) for sign in "<>=!~@[" if sign in text), default=len(text))
    return text[:at] + ",".join(sorted(text[at:].split(",")))


def _files(package: Path) -> dict[str, str]:
    return {path.relative_to(package.parent).as_posix(): digest(path) for path in sorted(package.rglob("*"))
            if path.is_file() and not any(part.endswith(_LEFT_OUT) for part in path.parts)}  # fmt: skip
