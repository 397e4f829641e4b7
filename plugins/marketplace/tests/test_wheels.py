"""Wheels from anybody: what is odd is refused before a byte of it is written, and nothing of it is run."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gitu_core.errors import GituError, IncompatibleError, InputError, ManifestError
from gitu_marketplace import wheel as wheels
from gitu_marketplace.deal import Dealer
from gitu_marketplace.wheel import look, unpack
from tests.wheels import MANIFEST, write_plugin, write_wheel


def member(name: str, mode: int = 0) -> zipfile.ZipInfo:
    """An entry of an archive, as nobody who means well writes it."""
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    return info


ODD = {
    "a slip out of the folder": (member("../../outside.py"), b"", "leaves its folder"),
    "an absolute path": (member("/tmp/outside.py"), b"", "leaves its folder"),
    "a slip in the middle": (member("x_lamp/../../outside.py"), b"", "leaves its folder"),
    "a backslash": (member("x_lamp\\..\\outside.py"), b"", "no name for a file"),
    "a drive": (member("c:outside.py"), b"", "no name for a file"),
    "an escape sequence": (member("x_lamp/\x1b[2J.py"), b"", "no name for a file"),
    "a name without end": (member("x_lamp/" + "a" * 5_000), b"", "no name for a file"),
    "a link": (member("x_lamp/link", stat.S_IFLNK | 0o777), b"/etc/passwd", "a link"),
    "a device": (member("x_lamp/null", stat.S_IFCHR | 0o666), b"", "a link or a device"),
    "a file that Python obeys": (member("x.pth"), b"import os", "where Python looks"),
    "another core": (member("gitu_core/__init__.py"), b"", "in the way of what Gitu"),
    "another library of the host": (member("msgspec.py"), b"", "in the way of what Gitu"),
    "one name in two cases": (member("X_LAMP/__init__.py"), b"", "two files of one name"),
    "one folder in two cases": (member("X_lamp/more.py"), b"", "two files of one name"),
    "a file that is a folder, too": (member("x_lamp/__init__.py/x"), b"", "two files of one name"),
    "another plugin, in the old form": (
        member("x_torch.egg-info/entry_points.txt"),
        b"[gitu.plugins]\ntorch = x_lamp",
        "taken for another plugin",
    ),
    "another plugin among the data": (
        member("x_lamp-1.0.data/purelib/x_torch-1.dist-info/METADATA"),
        b"Name: x-torch",
        "it needs one folder",
    ),
    "the same file among the data": (
        member("x_lamp-1.0.data/purelib/x_lamp/__init__.py"),
        b"",
        "two files of one name",
    ),
    "a library of the host among the data": (
        member("x_lamp-1.0.data/platlib/msgspec.abi3.so"),
        b"",
        "in the way of what Gitu",
    ),
    "a file that Python obeys among the data": (
        member("x_lamp-1.0.data/purelib/x.pth"),
        b"import os",
        "where Python looks",
    ),
    "a manifest for systems that mind no case": (member("x_lamp/Gitu-Plugin.toml"), b"", "for some systems only"),
}


@pytest.mark.parametrize(("odd", "data", "reason"), ODD.values(), ids=ODD.keys())
def test_an_odd_file_is_refused(odd: zipfile.ZipInfo, data: bytes, reason: str, tmp_path: Path, dealer: Dealer) -> None:
    wheel = write_plugin(tmp_path, "lamp", extra=[(odd, data)])
    with pytest.raises(InputError, match=reason) as refused:
        dealer.install(str(wheel), yes=True)
    assert "\x1b" not in str(refused.value)
    assert not dealer.shelf.has("lamp")
    assert not list(tmp_path.rglob("outside.py"))


def test_what_would_fill_the_disk_is_refused_by_its_table_of_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "MOST_BYTES", 1 << 20)
    bomb = zipfile.ZipInfo("x_lamp/zeros")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    wheel = write_plugin(tmp_path, "lamp", extra=[(bomb, bytes(2 << 20))])
    assert wheel.stat().st_size < 1 << 16
    with pytest.raises(InputError, match="unpacks to more than"):
        look(wheel)


def test_a_file_that_is_not_as_recorded_is_refused(tmp_path: Path) -> None:
    wheel = write_plugin(tmp_path, "lamp")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("x_lamp/more.py", "import os")
    seen = look(wheel)
    with pytest.raises(InputError, match=r"x_lamp/more\.py is not as its record says"):
        unpack(seen, tmp_path / "target")


def test_a_wheel_that_changes_after_the_look_is_refused(tmp_path: Path) -> None:
    seen = look(write_plugin(tmp_path, "lamp"))
    write_plugin(tmp_path, "lamp", colour="red")
    with pytest.raises(InputError, match="changed meanwhile"):
        unpack(seen, tmp_path / "target")


def _manifest(text: str) -> Callable[[Path], Path]:
    return lambda folder: write_plugin(folder, "lamp", manifest=text)


def _metadata(text: str) -> Callable[[Path], Path]:
    return lambda folder: write_plugin(folder, "lamp", metadata=text)


def _data(folder: Path) -> Path:
    """Says nothing in the place of a manifest, and everything among the data, which end up there."""
    text = MANIFEST.format(id="lamp", title="", capabilities='network = ["evil.example.org"]').encode()
    place = member("x_lamp-1.0.data/purelib/x_lamp/gitu-plugin.toml")
    return write_plugin(folder, "lamp", manifest=None, extra=[(place, text)])


def _torn(folder: Path) -> Path:
    file = folder / "x_lamp-1.0-py3-none-any.whl"
    file.write_bytes(b"PK\3\4 and no more")
    return file


def _renamed(folder: Path) -> Path:
    return write_plugin(folder, "lamp").rename(folder / "x_torch-1.0-py3-none-any.whl")


ABSURD = {
    "no archive": (_torn, InputError),
    "another name outside than inside": (_renamed, InputError),
    "no plugin": (lambda folder: write_wheel(folder, "x-lamp", "1.0", {"x_lamp.py": ""}), InputError),
    "two plugins": (
        lambda folder: write_wheel(folder, "x-lamp", "1.0", {"a.py": ""}, entry="a = a\nb = a"), InputError,
    ),
    "another platform": (
        lambda folder: write_wheel(folder, "x-lamp", "1.0", {"a.py": ""}, entry="a = a", tag="cp39-cp39-win32"),
        IncompatibleError,
    ),
    "an entry point that is no id": (
        lambda folder: write_wheel(folder, "x-lamp", "1.0", {"a.py": ""}, entry="../../b = a"), InputError,
    ),
    "a second name": (_metadata("Name: gitu-basics\n"), InputError),
    "a second name behind another end of a line": (_metadata("Summary: x\x0bName: gitu-basics\n"), InputError),
    "a part of Gitu": (lambda folder: write_plugin(folder, "litellm", name="gitu-litellm"), InputError),
    "an entry point that names somebody else's code": (
        lambda folder: write_wheel(folder, "x-lamp", "1.0", {"a.py": ""}, entry="lamp = gitu_basics"), InputError,
    ),
    "a configuration that is no JSON": (_manifest('id = "lamp"\n[config]\nschema = "{"'), ManifestError),
    "a manifest that is no TOML": (_manifest("[[["), ManifestError),
    "an id with a path": (_manifest('id = "../lamp"'), ManifestError),
    "a manifest without end": (_manifest('id = "lamp"\ntitle = "' + "a" * (1 << 20) + '"'), GituError),
    "nesting without end": (_manifest('id = "lamp"\n[config]\nschema = ' + "[" * 9_000 + "]" * 9_000), ManifestError),
    "secrets in a way that there is not": (
        _manifest('id = "lamp"\n[[capabilities.secrets]]\nname = "KEY"\nmode = "printed"'), ManifestError,
    ),
    "a contract of the future": (_manifest('id = "lamp"\n[contracts]\ntool = 99'), IncompatibleError),
    "a contract that is no number": (_manifest('id = "lamp"\n[contracts]\ntool = "\x1b"'), ManifestError),
    "a command in the place of ours": (
        _manifest('id = "lamp"\n[[contributes]]\nseam = "command"\nname = "plugins  install"'), ManifestError,
    ),
    "a Python of the future": (_metadata("Requires-Python: >=99\n"), IncompatibleError),
    "a Python that is no version": (_metadata("Requires-Python: soon\n"), InputError),
    "a dependency that is none": (_metadata("Requires-Dist: --editable=..\n"), InputError),
    "a dependency from an address": (_metadata("Requires-Dist: evil @ file:///tmp/evil.zip\n"), InputError),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error"), ABSURD.values(), ids=ABSURD.keys())
def test_what_is_absurd_is_refused_with_a_next_step(
    make: Callable[[Path], Path], error: type[GituError], tmp_path: Path, dealer: Dealer
) -> None:
    with pytest.raises(error) as refused:
        dealer.install(str(make(tmp_path)), yes=True)
    assert refused.value.hint
    assert "\x1b" not in str(refused.value)
    assert not dealer.shelf.ids()


def test_what_ends_up_as_the_manifest_is_what_is_shown(tmp_path: Path) -> None:
    assert "network: evil.example.org" in look(_data(tmp_path)).wants.permissions


def test_a_record_of_what_is_not_there_and_one_elsewhere_are_not_believed(tmp_path: Path) -> None:
    wheel = write_plugin(tmp_path, "lamp", extra=[(member("a/b.dist-info/RECORD"), b"x_lamp/__init__.py,sha256=no,1")])
    unpack(look(wheel), tmp_path / "one")
    with zipfile.ZipFile(wheel) as old:
        files = {each: old.read(each) for each in old.namelist() if not each.endswith("b.dist-info/RECORD")}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    with pytest.raises(InputError, match=r"a/b\.dist-info/RECORD is recorded and not there"):
        unpack(look(wheel), tmp_path / "two")


def test_what_is_shown_steers_no_terminal(tmp_path: Path, dealer: Dealer, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = write_plugin(
        tmp_path, "lamp", title="nice\\u001b]0;gone\\u0007\\u202Eecin", capabilities='network = ["a\\u001b[8m.org"]'
    )
    dealer.install(str(wheel), yes=True)
    said = capsys.readouterr().err
    assert "nice" in said
    assert "network: a[8m.org" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)


def test_every_permission_is_seen(tmp_path: Path) -> None:
    more = """network = ["a.example.org"]
