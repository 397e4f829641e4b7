"""Where master keys come from: a variable, a file for its owner only, the keyring of the operating system."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Any

import keyring
import keyring.backends.fail
import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from gitu_core.errors import ConfigError, KeyUnavailable
from gitu_core.store import Store
from gitu_core.store.master import Master, fingerprint
from tests.store.make import inbox

pytestmark = pytest.mark.anyio

OLD, NEW = b"o" * 32, b"n" * 32


def line(*keys: bytes) -> str:
    """Keys as they stand in a variable."""
    return " ".join(base64.b64encode(key).decode() for key in keys)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITU_MASTER_KEY", raising=False)


class Drawer(KeyringBackend):
    """A keyring that keeps everything in memory."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}
        self.locked = self.forgets = False

    def get_password(self, service: str, username: str) -> str | None:
        """What was kept."""
        if self.locked:
            raise keyring.errors.KeyringLocked("locked")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keeps it."""
        if not self.forgets:
            self.held[service, username] = password


@pytest.fixture
def drawer(monkeypatch: pytest.MonkeyPatch) -> Drawer:
    """The keyring of this operating system."""
    found = Drawer()
    monkeypatch.setattr(keyring, "get_keyring", lambda: found)
    monkeypatch.setattr(keyring, "get_password", found.get_password)
    monkeypatch.setattr(keyring, "set_password", found.set_password)
    return found


async def test_the_keyring_of_the_operating_system_keeps_the_key(tmp_path: Path, drawer: Drawer) -> None:
    async with Store(home=tmp_path, master_key="keyring:mine") as store:
        await store.accept(inbox("k"))
        first = (await store.key_status()).current
        await store.rotate_master()
        status = await store.key_status()
    assert list(drawer.held) == [("gitu", "mine")]
    assert status.known == (status.current, first)
    assert "OS keyring" in status.place
    assert not (tmp_path / "master.key").exists()
    async with Store(home=tmp_path, master_key="keyring:mine") as store:
        assert await store.check() == []
    del drawer.held["gitu", "mine"]
    with pytest.raises(KeyUnavailable, match=status.current) as raised:
        await Store(home=tmp_path, master_key="keyring:mine").open()
    assert "gitu keys add" in raised.value.hint


def test_a_keyring_that_cannot_be_used_is_a_clear_error(
    tmp_path: Path, drawer: Drawer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Master(tmp_path, "keyring")
    drawer.forgets = True
    with pytest.raises(KeyUnavailable, match="did not keep"):
        place.make()
    drawer.locked = True
    with pytest.raises(KeyUnavailable, match="KeyringLocked") as raised:
        place.find()
    assert "master_key" in raised.value.hint
    monkeypatch.setattr(keyring, "get_keyring", keyring.backends.fail.Keyring)
    with pytest.raises(KeyUnavailable, match="no keyring of the operating system"):
        place.find()
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeyUnavailable, match="needs the package keyring") as raised:
        place.find()
    assert raised.value.hint == "pip install 'gitu-core[keyring]'"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_that_others_can_read_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    path.write_text(line(OLD))
    path.chmod(mode)
    with pytest.raises(KeyUnavailable, match="can be read by others") as raised:
        Master(tmp_path).find()
    assert raised.value.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    assert list(Master(tmp_path).find().values()) == [OLD]


def test_what_is_there_and_cannot_be_read_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "master.key").mkdir(0o700)
    with pytest.raises(KeyUnavailable, match="cannot be read"):
        Master(tmp_path).make()
    assert (tmp_path / "master.key").is_dir()


async def test_a_database_whose_key_file_is_unreadable_says_so_and_changes_nothing(tmp_path: Path) -> None:
    async with Store(home=tmp_path) as store:
        await store.accept(inbox("k"))
    (tmp_path / "master.key").chmod(0o644)
    with pytest.raises(KeyUnavailable, match="others"):
        await Store(home=tmp_path).open()
    (tmp_path / "master.key").chmod(0o600)
    async with Store(home=tmp_path) as store:
        assert await store.check() == []


def test_a_file_elsewhere_or_another_variable_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Master(tmp_path, f"file:{tmp_path / 'sub' / 'k'}").make()
    assert (tmp_path / "sub" / "k").stat().st_mode & 0o777 == 0o600
    assert Master(tmp_path, f"file:{tmp_path / 'sub' / 'k'}").find() == made
    monkeypatch.setenv("GITU_MASTER_KEY", line(NEW))
    assert Master(tmp_path, f"file:{tmp_path / 'sub' / 'k'}").find() == made, "what is named counts alone"
    monkeypatch.setenv("OTHER", line(OLD, NEW))
    assert list(Master(tmp_path, "env:OTHER").find()) == [fingerprint(OLD), fingerprint(NEW)]
    monkeypatch.delenv("OTHER")
    with pytest.raises(KeyUnavailable, match="OTHER cannot be changed") as raised:
        Master(tmp_path, "env:OTHER").make()
    assert "base64" in raised.value.hint
    for odd in ("vault:x", "file:", "env:", "nothing"):
        with pytest.raises(ConfigError, match="master_key is"):
            Master(tmp_path, odd).find()


def test_of_two_who_make_a_key_at_once_one_makes_it(tmp_path: Path) -> None:
    first = Master(tmp_path).make()
    (before,) = first
    assert Master(tmp_path).add(os.urandom(32), None) == first
    second = Master(tmp_path).add(NEW, before)
    assert list(second) == [fingerprint(NEW), before]
    assert Master(tmp_path).add(OLD, before) == second
    assert list(Master(tmp_path).add(OLD)) == [*second, fingerprint(OLD)]
    assert {path.name for path in tmp_path.iterdir()} == {"master.key", "master.key.lock"}, "no draft is left"


def test_nobody_waits_for_ever_for_who_changes_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gitu_core.locks import lock
    from gitu_core.store import master

    monkeypatch.setattr(master, "_WAIT", 0.1)
    Master(tmp_path).make()
    held = lock(tmp_path / "master.key.lock")
    assert held is not None
    with pytest.raises(KeyUnavailable, match="another process changes"):
        Master(tmp_path).add(NEW)
    os.close(held)
    Master(tmp_path).add(NEW)


async def test_a_variable_is_replaced_by_who_starts_the_program(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("GITU_MASTER_KEY", line(OLD))
    async with Store(home=tmp_path) as store:
        await store.accept(inbox("k"))
        with pytest.raises(KeyUnavailable, match="GITU_MASTER_KEY cannot be changed") as raised:
            await store.rotate_master()
        assert "with a blank between" in raised.value.hint
        assert (await store.key_status()).wraps == {fingerprint(OLD): 2}
    monkeypatch.setenv("GITU_MASTER_KEY", line(NEW, OLD))
    async with Store(home=tmp_path) as store:
        assert await store.rotate_master() == (fingerprint(NEW), 2)
    monkeypatch.setenv("GITU_MASTER_KEY", line(OLD))
    with pytest.raises(KeyUnavailable, match=f"master key {fingerprint(NEW)}; here is {fingerprint(OLD)}"):
        await Store(home=tmp_path).open()
    monkeypatch.setenv("GITU_MASTER_KEY", line(NEW))
    async with Store(home=tmp_path) as store:
        assert await store.check() == []


async def test_a_key_in_the_hand_of_the_embedder_cannot_be_changed_by_us() -> None:
    async with Store(master_key=OLD) as store:
        with pytest.raises(KeyUnavailable, match="the program was given"):
            await store.rotate_master()
