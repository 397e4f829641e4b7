"""The index finds what is installed, notices every change, and imports nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import anyio
import pytest

from gitu_core.errors import ManifestError
from gitu_core.manifest import read
from gitu_core.registry.index import Index
from gitu_core.registry.scan import Found, entry_points
from tests.registry.conftest import TOOL, Make, Site, status, tool_manifest
from tests.wheels import write_wheel

RAISES = "raise RuntimeError('a listing imported me')"


def listed(home: Path, site: Site) -> dict[str, Found]:
    """What a fresh process would list."""
    return {each.id: each for each in Index(home, [str(site.folder)]).load()}


def test_plugins_are_found_without_running_their_code(site: Site, tmp_path: Path) -> None:
    """Distribution, version, entry point and manifest are known, though importing the package would fail."""
    site.install("a", RAISES, tool_manifest("wave"), version="2.5")
    (site.folder / "other-1.0.dist-info").mkdir()
    (site.folder / "other-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\nx = gitu.plugins:x\n")
    (site.folder / "file.egg-info").write_text("old style")
    (found,) = listed(tmp_path, site).values()
    assert (found.distribution, found.version, found.name, found.value) == ("x-a", "2.5", "a", "x_a")
    assert found.manifest is not None
    assert [each.name for each in found.manifest.of("tool")] == ["wave"]
    assert "x_a" not in sys.modules


def test_a_listing_from_the_index_reads_no_metadata(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm listing never scans a folder, and gives the same."""
    site.tool("a", "wave")
    cold = listed(tmp_path, site)
    monkeypatch.setattr("gitu_core.registry.index.scan_folder", lambda *_: pytest.fail("scanned"))
    assert listed(tmp_path, site) == cold


def test_install_upgrade_and_removal_are_noticed(site: Site, tmp_path: Path) -> None:
    """Each shows in the very next listing."""
    site.tool("a", "wave")
    assert set(listed(tmp_path, site)) == {"a"}
    site.tool("b", "nod")
    assert set(listed(tmp_path, site)) == {"a", "b"}
    shutil.rmtree(site.folder / "x_a-1.0.dist-info")
    site.tool("a", "bow", version="2.0")
    a = listed(tmp_path, site)["a"]
    assert a.version == "2.0"
    assert a.manifest is not None
    assert a.manifest.of("tool")[0].name == "bow"
    shutil.rmtree(site.folder / "x_b-1.0.dist-info")
    assert set(listed(tmp_path, site)) == {"a"}


def test_a_change_within_one_tick_of_the_clock_is_noticed(site: Site, tmp_path: Path) -> None:
    """A folder that changed just now is read again, even if its modification time stays the same."""
    site.tool("a", "wave")
    now = os.stat(tmp_path).st_mtime_ns + 10**9
    os.utime(site.folder, ns=(now, now))
    assert set(listed(tmp_path, site)) == {"a"}
    site.tool("b", "nod")
    os.utime(site.folder, ns=(now, now))
    assert set(listed(tmp_path, site)) == {"a", "b"}


def test_an_edited_manifest_is_noticed(site: Site, tmp_path: Path) -> None:
    """Also one that is written later, or taken away; the folder itself did not change."""
    home = site.tool("a", "wave")
    manifest = home / "gitu-plugin.toml"
    assert listed(tmp_path, site)["a"].manifest is not None
    manifest.write_text("id = ")
    trouble = listed(tmp_path, site)["a"].trouble
    assert trouble is not None
    assert str(manifest) in trouble.message
    assert "gitu manifest" in trouble.hint
    manifest.unlink()
    assert listed(tmp_path, site)["a"].manifest is None
    manifest.write_text('id = "renamed"')
    assert set(listed(tmp_path, site)) == {"renamed"}


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b'{"format": 0}', b"[" * 5000, b'{"folders": 3}'])
def test_a_damaged_index_is_rebuilt(site: Site, tmp_path: Path, damage: bytes) -> None:
    """Whatever is on disk, the listing is right and the file is whole again afterwards."""
    site.tool("a", "wave")
    before = listed(tmp_path, site)
    file = Index(tmp_path).file
    file.write_bytes(damage)
    assert listed(tmp_path, site) == before
    assert len(file.read_bytes()) > 100
    assert file.stat().st_mode & 0o077 == 0
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_home_that_cannot_be_written_works_without_an_index(site: Site, tmp_path: Path) -> None:
    """A file stands where the folder should be; that fails for an administrator too."""
    site.tool("a", "wave")
    (tmp_path / "cache").write_text("")
    assert set(listed(tmp_path, site)) == {"a"}
    assert set(listed(tmp_path, site)) == {"a"}


def test_python_finds_the_first_of_two_copies_and_so_does_the_index(site: Site, tmp_path: Path) -> None:
    """A distribution that lies in two folders counts where its code would be imported from."""
    site.tool("a", "wave")
    other = Site(tmp_path / "other")
    other.tool("a", "nod", version="2.0")
    both = [str(other.folder), str(site.folder), str(tmp_path / "missing")]
    (found,) = Index(tmp_path, both).load()
    assert found.version == "2.0"