files = ["~/Documents"]
subprocess = true
facets = ["kv"]
[[capabilities.secrets]]
name = "KEY"
audience = ["a.example.org"]
[[capabilities.secrets]]
name = "WORD"
mode = "revealed"
optional = true
[config]
schema = '{"properties": {"colour": {"type": "string", "x-env": "LAMP_COLOUR"}, "size": {}}}'
"""
    text = MANIFEST.format(id="lamp", title="Lamps", capabilities=more).replace(
        "title =", 'isolation = "host"\ntitle ='
    )
    assert look(write_plugin(tmp_path, "lamp", manifest=text)).wants.permissions == (
        "contributes: tool", "environment: LAMP_COLOUR", "facet: kv", "files: ~/Documents", "hook: gitu_tools",
        "host: wants to run inside Gitu itself",
        "network: a.example.org", "programs: starts other programs", "secret: KEY (injected for a.example.org)",
        "secret: WORD (revealed, optional)",
    )  # fmt: skip


def test_scripts_and_data_are_left_out_and_code_for_one_platform_is_not(tmp_path: Path) -> None:
    extra = [
        (zipfile.ZipInfo(f"x_lamp-1.0.data/{name}"), b"1") for name in ("scripts/lamp", "data/etc/x", "purelib/y.py")
    ]
    unpack(look(write_plugin(tmp_path, "lamp", extra=extra)), tmp_path / "target")
    there = {each.name for each in (tmp_path / "target").rglob("*") if each.is_file()}
    assert "y.py" in there
    assert not {"lamp", "x"} & there
