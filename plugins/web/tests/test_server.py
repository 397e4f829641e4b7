"""The server's start and end: what keeps it from starting is said with the next step, and its end is gentle."""

from __future__ import annotations

import logging
import socket
from typing import Any, cast

import anyio
import pytest

from gitu_core.contracts import Host
from gitu_core.contracts.host import Missing
from gitu_core.errors import ConfigError, NotReady
from gitu_web.adapter import WebAdapter
from gitu_web.settings import Settings

from .around import Box, HostHere, Known, heard, served

pytestmark = pytest.mark.anyio


async def test_who_is_not_trusted_learns_what_to_write() -> None:
    host = HostHere()
    host.admin = cast(Any, Missing("admin", "though plugin web is not trusted", "trust it"))
    with pytest.raises(ConfigError, match="trusted") as refused:
        await WebAdapter(cast(Host, host), Known()).receive(Box())
    assert refused.value.hint == "write trusted = true below [plugins.web] in gitu.toml"


async def test_a_port_that_is_taken_is_not_ready() -> None:
    host = HostHere()
    with socket.create_server(("127.0.0.1", host.config["port"])):
        adapter = WebAdapter(cast(Host, host), Known())
        with pytest.raises(NotReady, match=str(host.config["port"])) as refused:
            await adapter.receive(Box())
        assert "port" in refused.value.hint
        assert (await adapter.health()).state == "failed"


async def test_an_address_that_does_not_exist_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError) as refused:
        await WebAdapter(cast(Host, HostHere(host="no such host")), Known()).receive(Box())
    assert refused.value.details["field"] == "host"


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ({"host": "0.0.0.0", "public_url": "http://gitu.example"}, True),
        ({"host": "0.0.0.0", "public_url": "https://gitu.example/"}, False),
        ({"host": "127.0.0.1", "public_url": "http://gitu.example"}, False),
        ({"host": "::1"}, False),
    ],
)
def test_what_can_be_reached_from_outside_is_encrypted(config: dict[str, Any], wrong: bool) -> None:
    if wrong:
        with pytest.raises(ConfigError):
            Settings.of(config)
    else:
        assert not Settings.of(config).public_url.endswith("/")


@pytest.mark.parametrize(
    ("config", "host", "known"),
    [
        ({}, "127.0.0.1:8765", True), ({}, "localhost:1", True), ({}, "[::1]:8765", True),
        ({}, "gitu.example", False), ({}, "", False), ({}, "127.0.0.1.evil.example", False), ({}, "10.0.0.5", False),
        ({"public_url": "https://gitu.example"}, "gitu.example", True),
        ({"public_url": "https://gitu.example"}, "evil.example", False),
        ({"host": "0.0.0.0"}, "192.168.1.7:8765", True), ({"host": "0.0.0.0"}, "evil.example", False),
        ({"host": "0.0.0.0", "public_url": "https://gitu.example"}, "192.168.1.7", False),
    ],
)  # fmt: skip
def test_which_names_are_ours(config: dict[str, Any], host: str, known: bool) -> None:
    assert Settings.of(config).known_host(host) is known


async def test_who_listens_beyond_this_machine_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with served(HostHere(host="0.0.0.0")) as place, place.client() as http:
        assert (await http.get("/v1/messages")).status_code == 401
    assert "has to sign in" in caplog.text


async def test_connections_are_told_that_the_server_ends_and_requests_get_a_moment() -> None:
    async with served() as place:
        talk = place.talk("ana-phone")
        phone = await talk.__aenter__()
        await heard(phone, "welcome")
        found: list[Any] = []

        async def wait() -> None:
            async with place.client("ana-tablet") as http:
                found.append(await http.get("/v1/messages", params={"wait": 60}))

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.sleep(0.1)
            began = anyio.current_time()
            place.stop()
            await phone.wait_closed()
        assert anyio.current_time() - began < 2
        assert (phone.close_code, found[0].status_code) == (1012, 200)
        await talk.__aexit__(None, None, None)


async def test_every_answer_carries_the_headers_that_keep_pages_apart() -> None:
    async with served() as place, place.client() as http:
        for path in ("/healthz", "/nothing", "/v1/messages"):
            answer = await http.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "server" not in answer.headers


async def test_a_defect_of_ours_is_not_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served() as place, place.client("ana-phone") as http:
        monkeypatch.setattr(place.adapter._mailboxes(), "after", lambda *_: 1 / 0)
        answer = await http.get("/v1/messages")
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        assert "division" not in answer.text
    assert "ZeroDivisionError" in caplog.text
