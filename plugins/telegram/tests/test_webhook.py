"""The webhook: Telegram's updates come in, and nothing of anybody else."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from gitu_core.errors import ConfigError, NotReady
from gitu_telegram import webhook
from gitu_telegram.adapter import TelegramAdapter
from gitu_telegram.webhook import secret_of

from .around import Box, HostHere
from .fake import TOKEN, Fake

pytestmark = pytest.mark.anyio

SECRET = secret_of(TOKEN)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def listening(fake: Fake) -> AsyncIterator[tuple[Box, int]]:
    """The channel behind a webhook; gives its inbox and its port."""
    box, port = Box(), free_port()
    host = HostHere(fake, mode="webhook", webhook_url="https://bot.example.org/hook", webhook_port=port)
    async with anyio.create_task_group() as group:
        group.start_soon(TelegramAdapter(host).receive, box)
        with anyio.fail_after(5):
            while not fake.webhook:  # noqa: ASYNC110 - the server tells nobody
                await anyio.sleep(0.01)
        yield box, port
        group.cancel_scope.cancel()


async def raw(port: int, data: bytes) -> bytes:
    """What is answered to bytes."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        try:
            await stream.send(data)
            return await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return b""


def request(
    body: bytes, secret: str | None = SECRET, path: str = "/hook", method: str = "POST", kind: str = "application/json",
    length: int | None = None,
) -> bytes:  # fmt: skip
    """A request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bot.example.org", f"Content-Type: {kind}"]
    lines += [f"Content-Length: {len(body) if length is None else length}"]
    lines += [] if secret is None else [f"X-Telegram-Bot-Api-Secret-Token: {secret}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def update(fake: Fake, text: str) -> bytes:
    """An update as Telegram sends it."""
    return json.dumps({"update_id": fake.number(), "message": fake.message(text)}).encode()


async def test_an_update_is_acknowledged_after_it_was_accepted(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "HANDING", 0.2)
    async with listening(fake) as (box, port):
        body = update(fake, "hello")
        assert b" 200 " in await raw(port, request(body))
        assert b" 200 " in await raw(port, request(body))  # once more: the same key
        box.refuses = True
        assert b" 503 " in await raw(port, request(update(fake, "not now")))
    assert [each.text for each in box.messages] == ["hello", "hello"]
    assert len({each.key for each in box.messages}) == 1
    assert fake.called("setWebhook")[0]["secret_token"] == SECRET
    assert fake.called("getUpdates") == []


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (403, {"secret": None}),
        (403, {"secret": "guess"}),
        (404, {"path": "/hook/../etc/passwd"}),
        (405, {"method": "GET"}),
        (415, {"kind": "text/plain"}),
        (413, {"length": 2 << 20}),
        (400, {"body": b'{"update_id": "no number"}'}),
        (400, {"body": b"{" * 100_000}),
        (400, {"body": b"\xff\xfe"}),
    ],
)
async def test_what_telegram_did_not_send_is_refused_and_logged(
    fake: Fake, caplog: pytest.LogCaptureFixture, status: int, change: dict[str, Any]
) -> None:
    caplog.set_level(logging.WARNING, "gitu.plugins.telegram")
    async with listening(fake) as (box, port):
        answer = await raw(port, request(**{"body": update(fake, "forged"), **change}))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert b" 200 " in await raw(port, request(update(fake, "real")))
    assert [each.text for each in box.messages] == ["real"]
    assert "refused" in caplog.text
    assert SECRET not in caplog.text


async def test_garbage_endless_heads_and_slow_requests_end(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.3)
    async with listening(fake) as (box, port):
        assert b" 400 " in await raw(port, b"\x16\x03\x01 nonsense\r\n\r\n")
        assert b" 431 " in await raw(port, b"POST /hook HTTP/1.1\r\nX: " + b"x" * 100_000)
        assert b" 408 " in await raw(port, request(b"{}", length=100))
        chunked = request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        assert b" 413 " in await raw(port, chunked + (b"10000\r\n" + b"x" * 65_536 + b"\r\n") * 17)
        assert b" 200 " in await raw(port, request(update(fake, "real")))
    assert [each.text for each in box.messages] == ["real"]


async def test_a_port_that_is_taken_is_a_typed_failure(fake: Fake) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        host = HostHere(fake, mode="webhook", webhook_url="https://x.org/h", webhook_port=taken.getsockname()[1])
        with pytest.raises(NotReady, match="cannot listen"):
            await TelegramAdapter(host).receive(Box())


async def test_a_webhook_without_an_address_says_what_is_missing(fake: Fake) -> None:
    with pytest.raises(ConfigError) as caught:
        await TelegramAdapter(HostHere(fake, mode="webhook")).receive(Box())
    assert caught.value.details["field"] == "webhook_url"
