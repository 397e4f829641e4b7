"""Plugins as people wrote them for older versions install, load and do exactly what they did."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitu_core.contracts import SEAMS
from gitu_core.hookspecs import HOOKS
from gitu_core.registry import Registry
from gitu_core.registry.describe import RecordingHost
from tests.cli.driver import Cli
from tests.compat.corpus import ADDED_ONLY, CORPUS, broken, frozen, install, pack, plugins
from tests.compat.drive import DRIVES, opener
from tests.compat.freeze import freeze

PLUGINS = plugins()
NAMES = [each.relative_to(CORPUS).as_posix() for each in PLUGINS]


LOOKS_INSIDE = ("channel", "hooks")
"""Drives that look into the module of the plugin, which only one that runs inside can be asked for."""


def expected(folder: Path) -> dict[str, Any]:
    """What was frozen beside a plugin."""
    return json.loads((folder / "expected.json").read_text("utf-8"))  # type: ignore[no-any-return]


@pytest.fixture
def installed(tmp_path: Path, gitu_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that wheels are installed into; what was imported from it is forgotten afterwards."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [each for each in sys.modules if each.startswith("corpus_")]:
        del sys.modules[name]


def put(source: Path, folder: Path) -> None:
    """Packs and installs one plugin."""
    install(pack(source, folder.parent), folder)


@pytest.mark.anyio
@pytest.mark.parametrize("trusted", [True, False], ids=["inside", "apart"])
@pytest.mark.parametrize("source", PLUGINS, ids=NAMES)
async def test_an_old_plugin_is_listed_loads_and_does_what_it_did(
    source: Path, installed: Path, gitu_home: Path, trusted: bool
) -> None:
    frozen_then = expected(source)
    if not trusted and frozen_then["drive"] in LOOKS_INSIDE:
        pytest.skip("what it did is read out of its own module; tests/isolation drives channels and hooks apart")
    put(source, installed)
    config = frozen_then.get("config", {})
    registry = Registry(
        gitu_home, path=[str(installed)], enabled=lambda *_: True,
        host_for=lambda manifest: RecordingHost(manifest.id, config),
    )  # fmt: skip
    (listed,) = registry.plugins()
    assert (listed.id, listed.state, listed.reason) == (frozen_then["id"], "enabled", "")
    assert list(listed.contributions) == frozen_then["contributions"]
    assert list(listed.hooks) == frozen_then["hooks"]
    await registry.check(begin=False)
    (checked,) = registry.plugins()
    assert (checked.state, checked.reason, checked.notes) == ("enabled", "", ())
    await registry.stop()
    drive = DRIVES[frozen_then["drive"]]
    opened = opener(str(gitu_home), listed.id, config, trusted)
    assert await drive(opened, frozen_then["given"]) == frozen_then["gives"]


def test_unknown_fields_of_a_manifest_are_kept(installed: Path, gitu_home: Path) -> None:
    """Through the index on disk too."""
    put(CORPUS / "1" / "future", installed)
    for _ in range(2):
        registry = Registry(gitu_home, path=[str(installed)], enabled=lambda *_: True, host_for=lambda _: None)  # type: ignore[arg-type,return-value]
        (listed,) = registry.plugins()
        manifest = registry.manifest(listed.id)
        assert manifest.extra == {"mood": "cheerful", "quality": {"tier": "gold"}}
        assert manifest.contributes[0].extra == {"since": "9.0"}
        assert manifest.capabilities.extra == {"cameras": ["front"]}
        assert manifest.capabilities.secrets[0].extra == {"rotates": "monthly"}


def test_all_of_a_generation_live_together_and_the_command_runs(installed: Path, tmp_path: Path) -> None:
    for each in (CORPUS / "1").iterdir():
        put(each, installed)
    cli = Cli(tmp_path / "here", installed)
    ids = [expected(each)["id"] for each in (CORPUS / "1").iterdir()]
    cli.configure("".join(f"[plugins.{id}]\nenabled = true\n" + 'unit = "m"\n' * (id == "stateful") for id in ids))
    listed = {each["id"]: each["state"] for each in json.loads(cli.run("plugins", "--json").stdout)}
    assert {listed[id] for id in ids} == {"enabled"}
    assert cli.run("greet", "ana", "--loud").stdout == "HELLO ANA\n"


def test_the_first_generation_has_every_seam_that_crosses_and_every_hook() -> None:
    first = [expected(each) for each in (CORPUS / "1").iterdir()]
    seams = {name.partition(":")[0] for each in first for name in each["contributions"]}
    helpers = {"inbox", "call", *(name for name in SEAMS if name.partition(".")[0] == "host")}
    assert seams == {name for name, seam in SEAMS.items() if seam.crosses} - helpers
    hooks = {name for each in first for name in each["hooks"]}
    assert hooks == HOOKS.keys() - {"gitu_dispatchers"}


# ---- what is frozen stays -------------------------------------------------------------------------------------


def test_the_corpus_is_as_it_was_frozen() -> None:
    assert broken(CORPUS) == []
    assert len(frozen(CORPUS)) > 40


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the corpus that may be spoilt."""
    return Path(shutil.copytree(CORPUS, tmp_path / "corpus"))


@pytest.mark.parametrize("how", ["changed", "removed", "added to a frozen generation"])
def test_whoever_spoils_it_is_told_that_it_is_only_ever_added_to(copy: Path, how: str) -> None:
    file = copy / "1" / "decorated" / "pyproject.toml"
    if how == "removed":
        file.unlink()
    else:
        file = file if how == "changed" else file.with_name("new.py")
        file.write_text("# other\n")
    (said,) = broken(copy)
    assert how in said
    assert file.relative_to(copy).as_posix() in said
    assert ADDED_ONLY in said
    with pytest.raises(ValueError, match="only ever added to"):
        freeze("2", copy)


def test_a_generation_is_added_once(copy: Path) -> None:
    shutil.copytree(copy / "1" / "vectors", copy / "2" / "vectors")
    assert [each for each in broken(copy) if "freeze 2" not in each] == []
    before = frozen(copy)
    assert freeze("2", copy) == 4
    assert broken(copy) == []
    assert before.items() < frozen(copy).items()
    with pytest.raises(ValueError, match="frozen already"):
        freeze("2", copy)
    with pytest.raises(ValueError, match="nothing in"):
        freeze("3", copy)


def test_a_generation_that_proves_nothing_is_not_taken(copy: Path) -> None:
    shutil.copytree(copy / "1" / "vectors", copy / "2" / "vectors")
    (copy / "2" / "vectors" / "expected.json").unlink()
    with pytest.raises(ValueError, match=r"no expected\.json"):
        freeze("2", copy)


@pytest.mark.anyio
async def test_what_a_frozen_plugin_gives_is_compared(installed: Path, gitu_home: Path) -> None:
    """An old plugin that answers otherwise is noticed."""
    put(CORPUS / "1" / "vectors", installed)
    file = installed / "corpus_vectors" / "__init__.py"
    file.write_text(file.read_text().replace("float(len(text))", "float(len(text) + 1)"))
    frozen_then = expected(CORPUS / "1" / "vectors")
    assert (
        await DRIVES["embedder"](opener(str(gitu_home), "vectors", {}, True), frozen_then["given"])
        != frozen_then["gives"]
    )
