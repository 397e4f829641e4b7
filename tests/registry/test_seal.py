"""A release that is not as its record says is not loaded; one that is costs a look at each file and no reading."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from gitu_core.registry import seal
from gitu_core.registry.scan import Found
from gitu_core.registry.seal import RECORD, broken, changed, mark

FILES = {"x/__init__.py": "a = 1\n", "x/gitu-plugin.toml": 'id = "x"', "x/__pycache__/shipped.pyc": "compiled"}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with its record."""
    place = tmp_path / "plugins/x/1.0"
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    record(place)
    return place


def record(place: Path) -> None:
    """Writes down what is there."""
    files = {name: sha256((place / name).read_bytes()).hexdigest() for name in FILES}
    marks = {name: mark(str(place / name)) for name in FILES}
    (place / RECORD).write_text(json.dumps({"id": "x", "files": files, "marks": marks}))


def _later(file: Path) -> None:
    before = file.stat()
    file.write_text("b = 1\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _elsewhere(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/hostname")


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "written": (lambda place: (place / "x/__init__.py").write_text("import os"), "x/__init__.py was changed"),
    "as old and as large": (lambda place: _later(place / "x/__init__.py"), "x/__init__.py was changed"),
    "a link": (lambda place: _elsewhere(place / "x/__init__.py"), "x/__init__.py was changed"),
    "a pipe": (lambda place: _pipe(place / "x/__init__.py"), "x/__init__.py was changed"),
    "added": (lambda place: (place / "json.py").write_text(""), "json.py was added"),
    "a folder that leads elsewhere": (lambda place: (place / "y").symlink_to("/tmp"), "y was added"),
    "missing": (lambda place: (place / "x/gitu-plugin.toml").unlink(), "x/gitu-plugin.toml is missing"),
    "a compiled copy": (
        lambda place: (place / "x/__pycache__/shipped.pyc").write_text("other"), "shipped.pyc was changed",
    ),
    "no record": (lambda place: (place / RECORD).unlink(), "there is no release.json"),
    "half a record": (lambda place: (place / RECORD).write_text('{"files": {'), "there is no release.json"),
    "a record of nothing": (lambda place: (place / RECORD).write_text('{"files": {}}'), "was added"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_as_it_was_is_named(change: Callable[[Path], object], said: str, release: Path) -> None:
    assert changed(str(release)) == ""
    change(release)
    assert said in changed(str(release))


def test_a_look_is_enough_where_nobody_touched_anything(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    hashed = seal._hash
    monkeypatch.setattr(seal, "_hash", lambda file: read.append(file) or hashed(file))
    assert changed(str(release)) == ""
    assert read == []
    moved = release.rename(release.with_name("2.0"))
    assert changed(str(moved)) == ""
    assert read == [], "where a folder lies is none of its files' business"
    (moved / "x/__init__.py").touch()
    assert changed(str(moved)) == "", "what was touched is read, and is as it was"
    assert len(read) == 1


def test_compiled_copies_that_nobody_recorded_are_deleted(release: Path) -> None:
    planted = release / "x/__pycache__/__init__.cpython-311.pyc"
    planted.write_bytes(b"something else than the source")
    assert changed(str(release)) == ""
    assert not planted.exists()
    assert (release / "x/__pycache__/shipped.pyc").exists()


async def test_what_others_installed_is_theirs_to_look_after(release: Path, tmp_path: Path) -> None:
    (release / "x/__init__.py").write_text("changed")
    found = Found("x", "1.0", "x", "x", str(release), str(release / "x.dist-info"))
    assert "x/__init__.py was changed" in await broken(found, tmp_path)
    assert await broken(found, tmp_path / "another") == ""
