"""Whoever is killed leaves a release that works; what is changed afterwards is noticed; ids stay with their owners."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest

from gitu_core.errors import Denied, InputError, NotReady, Rejected, StoreError
from gitu_marketplace import shelf as shelves
from gitu_marketplace import tools
from gitu_marketplace.commands import make_commands
from gitu_marketplace.deal import Dealer
from gitu_marketplace.shelf import Shelf
from tests.wheels import write_plugin, write_wheel

STEPS = ("staged", "unpacked", "filled", "pinned", "renamed", "switched", "cleaned")

KILLED = """
import os, signal, sys
from pathlib import Path
from gitu_marketplace import shelf
from gitu_marketplace.commands import make_commands
from gitu_marketplace.deal import Dealer
from gitu_marketplace.offers import Market
from gitu_marketplace.sources import Sources

home, action, what, where = sys.argv[1:]
shelf.step = lambda name: os.kill(os.getpid(), signal.SIGKILL) if name == where else None
dealer = Dealer(Path(home), Market(Sources(Path(home))))
dealer.install(what, yes=True) if action == "install" else dealer.shelf.remove(what)
"""


def killed(home: Path, action: str, what: str, where: str) -> None:
    """Lets a process do something and die at a step."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(home), action, what, where], check=False, timeout=60)
    assert done.returncode == -9, f"the step {where} was not reached"


@pytest.mark.parametrize("where", STEPS)
def test_whoever_is_killed_leaves_a_release_that_works(where: str, tmp_path: Path, home: Path, dealer: Dealer) -> None:
    dealer.install(str(write_plugin(tmp_path, "lamp")), yes=True)
    second = str(write_plugin(tmp_path, "lamp", "2.0"))
    killed(home, "install", second, where)
    now = dealer.shelf.installed("lamp")
    assert now.version == ("2.0" if where in ("switched", "cleaned") else "1.0")
    assert dealer.shelf.wrong("lamp", dealer.shelf.name("lamp")) == []
    # The next one finds nothing in its way, and nothing is left of the dead.
    dealer.install(second, yes=True)
    assert dealer.shelf.installed("lamp").version == "2.0"
    left = {each.name for each in (home / "plugins/lamp").iterdir()}
    assert not [name for name in left if name.startswith(".new-")]
    assert len(left) <= 3


@pytest.mark.parametrize("where", STEPS[:5])
def test_a_first_installation_that_is_killed_leaves_nothing_in_use(
    where: str, tmp_path: Path, home: Path, dealer: Dealer
) -> None:
    killed(home, "install", str(write_plugin(tmp_path, "lamp")), where)
    assert dealer.shelf.ids() == []
    dealer.install(str(tmp_path / "x_lamp-1.0-py3-none-any.whl"), yes=True)
    assert dealer.shelf.ids() == ["lamp"]


def test_a_removal_that_is_killed_can_be_repeated(tmp_path: Path, home: Path, dealer: Dealer) -> None:
    dealer.install(str(write_plugin(tmp_path, "lamp")), yes=True)
    killed(home, "remove", "lamp", "forgotten")
    assert dealer.shelf.ids() == []
    dealer.remove("lamp", keep_state=True)
    assert not dealer.shelf.has("lamp")


