"""A terminal is let in: by a code, and by a picture that somebody says yes to. Over a real server."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from gitu_core.errors import AuthFailed, ConfigError, GituError, InputError, NotReady, Rejected
from gitu_web.auth.commands import AuthCommand, WebCommand
from gitu_web.auth.keep import FileKeep, Kept, RingKeep
from gitu_web.auth.remote import Remote

from .house import House, served

pytestmark = pytest.mark.anyio


async def said(home: Path, *words: str, **options: Any) -> Any:
    """What ``gitu auth`` gives."""
    return await AuthCommand().run({"words": list(words), "home": str(home), **options})


async def test_a_terminal_is_paired_by_a_code_and_unlinked(tmp_path: Path) -> None:
    house = House()
    async with served(house) as url:
        code = await house.doors.codes.make("local", ("chat",))
        assert "paired" in (await said(tmp_path, code, server=url, name="laptop")).text
        file = tmp_path / "credentials" / "web.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        shown = (await said(tmp_path, "status")).text
        assert "local" in shown
        assert "laptop" in shown
        before = file.read_text()
        await said(tmp_path, "refresh")
        assert file.read_text() != before
        (device,) = await house.doors.devices.all()
        await house.doors.devices.unlink(device.id)
        refused = await said(tmp_path, "status")
        assert refused.status == "error"
        assert "this device was unlinked" in refused.text
        assert "not paired" in (await said(tmp_path, "logout")).text
        assert not file.exists()


async def test_a_terminal_that_leaves_is_unlinked(tmp_path: Path) -> None:
    house = House()
    async with served(house) as url:
        await said(tmp_path, await house.doors.codes.make("local", ("chat",)), server=url)
        await said(tmp_path, "logout")
        assert await house.doors.devices.all() == []
    assert "is not paired" in (await said(tmp_path, "logout")).text


async def test_a_terminal_that_leaves_while_the_server_is_away_says_so(tmp_path: Path) -> None:
    house = House()
    async with served(house) as url:
        await said(tmp_path, await house.doors.codes.make("local", ("chat",)), server=url)
    assert "could not be told" in (await said(tmp_path, "logout")).text
    with pytest.raises(InputError):
        await said(tmp_path, "status")


async def test_a_wrong_code_is_told_in_words(tmp_path: Path) -> None:
    house = House()
    async with served(house) as url:
        with pytest.raises(AuthFailed, match="does not count"):
            await said(tmp_path, "AAAAA-AAAAA", server=url)
    with pytest.raises(NotReady, match="does not answer"):
        await said(tmp_path, "AAAAA-AAAAA", server=url)
    with pytest.raises(InputError, match="which server"):
        await said(tmp_path, "AAAAA-AAAAA")


async def let(house: House, answer: Callable[[str, Any], Any]) -> Any:
    """A terminal asks; *answer* does something about it in a browser."""

    def shown(url: str, words: str, seconds: float) -> None:
        assert seconds == 120
        told.set_result((url.partition("request=")[2], words))

    async with served(house) as url:
        told: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        terminal = Remote(url, FileKeep(house.folder))  # type: ignore[attr-defined]
        asking = asyncio.create_task(terminal.ask("laptop", shown))
        id, words = await told
        client, csrf = await house.signed_in()
        client.headers["x-csrf-token"] = csrf
        async with client:
            asked = (await client.get(f"/v1/pairings/{id}")).json()
            assert asked["words"] == words
            assert asked["name"] == "laptop"
            assert asked["address"] == "127.0.0.1"
            await answer(id, client)
            return await asking


async def test_a_terminal_that_asks_is_let_in_by_a_browser(tmp_path: Path) -> None:
    house = House()
    house.folder = tmp_path  # type: ignore[attr-defined]

    async def yes(id: str, client: Any) -> None:
        assert (await client.post(f"/v1/pairings/{id}", json={"accept": True})).status_code == 204
        assert (await client.post(f"/v1/pairings/{id}", json={"accept": True})).status_code == 404, "once"

    pair = await let(house, yes)
    assert (pair.person, pair.name, pair.scopes) == ("local", "laptop", ("chat",))
    kept = FileKeep(tmp_path).load()
    assert kept is not None
    assert kept.pair == pair


async def test_a_terminal_that_asks_is_refused_by_a_browser(tmp_path: Path) -> None:
    house = House()
    house.folder = tmp_path  # type: ignore[attr-defined]

    async def no(id: str, client: Any) -> None:
        await client.post(f"/v1/pairings/{id}", json={"accept": False})

    with pytest.raises(Rejected, match="said no"):
        await let(house, no)
    assert FileKeep(tmp_path).load() is None
    assert [each.kind for each in await house.doors.devices.all()] == ["browser"]


async def test_nobody_answers_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gitu_web.auth.pairings.SECONDS", 0.2)
    house = House()
    async with served(house) as url:
        assert await Remote(url, FileKeep(tmp_path)).ask("laptop", lambda *told: None) is None
    house.now.at += 121
    with pytest.raises(InputError):
        house.doors.pairings.get("x")


@pytest.mark.parametrize("first", ['{"secret": "wrong"}', '{"secret": 1}', "[]", "{", '"x"', "\x00"])
async def test_who_does_not_ask_there_gets_nothing(first: str) -> None:
    house = House()
    async with served(house) as url:
        asked, secret = house.doors.pairings.ask("a", "b", "c")
        async with connect(f"ws{url[4:]}/v1/pairings/{asked.id}/wait", proxy=None) as wire:
            await wire.send(first)
            with pytest.raises(ConnectionClosed) as closed:
                await wire.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
        house.doors.pairings.answer(asked.id, "local", ("chat",))
        addresses = [f"ws{url[4:]}/v1/pairings/{asked.id}/wait"] * 2
        told = []
        for address in addresses:
            async with connect(address, proxy=None) as wire:
                await wire.send(json.dumps({"secret": secret}))
                told.append(json.loads(await wire.recv())["state"])
        assert told == ["accepted", "expired"], "credentials are handed over once"


async def test_strangers_do_not_answer_and_do_not_flood() -> None:
    house = House()
    asked, _ = house.doors.pairings.ask("a", "b", "c")
    async with house.client() as client:
        assert (await client.get(f"/v1/pairings/{asked.id}")).status_code == 401
        assert (await client.post(f"/v1/pairings/{asked.id}", json={"accept": True})).status_code == 401
        codes = [(await client.post("/v1/pairings", json={"name": "x\x1b[2J"})).status_code for _ in range(12)]
    assert codes == [201] * 10 + [429] * 2
    shown = [each.asked.name for each in house.doors.pairings._open.values()]
    assert not any("\x1b" in name for name in shown)


async def test_whoever_runs_the_server_lets_people_in_and_sees_them() -> None:
    house = House()
    command = WebCommand(house.host)  # type: ignore[arg-type]

    async def web(*words: str, **options: Any) -> str:
        return (await command.run({"words": list(words), **options})).text

    assert "http://127.0.0.1:8765/auth/link?code=" in await web("link")
    assert "gitu auth" in await web("code", user="ana")
    key = await web("key", "my script")
    assert (await house.doors.by_token(key)).name == "my script"
    table = await web("devices")
    assert "my script" in table
    id = table.splitlines()[1].split()[0]
    assert "unlinked" in await web("unlink", id)
    for words in ((), ("unlink", id), ("key",), ("sing",)):
        with pytest.raises(InputError):
            await web(*words)


def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "credentials" / "web.json"
    file.parent.mkdir()
    file.write_text("{}")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="can be read by others"):
        FileKeep(tmp_path).load()
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="cannot be read"):
        FileKeep(tmp_path).load()


def test_a_keyring_keeps_it_as_well(tmp_path: Path) -> None:
    class Ring:
        def __init__(self) -> None:
            self.held: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, name: str) -> str | None:
            return self.held.get((service, name))

        def set_password(self, service: str, name: str, secret: str) -> None:
            self.held[service, name] = secret

        def delete_password(self, service: str, name: str) -> None:
            del self.held[service, name]

    from gitu_web.auth.devices import Pair

    keep, kept = RingKeep(Ring(), tmp_path), Kept("http://x", Pair("a", "r", 1.0, "p", "d", "n", ("chat",), 2.0), 3.0)
    assert keep.load() is None
    keep.forget()
    keep.save(kept)
    assert keep.load() == kept
    keep.forget()
    assert keep.load() is None


async def test_a_server_that_is_none_is_told_in_words(tmp_path: Path) -> None:
    for wrong in ("ftp://x", "x"):
        with pytest.raises(GituError):
            Remote(wrong, FileKeep(tmp_path))