def test_an_editable_install_is_found_through_the_import_system(site: Site, tmp_path: Path) -> None:
    """Its code lies elsewhere on the path; the metadata folder holds none of it."""
    elsewhere = Site(tmp_path / "src")
    home = elsewhere.tool("a", "wave")
    shutil.move(elsewhere.folder / "x_a-1.0.dist-info", site.folder)
    site.settle()
    sys.path.append(str(elsewhere.folder))
    found = listed(tmp_path, site)["a"]
    assert found.file == str(home / "gitu-plugin.toml")
    assert "x_a" not in sys.modules


def test_a_manifest_deeper_in_the_package_is_found(site: Site, tmp_path: Path) -> None:
    """For distributions that share a namespace package."""
    home = site.install("a", RAISES, None, value="x_a.inner.code")
    (home / "inner").mkdir()
    (home / "inner" / "gitu-plugin.toml").write_text('id = "deep"')
    assert set(listed(tmp_path, site)) == {"deep"}


def test_entry_points_are_read_as_installers_write_them() -> None:
    """Other groups, comments, extras and spaces are what they are in the specification."""
    text = "[a]\nx = y\n# no\n\n[gitu.plugins]\n  one=p.q:r.s \n; no\ntwo = p [extra]\nbroken\n[b]\nz = 1\n"
    assert list(entry_points(text)) == [("one", "p.q:r.s"), ("two", "p")]


def test_listing_loads_no_heavy_library(site: Site, tmp_path: Path) -> None:
    """Neither pluggy nor stevedore nor pydantic, and no plugin; measured in a process of its own."""
    site.install("a", RAISES, tool_manifest("wave"))
    code = (
        "import sys\nfrom pathlib import Path\nfrom gitu_core.registry import Registry\n"
        f"r = Registry(Path({str(tmp_path)!r}), host_for=None, path=[{str(site.folder)!r}])\n"
        "assert [p.id for p in r.plugins()] == ['a']\n"
        "assert not r.offers('tool') and not r.hooks.wants('gitu_event')\n"
        "heavy = {'pluggy', 'stevedore', 'pydantic', 'jsonschema', 'importlib.metadata'}\n"
        "heavy |= {'anyio', 'logging', 'x_a'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    for _ in ("cold", "warm"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.anyio
async def test_a_real_wheel_serves_once_it_is_installed(site: Site, make: Make, tmp_path: Path) -> None:
    """Built by hand, and installed with whatever installer is there; without one, unpacked."""
    code = TOOL.format(name="wave") + "\ndef gitu_tools(host):\n    return [wave]\n"
    manifest = 'id = "wheel"\n' + tool_manifest("wave")
    files = {"x_wheel/__init__.py": code, "x_wheel/gitu-plugin.toml": manifest}
    wheel = write_wheel(tmp_path, "x-wheel", "1.0", files, entry="wheel = x_wheel")
    command = _installer()
    if command is None:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site.folder)
    else:
        await anyio.run_process([*command, "--target", str(site.folder), str(wheel)])
    site.settle()
    registry = make(enabled=None)
    assert status(registry, "wheel").state == "disabled"
    registry.enable("wheel")
    tool = await registry.get("tool", "wave")
    assert tool.function() == "wave"


def _installer() -> list[str] | None:
    """An installer that is there, if any, told to look nowhere but at the given file."""
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "-q", "--no-index", "--no-deps", "--python", sys.executable]
    has_pip = (
        subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    )
    return [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"] if has_pip else None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("# " + "x" * (1 << 20), "more than 1 MiB"),
        (f'title = "{"x" * 10_001}"', "its title has more than 10000 characters"),
        (f'[[contributes]]\nseam = "tool"\nname = "t"\ndescription = "{"x" * 10_001}"', "tool 't': its description"),
        (
            f"[[contributes]]\nseam = 'tool'\nname = 't'\nspec = '{{\"description\": \"{'x' * 10_001}\"}}'",
            "tool 't': its description",
        ),
        ("[config.properties]\na = true", "configuration"),
        ('[config]\nproperties = ["a"]', "configuration"),
        ('[config]\nschema = \'{"properties": "a"}\'', "configuration"),
    ],
    ids=["file", "title", "description", "spec", "yes", "list", "word"],
)
def test_what_cannot_be_taken_is_refused_with_the_next_step(
    site: Site, make: Make, tmp_path: Path, more: str, words: str
) -> None:
    """So that one manifest can neither fill the memory nor every request to a model, nor keep others from starting."""
    site.install("big", "", more)
    site.tool("good", "wave")
    big = status(make(), "big")
    assert big.state == "broken"
    assert words in big.reason
    assert big.hint
    assert status(make(), "good").state == "enabled"
    with pytest.raises(ManifestError, match=words):
        read(site.folder / "x_big" / "gitu-plugin.toml")