@pytest.mark.parametrize("where", STEPS[:5])
def test_a_failure_at_any_step_leaves_the_old_release(
    where: str, tmp_path: Path, dealer: Dealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dealer.install(str(write_plugin(tmp_path, "lamp")), yes=True)

    def fail(name: str) -> None:
        if name == where:
            raise OSError("no space left on device")

    monkeypatch.setattr(shelves, "step", fail)
    with pytest.raises(OSError, match="no space left"):
        dealer.install(str(write_plugin(tmp_path, "lamp", "2.0")), yes=True)
    assert dealer.shelf.installed("lamp").version == "1.0"


def test_a_full_disk_is_called_a_full_disk(
    tmp_path: Path, home: Path, dealer: Dealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of the release it is that finds no room."""
    (install,) = [each for each in make_commands() if each.spec.name == "plugins install"]
    given = {"name": str(write_plugin(tmp_path, "lamp")), "home": str(home), "config": "", "yes": True}

    opens = os.open

    def full(path: str, flags: int, *more: int, **given: int) -> int:
        if flags & os.O_CREAT and "x_lamp" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opens(path, flags, *more, **given)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StoreError, match=r"No space left on device.*see whether the disk is full"):
        asyncio.run(install.run(given))
    assert not dealer.shelf.ids()


def test_only_one_process_at_a_time_installs(tmp_path: Path, home: Path, dealer: Dealer) -> None:
    with Shelf(home).alone(), pytest.raises(NotReady, match="another process"):
        dealer.install(str(write_plugin(tmp_path, "lamp")), yes=True)


def test_a_changed_file_is_named_and_nobody_goes_back_to_it(tmp_path: Path, home: Path, dealer: Dealer) -> None:
    dealer.install(str(write_plugin(tmp_path, "lamp")), yes=True)
    assert dealer.verify([]) == ("lamp 1.0: 6 files, as installed", True)
    folder = home / "plugins/lamp" / dealer.shelf.name("lamp")
    (folder / "x_lamp/__init__.py").write_text("import os")
    (folder / "x_lamp/gitu-plugin.toml").unlink()
    (folder / "x_lamp/more.py").symlink_to("/etc/passwd")
    (folder / "x_lamp/__pycache__").mkdir()
    (folder / "x_lamp/__pycache__/x.pyc").write_bytes(b"hidden")
    said, good = dealer.verify(["lamp"])
    assert not good
    assert [line.strip() for line in said.splitlines()[1:]] == [
        "changed: x_lamp/__init__.py", "missing: x_lamp/gitu-plugin.toml", "added: x_lamp/more.py",
    ]  # fmt: skip
    assert not (folder / "x_lamp/__pycache__").exists(), "a compiled copy could hide a change"
    dealer.install(str(write_plugin(tmp_path, "lamp", "2.0")), yes=True)
    with pytest.raises(StoreError, match="was changed"):
        dealer.rollback("lamp")
    assert dealer.shelf.installed("lamp").version == "2.0"


def test_an_id_stays_with_the_distribution_that_has_it(tmp_path: Path, dealer: Dealer) -> None:
    dealer.install(str(write_plugin(tmp_path, "lamp")), yes=True)
    with pytest.raises(InputError, match="which was installed from x-lamp"):
        dealer.install(str(write_plugin(tmp_path, "lamp", "9.0", name="evil-lamp")), yes=True)
    with pytest.raises(InputError, match="but it was installed as 'lamp'"):
        dealer.install(str(write_plugin(tmp_path, "torch", "9.0", name="x-lamp")), yes=True)
    with pytest.raises(InputError, match="part of this installation"):
        dealer.install(str(write_plugin(tmp_path, "basics", "9.0", name="evil-basics")), yes=True)
    assert dealer.shelf.installed("lamp").version == "1.0"


def test_consent_is_needed_for_more_and_for_nothing_else(tmp_path: Path, dealer: Dealer) -> None:
    with pytest.raises(Denied):
        dealer.install(str(write_plugin(tmp_path, "lamp", capabilities='network = ["a.org"]')))
    dealer.install(str(tmp_path / "x_lamp-1.0-py3-none-any.whl"), yes=True)
    dealer.install(str(write_plugin(tmp_path, "lamp", "1.1", capabilities='network = ["a.org"]')))
    dealer.install(str(write_plugin(tmp_path, "lamp", "1.2")))
    with pytest.raises(Denied):
        dealer.install(str(write_plugin(tmp_path, "lamp", "1.3", capabilities='network = ["a.org"]')))
    assert dealer.shelf.installed("lamp").version == "1.2"


def test_a_dependency_that_cannot_be_had_leaves_everything_as_it_was(
    tmp_path: Path, dealer: Dealer, wheels: Path
) -> None:
    with pytest.raises(Rejected, match="nowhere-lib"):
        dealer.install(str(write_plugin(tmp_path, "lamp", requires=["nowhere-lib>=1"])), yes=True)
    assert not dealer.shelf.has("lamp")


def test_a_dependency_that_speaks_for_the_plugin_is_refused(tmp_path: Path, dealer: Dealer, wheels: Path) -> None:
    write_wheel(wheels, "sly-lib", "1.0", {"x_lamp/gitu-plugin.toml": 'id = "lamp"', "x_other/gitu-plugin.toml": ""})
    with pytest.raises(InputError, match=r"gitu-plugin\.toml"):
        dealer.install(str(write_plugin(tmp_path, "lamp", requires=["sly-lib"], manifest=None)), yes=True)
    write_plugin(wheels, "torch")
    with pytest.raises(InputError, match="is a plugin itself"):
        dealer.install(str(write_plugin(tmp_path, "lamp", requires=["x-torch"])), yes=True)
    assert not dealer.shelf.has("lamp")


def test_nothing_of_a_plugin_runs_while_its_dependencies_are_brought(
    tmp_path: Path, dealer: Dealer, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it calls itself: the installer neither imports it nor reads its settings."""
    mark = tmp_path / "it-ran"
    code = f"open({str(mark)!r}, 'w')".encode()
    names = ("pip/__init__.py", "pip/__main__.py", "json.py", "sitecustomize.py", "uv.toml", "pyproject.toml")
    wheel = write_plugin(tmp_path, "lamp", requires=["colour-lib"], extra=[(zipfile.ZipInfo(n), code) for n in names])
    write_wheel(wheels, "colour-lib", "1.0", {"colour_lib.py": ""})
    seen: list[Path] = []
    run = tools._run

    def watched(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
        seen.append(folder)
        return run(command, folder)

    monkeypatch.setattr(tools, "_run", watched)
    dealer.install(str(wheel), yes=True)
    monkeypatch.setattr(tools, "find_spec", lambda name: object())  # as where pip is a module of this environment
    with suppress(Rejected):
        dealer.install(str(wheel), yes=True)
    assert not mark.exists()
    assert not [each for each in seen if (each / "pip").exists()]


def test_a_dependency_that_brings_a_plugin_in_the_old_form_is_refused(
    tmp_path: Path, dealer: Dealer, wheels: Path
) -> None:
    write_wheel(wheels, "sly-lib", "1.0", {"x_torch.egg-info/entry_points.txt": "[gitu.plugins]\ntorch = x_lamp"})
    with pytest.raises(InputError, match="egg-info"):
        dealer.install(str(write_plugin(tmp_path, "lamp", requires=["sly-lib"])), yes=True)
    assert not dealer.shelf.has("lamp")


def test_a_package_is_fetched_by_its_name_and_updated(tmp_path: Path, dealer: Dealer, wheels: Path) -> None:
    write_plugin(wheels, "lamp")
    dealer.install("x-lamp", yes=True)
    assert dealer.update([]) == "lamp 1.0 is the newest"
    write_plugin(wheels, "lamp", "1.5")
    assert "1.0 was replaced by 1.5" in dealer.update(["lamp"])
    dealer.install("x-lamp==1.0")
    assert dealer.shelf.installed("lamp").version == "1.0"


def test_a_folder_is_built_and_installed(tmp_path: Path, dealer: Dealer) -> None:
    project = tmp_path / "project"
    (project / "x_lamp").mkdir(parents=True)
    (project / "x_lamp/__init__.py").write_text('"""A lamp."""\n')
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "x-lamp"\nversion = "1.0"\n[project.entry-points."gitu.plugins"]\nlamp = "x_lamp"\n'
    )
    dealer.install(str(project), yes=True)
    assert dealer.shelf.installed("lamp").source == {"kind": "folder"}
    (project / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(InputError, match="cannot be built"):
        dealer.install(str(project), yes=True)


@pytest.mark.parametrize("name", ["../../elsewhere", "..", ".new-x", "/tmp", "1.0\n../2.0", "nowhere"])
def test_a_name_in_use_that_leads_elsewhere_is_not_followed(
    name: str, tmp_path: Path, home: Path, dealer: Dealer
) -> None:
    wheel = str(write_plugin(tmp_path, "lamp"))
    dealer.install(wheel, yes=True)
    (home / "plugins/lamp/current").write_text(name)
    with pytest.raises(StoreError) as refused:
        dealer.verify(["lamp"])
    assert "gitu plugins remove lamp" in refused.value.hint
    dealer.install(wheel, yes=True)
    assert dealer.verify(["lamp"]) == ("lamp 1.0: 6 files, as installed", True)


def test_what_a_killed_process_left_beside_a_release_is_cleared_away(
    tmp_path: Path, home: Path, dealer: Dealer
) -> None:
    folder = home / "plugins/lamp"
    (folder / ".new-1/x").mkdir(parents=True)
    (folder / ".new-1.limits").write_text("")
    dealer.install(str(write_plugin(tmp_path, "lamp")), yes=True)
    assert sorted(each.name for each in folder.iterdir() if each.name.startswith(".new")) == []


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_dependencies_come_with_any_installer_without_what_the_host_gives(
    kind: str, tmp_path: Path, dealer: Dealer, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "uv":
        uv = shutil.which("uv") or next(map(str, Path(__file__).parents[3].glob(".tools/bin/uv")), None)
        if uv is None:
            pytest.skip("uv was not found: install it, or run make setup")
        monkeypatch.setattr(tools, "_pip", lambda: None)
        monkeypatch.setattr(shutil, "which", lambda name: uv)
    ours = version("anyio")
    write_wheel(wheels, "anyio", ours, {"anyio/__init__.py": "raise RuntimeError"})
    write_wheel(wheels, "colour-lib", "1.0", {"colour_lib/__init__.py": "NAME = 1"}, requires=[f"anyio=={ours}"])
    dealer.install(str(write_plugin(tmp_path, "lamp", requires=["colour-lib>=1"])), yes=True)
    release = dealer.shelf.installed("lamp")
    assert [(each.name, each.version) for each in release.parts] == [("colour-lib", "1.0")]
    assert "colour_lib/__init__.py" in release.files
    assert not [file for file in release.files if file.startswith(("anyio", ".lock", "bin"))]
