"""The terminal's side holds where connections break, clocks are wrong, many processes refresh, and files are open."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect

from gitu_core.errors import AuthFailed, ConfigError, InputError, NotReady, RateLimited, Rejected
from gitu_web.auth import commands, remote
from gitu_web.auth.commands import AuthCommand
from gitu_web.auth.devices import ACCESS, Pair
from gitu_web.auth.keep import FileKeep, Kept, RingKeep, alone
from gitu_web.auth.remote import Remote

from .house import House, served

pytestmark = pytest.mark.anyio


async def paired(house: House, url: str, home: Path) -> Remote:
    """A terminal that is paired."""
    terminal = Remote(url, FileKeep(home))
    await terminal.pair(await house.doors.codes.make("local", ("chat",)), "laptop")
    return terminal


@asynccontextmanager
async def breaking(url: str, seconds: float) -> AsyncIterator[str]:
    """An address that leads to *url*, where the first WebSocket is cut after so many seconds."""
    host, _, port = url.removeprefix("http://").partition(":")
    cut = [seconds]

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            target.write(data)
        target.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65_536)
        there, back = await asyncio.open_connection(host, int(port))
        back.write(first)
        both = asyncio.gather(copy(there, writer), copy(reader, back))
        if b"upgrade: websocket" in first.lower() and cut:
            await asyncio.sleep(cut.pop())
            for each in (writer, back):
                each.transport.abort()
        await asyncio.gather(both, return_exceptions=True)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_who_waits_comes_back_when_the_connection_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "AGAIN", 0.05)
    house = House()
    async with served(house) as url, breaking(url, 0.3) as there:
        asked: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        terminal = Remote(there, FileKeep(tmp_path))
        asking = asyncio.create_task(terminal.ask("laptop", lambda url, *_: asked.set_result(url.partition("=")[2])))
        id = await asked
        await asyncio.sleep(0.8)  # the first connection is gone by now
        house.doors.pairings.answer(id, "local", ("chat",))
        with anyio.fail_after(5):
            pair = await asking
    assert pair is not None
    assert [each.id for each in await house.doors.devices.all()] == [pair.device]


async def test_where_nobody_can_wait_a_code_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "AGAIN", 0.01)
    house = House()
    async with served(house) as url:
        house.app.router.routes[:] = [each for each in house.app.router.routes if not each.path.endswith("/wait")]  # type: ignore[attr-defined]
        with pytest.raises(NotReady, match="does not work"):
            await Remote(url, FileKeep(tmp_path)).ask("laptop", lambda *_: None)
        asks = {"words": [], "home": str(tmp_path), "server": url, "qr": True, "name": "laptop"}
        said = await AuthCommand().run(asks)
        assert said.status == "error"
        assert "gitu auth CODE" in said.text
        code = await house.doors.codes.make("local", ("chat",))
        monkeypatch.setattr(commands, "_typed", lambda why: code)
        said = await AuthCommand().run(asks)
        assert "laptop is paired" in said.text


async def test_who_left_is_not_let_in_and_may_come_back() -> None:
    house = House()
    async with served(house) as url:
        asked, secret = house.doors.pairings.ask("a", "b", "c")
        address = f"ws{url[4:]}/v1/pairings/{asked.id}/wait"
        async with connect(address, proxy=None) as wire:
            await wire.send(json.dumps({"secret": secret}))
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        house.doors.pairings.answer(asked.id, "local", ("chat",))
        await asyncio.sleep(0.1)
        assert await house.doors.devices.all() == []
        async with connect(address, proxy=None) as wire:
            await wire.send(json.dumps({"secret": secret}))
            told = json.loads(await wire.recv())
    assert told["credentials"]["device"] == (await house.doors.devices.all())[0].id


async def test_a_clock_that_is_wrong_here_is_no_trouble(tmp_path: Path) -> None:
    house = House()
    async with served(house) as url:
        terminal = await paired(house, url, tmp_path)
        house.now.at += ACCESS + 1  # the terminal thinks that its credential counts
        assert (await terminal.status()).name == "laptop"
        kept = terminal.keep.load()
        assert kept is not None
        terminal.keep.save(Kept(kept.server, kept.pair, 0.0))  # and now that it does not
        assert (await terminal.status()).name == "laptop"


async def test_many_processes_refresh_at_once_and_the_device_stays(tmp_path: Path) -> None:
    house = House()
    async with served(house) as url:
        await paired(house, url, tmp_path)
        house.now.at += ACCESS + 1
        found = await asyncio.gather(*(Remote(url, FileKeep(tmp_path)).status() for _ in range(8)))
        assert {each.name for each in found} == {"laptop"}
    (device,) = await house.doors.devices.all()
    assert device.generation == 2, "one of them refreshed, the others took what it got"


async def test_who_holds_the_lock_for_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitu_web.auth.keep.PATIENCE", 0.1)
    async with alone(tmp_path):
        with pytest.raises(NotReady, match="another process"):
            async with alone(tmp_path):
                raise AssertionError("two at once")
    async with alone(tmp_path):
        pass


KEPT = Kept("http://x", Pair("a", "r", 1.0, "p", "d", "n", ("chat",), 2.0), 3.0)


def test_a_keyring_that_refuses_loses_nothing(tmp_path: Path) -> None:
    class Locked:
        def get_password(self, service: str, name: str) -> str | None:
            raise RuntimeError("locked")

        def set_password(self, service: str, name: str, secret: str) -> None:
            raise RuntimeError("locked")

    keep = RingKeep(Locked(), tmp_path)
    with pytest.raises(ConfigError, match="does not open"):
        keep.load()
    keep.save(KEPT)
    assert FileKeep(tmp_path).load() == KEPT
    assert keep.place == FileKeep(tmp_path).place
    keep.forget()
    assert FileKeep(tmp_path).load() is None


def test_a_folder_that_others_can_write_is_not_trusted(tmp_path: Path) -> None:
    keep = FileKeep(tmp_path)
    keep.save(KEPT)
    folder = tmp_path / "credentials"
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="written by others") as refused:
        keep.load()
    assert refused.value.hint.startswith("run: chmod 700")
    keep.save(KEPT)  # which closes it
    assert keep.load() == KEPT


def test_a_file_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = FileKeep(tmp_path)
    keep.save(KEPT)
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    with pytest.raises(ConfigError, match="another user"):
        keep.load()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((401, {"detail": "no \x1b[2J\u202e", "hint": "x"}), AuthFailed), ((429, {"detail": "slow"}), RateLimited),
        ((500, "<html>"), Rejected), ((500, ["x"]), Rejected), ((200, "<html>"), Rejected), ((200, {"x": 1}), Rejected),
        ((302, ""), Rejected), ((503, {"detail": "later"}), NotReady),
    ],
)  # fmt: skip
async def test_a_server_that_says_something_odd_is_told_in_words(
    answer: tuple[int, Any], kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(request: httpx.Request) -> httpx.Response:
        status, body = answer
        return httpx.Response(status, content=body if isinstance(body, str) else json.dumps(body))

    real = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **given: real(transport=httpx.MockTransport(say), **given))
    with pytest.raises(kind) as raised:
        await Remote("http://127.0.0.1:1", FileKeep(tmp_path)).pair("AAAAA-AAAAA", "x")
    assert str(raised.value).isprintable()
    assert FileKeep(tmp_path).load() is None


@pytest.mark.parametrize("address", ["x", "ftp://x", "http://", "https://ana:word@x", "http://x:port", "javascript:1"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Remote(address, FileKeep(tmp_path))


def test_what_others_can_read_is_said() -> None:
    assert "not encrypted" in commands._open("http://192.168.1.7:8765")
    for private in ("https://gitu.example.org", "http://127.0.0.1:8765", "http://localhost:1"):
        assert commands._open(private) == ""
