"""Other programs that do the work: a build tool makes a wheel of a folder, an installer brings dependencies.

Which sources an installer asks is the operator's own configuration of it; nothing here names one.
"""

from __future__ import annotations

import ensurepip
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gitu_core.errors import ConfigError, InputError, Rejected
from gitu_marketplace.disk import hashes
from gitu_marketplace.facts import GROUP, MANIFEST
from gitu_marketplace.shelf import Part
from gitu_marketplace.text import clean, interruptible
from gitu_marketplace.wheel import sha256_of

SECONDS = 900.0
"""How long a build tool or an installer may take."""

HOST = ("annotated-types", "anyio", "idna", "msgspec", "pydantic", "pydantic-core", "typing-extensions",
        "typing-inspection", "sniffio", "docstring-parser", "jsonschema", "jsonschema-specifications", "referencing",
        "rpds-py", "attrs", "gitu-core")  # fmt: skip
"""Distributions that a plugin has from its host, which therefore are not installed beside it."""

_BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


def build(folder: Path, into: Path) -> Path:
    """Builds the wheel of a folder, without a network, in a child process. The folder's own build code runs there."""
    if not (folder / "pyproject.toml").is_file():
        if other := next(folder.glob(".*/plugin.json"), None):
            what = f"{folder} is a plugin for another program ({clean(other.parent.name)}), which is not understood"
            raise InputError(what, hint="ask its author for an Agent Plugins package: plugin.json stands at its top")
        raise InputError(f"{folder} has no pyproject.toml", hint="name the folder of a plugin, or a wheel")
    if find_spec("hatchling") is None:
        raise ConfigError("a folder cannot be built: hatchling is not installed", hint="install hatchling, or a wheel")
    done = _run([sys.executable, "-c", _BUILD, str(into.resolve())], folder)
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise InputError(f"{folder} cannot be built: {_end(done.stderr)}", hint="correct its pyproject.toml")
    return wheels[0]


def download(name: str, into: Path) -> Path:
    """Fetches the wheel of a package by its name, without running anything of it."""
    try:
        need = Requirement(name)
    except InvalidRequirement as error:
        what = f"{name[:80]!r} is neither a file, a folder, a plugin of a known index nor a package"
        raise InputError(what, hint="look for one with: gitu plugins search WORDS") from error
    if need.url or need.extras or need.marker:
        raise InputError(f"{name[:80]!r} is not a package name", hint="write NAME or NAME==VERSION")
    installer = _pip()
    if installer is None:
        raise ConfigError("no pip was found, which fetches packages by name", hint="fetch the wheel and name its file")
    done = _run([*installer, "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(into),
                 "--", str(need)], into)  # fmt: skip
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise Rejected(f"the package {need} could not be fetched: {_end(done.stderr)}", hint="see the name and version")
    return wheels[0]


def fill(stage: Path, requires: tuple[str, ...]) -> tuple[Part, ...]:
    """Installs dependencies beside the plugin that lies in a folder: wheels only, so that nothing of them runs. What
    the host gives is taken out again; its versions bound what is chosen."""
    if not requires:
        return ()
    own, before = set(stage.glob("*.dist-info")), hashes(stage)
    limits = stage.with_name(f"{stage.name}.limits")
    limits.write_text("".join(f"{name}=={found}\n" for name in HOST if (found := _version(name))))
    try:
        words = ["--quiet", "--no-compile", "--target", str(stage), "--only-binary", ":all:",
                 "--constraint", str(limits)]  # fmt: skip
        # Not in the folder of the release: what lies there would be imported by pip and read by uv.
        done = _run([*_installer(), *words, *requires], stage.parent)
    finally:
        limits.unlink()
    if done.returncode:
        what = f"its dependencies ({', '.join(requires)}) cannot be installed: {_end(done.stderr)}"
        raise Rejected(clean(what, 1200), hint="see whether your installer can reach them")
    parts, after = _parts(stage, own), hashes(stage)
    foreign = [file for file in after.keys() - before.keys() if file.rpartition("/")[2].casefold() == MANIFEST]
    foreign += [file for file in after if ".egg-info" in file.partition("/")[0].casefold()]
    foreign += [file for file, digest in before.items() if after.get(file) != digest]
    if foreign:  # else a dependency could want what nobody was shown
        what = f"one of its dependencies brings {clean(foreign[0])}, which is the plugin's own to say"
        raise InputError(what, hint="ask its author for other dependencies")
    return tuple(parts)


def _parts(stage: Path, own: set[Path]) -> list[Part]:
    parts = []
    for info in sorted(set(stage.glob("*.dist-info")) - own):
        name, _, found = info.name.removesuffix(".dist-info").rpartition("-")
        name = canonicalize_name(name)
        record = info / "RECORD"
        if name in HOST:
            _take_out(stage, record)
            shutil.rmtree(info, ignore_errors=True)
        elif GROUP in _text(info / "entry_points.txt"):
            raise InputError(f"its dependency {name} is a plugin itself", hint=f"install {name} on its own")
        else:
            parts.append(Part(name, found, sha256_of(record)))
    shutil.rmtree(stage / "bin", ignore_errors=True)
    (stage / ".lock").unlink(missing_ok=True)  # the installer's own
    return parts


def _take_out(stage: Path, record: Path) -> None:
    for line in record.read_text("utf-8", "replace").splitlines():
        file = (stage / line.partition(",")[0]).resolve()
        if file.is_relative_to(stage.resolve()):
            file.unlink(missing_ok=True)
            while file.parent != stage.resolve() and not any(file.parent.iterdir()):
                file = file.parent
                file.rmdir()


def _text(file: Path) -> str:
    return file.read_text("utf-8", "replace") if file.is_file() else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _pip() -> list[str] | None:
    if find_spec("pip"):
        return [sys.executable, "-P", "-m", "pip"]
    bundled = sorted(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    return [sys.executable, str(bundled[-1] / "pip")] if bundled else None


def _installer() -> list[str]:
    if (pip := _pip()) is not None:
        return [*pip, "install"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    raise ConfigError("no installer was found", hint="install uv, or put pip into this environment")


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        with interruptible():
            return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=SECONDS, check=False)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Rejected(f"{Path(command[0]).name} took more than {SECONDS:g} s", hint="try again") from error


def _end(text: str) -> str:
    lines = [each for each in text.strip().splitlines() if each.strip()]
    return clean(" ".join(lines[-4:]), 600) or "it did not say why"
