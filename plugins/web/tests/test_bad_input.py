"""What nobody should send: it is refused with a typed error, and the next message works as if nothing had been."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gitu_core.contracts import AnswerDelta, Conversation, Outgoing, Text
from gitu_core.errors import GituError, NotReady, StoreError
from gitu_web import connections, limits, sockets

from .around import HostHere, Place, heard, say, served

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A server that still works when the test is over."""
    async with served() as found:
        yield found
        found.guard.tokens["last"] = "carl"
        async with found.client("last") as http:
            sent = await http.post("/v1/messages", json={"text": "still there?", "key": "last"})
            assert sent.status_code == 202
            assert [each["key"] for each in (await http.get("/v1/messages")).json()["messages"]] == ["last"]


async def raw(place: Place, data: bytes, seconds: float = 5) -> bytes:
    """What the server says to bytes, until it closes."""
    answer = b""
    async with await anyio.connect_tcp("127.0.0.1", place.host.config["port"]) as stream:
        await stream.send(data)
        with anyio.move_on_after(seconds):
            try:
                while True:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return answer
    raise AssertionError(f"it was not closed: {answer!r}")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"text": "hi"', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"text": 7}', JSON, 400),
        (b'{"text": "hi", "kye": "typo"}', JSON, 400),
        (b'{"text": "\xff"}', JSON, 400),
        (b'{"key": "nothing to say"}', JSON, 400),
        (b'{"text": "hi", "key": "' + b"k" * 129 + b'"}', JSON, 400),
        (b'{"text": "hi", "key": "line\\nfeed"}', JSON, 400),
        (b'{"text": "hi", "chat": "' + b"c" * 65 + b'"}', JSON, 400),
        (b'{"parts": [{"type": "ask", "id": "a", "question": "?", "choices": []}]}', JSON, 400),
        (b'{"parts": [{"type": "opaque", "data": {}}]}', JSON, 400),
        (b'{"text": "' + b"x" * (1 << 20) + b'"}', JSON, 413),
        (b"text=hi", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b'{"text": "hi"}', {"content-type": "text/plain"}, 415),
        (b'{"text": "hi"}', {}, 415),
    ],
)
async def test_a_body_that_does_not_fit_is_refused(
    place: Place, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with place.client("ana-phone") as http:
        refused = await http.post("/v1/messages", content=body, headers=headers)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
        assert {"title", "detail", "hint"} <= refused.json().keys()
        assert (await http.get("/v1/messages")).json()["messages"] == []


async def test_a_body_without_a_stated_length_ends_where_it_is_too_large(place: Place) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * (1 << 16)

    async with place.client("ana-phone") as http:
        assert (await http.post("/v1/messages", content=endless(), headers=JSON)).status_code == 413


async def test_who_sends_a_body_bit_by_bit_is_left(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    head = b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ana-phone\r\nConnection: close\r\n"
    answer = await raw(place, head + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    assert b" 408 " in answer.splitlines()[0]


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "])
async def test_who_sends_a_head_bit_by_bit_is_left(place: Place, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    assert await raw(place, begun) == b""


async def test_the_second_request_of_a_connection_has_to_come_soon_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    whole = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with await anyio.connect_tcp("127.0.0.1", place.host.config["port"]) as stream:
        await stream.send(whole)
        await anyio.sleep(0.4)  # between two requests it may wait
        assert b" 200 " in await stream.receive()
        await stream.send(whole)
        assert b" 200 " in await stream.receive()
        await stream.send(b"GET /hea")
        with anyio.fail_after(2), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / SPDY/1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Length: 6\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(place: Place, data: bytes) -> None:
    assert b" 400 " in (await raw(place, data)).splitlines()[0]


@pytest.mark.parametrize(
    "path",
    ["/../gitu.toml", "/v1/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//v1/messages", "/v1/messages/", "/v1/%00",
     "/v1\\messages", "/v1/messages%2f..%2f", "/static/..%2f..%2fsettings.py"],
)  # fmt: skip
async def test_paths_lead_nowhere_but_to_routes(place: Place, path: str) -> None:
    answer = await raw(place, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert b" 404 " in answer.splitlines()[0] or b" 307 " in answer.splitlines()[0]
    assert b"application/problem+json" in answer or b" 307 " in answer.splitlines()[0]


async def test_a_method_that_is_not_there_is_refused_with_those_that_are(place: Place) -> None:
    async with place.client("ana-phone") as http:
        refused = await http.delete("/v1/messages")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")
        assert (await http.post("/v1/files", content=b"")).status_code == 400


async def test_forged_tokens_are_refused_and_soon_not_even_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gitu.plugins.web")
    async with served(HostHere(address_rate=5)) as place, place.client() as http:
        tries = [
            await http.get("/v1/messages", headers={"authorization": f"Bearer forged-{number}"}) for number in range(8)
        ]
        assert [each.status_code for each in tries] == [401] * 5 + [429] * 3
        assert int(tries[-1].headers["retry-after"]) >= 1
        assert tries[0].headers["www-authenticate"]
        assert "forged-" not in caplog.text
        assert "was refused" in caplog.text


async def test_a_visitor_has_a_rate_and_others_have_theirs() -> None:
    async with (
        served(HostHere(visitor_rate=5)) as place,
        place.client("ana-phone") as ana,
        place.client("bob-phone") as bob,
    ):
        assert [(await ana.get("/v1/messages")).status_code for _ in range(7)] == [200] * 5 + [429] * 2
        assert (await bob.get("/v1/messages")).status_code == 200


async def test_a_server_of_another_name_is_not_ours(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    async with place.client("ana-phone", headers={"host": "rebound.example"}) as http:
        refused = await http.get("/v1/messages")
        assert (refused.status_code, refused.headers["content-type"]) == (421, "application/problem+json")
    assert "rebound.example" in caplog.text


async def test_pages_of_other_origins_read_nothing_and_connect_to_nothing(place: Place) -> None:
    evil = {"origin": "https://evil.example"}
    async with place.client("ana-phone", headers=evil) as http:
        answer = await http.get("/v1/messages")
        assert not [name for name in answer.headers if name.startswith("access-control")]
        asked = await http.options("/v1/messages", headers={"access-control-request-method": "POST"})
        assert asked.status_code == 405
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", f"{place.host.url}.evil.example"):
        with pytest.raises(InvalidStatus) as refused:
            async with place.socket("ana-phone", headers={"origin": origin}):
                pass
        assert refused.value.response.status_code == 403
    async with place.socket("ana-phone", headers={"origin": place.host.url}) as own:
        await say(own, type="hello")
        assert (await heard(own))["type"] == "welcome"


async def test_pages_that_are_welcome_may(anyio_backend: str) -> None:
    app = {"origin": "https://app.example"}
    async with served(HostHere(origins=["https://app.example/"])) as place:
        async with place.client("ana-phone", headers=app) as http:
            assert (await http.get("/v1/messages")).headers["access-control-allow-origin"] == "https://app.example"
            asked = await http.options("/v1/messages", headers={"access-control-request-method": "POST"})
            assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "https://app.example")
        async with place.talk("ana-phone", headers=app) as socket:
            assert (await heard(socket))["type"] == "welcome"


# ---- the WebSocket ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "title", "code"),
    [
        ({"type": "hello", "token": "forged"}, "AuthFailed", 4401),
        ({"type": "hello"}, "AuthFailed", 4401),
        ({"type": "message", "key": "k", "text": "hi"}, "InputError", 1008),
        ({"type": "unheard-of"}, "InputError", 1008),
    ],
)
async def test_who_does_not_say_who_they_are_is_closed(
    place: Place, first: dict[str, Any], title: str, code: int
) -> None:
    async with place.socket() as socket:
        await say(socket, **first)
        assert (await heard(socket))["title"] == title
        with anyio.fail_after(3):
            await socket.wait_closed()
        assert socket.close_code == code


async def test_who_comes_too_often_is_told_to_come_back_not_that_it_is_a_stranger() -> None:
    async with served(HostHere(address_rate=1)) as place:
        for title, code in (("AuthFailed", 4401), ("RateLimited", 1013)):
            async with place.socket() as socket:
                await say(socket, type="hello", token="forged")
                told = await heard(socket)
                assert (told["title"], told["retry_after"] is not None) == (title, code == 1013)
                with anyio.fail_after(3):
                    await socket.wait_closed()
                assert socket.close_code == code


async def test_a_greeting_that_the_store_cannot_answer_is_for_later(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as place:
        place.host.kv.broken = StoreError("the database is locked")
        async with place.talk("ana-phone", "era.1") as socket:
            assert (await heard(socket))["title"] == "StoreError"
            with anyio.fail_after(3):
                await socket.wait_closed()
            assert socket.close_code == 1013
    assert "Traceback" not in caplog.text


async def test_who_says_nothing_is_closed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HELLO_SECONDS", 0.1)
    async with place.socket() as socket:
        with anyio.fail_after(3):
            await socket.wait_closed()


async def test_a_forged_token_gets_no_socket(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with place.socket("forged"):
            pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["title"] == "AuthFailed"
    await anyio.sleep(0.1)
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == [], "a stranger fills no log"


async def test_a_page_whose_visit_is_over_is_told_so(place: Place) -> None:
    """A browser does not tell its page why there is no connection: the page would try for ever."""
    async with place.socket(headers={"cookie": "gitu=gb1.old.one", "origin": place.host.url}) as socket:
        await say(socket, type="hello")
        assert (await heard(socket))["title"] == "AuthFailed"
        with anyio.fail_after(3):
            await socket.wait_closed()
        assert socket.close_code == 4401


@pytest.mark.parametrize(
    "frame",
    ["", "{", "[]", "7", '{"type": "message"}', '{"type": "message", "key": "k", "text": 7}', "[" * 100_000,
     '{"type": "welcome", "person": "bob", "device": "", "cursor": ""}', '{"type": "hello"}', b"\x00\xff",
     json.dumps({"type": "message", "key": "k", "text": "x" * (256 << 10)})],
)  # fmt: skip
async def test_a_frame_that_makes_no_sense_is_told_and_the_connection_goes_on(place: Place, frame: Any) -> None:
    async with place.talk("ana-phone") as socket:
        await socket.send(frame)
        found = await heard(socket, "error")
        assert (found["title"], bool(found["hint"])) == ("InputError", True)
        await say(socket, type="ping")
        await heard(socket, "pong")


async def test_what_can_never_be_accepted_is_told_under_its_key(place: Place) -> None:
    async with place.talk("ana-phone") as socket:
        await say(socket, type="message", key="k1", parts=[{"type": "reaction", "emoji": "x"}])
        found = await heard(socket, "error")
        assert (found["title"], found["key"]) == ("InputError", "k1")


async def test_too_much_nonsense_closes_the_connection(place: Place) -> None:
    async with place.talk("ana-phone") as socket:
        with anyio.fail_after(5):
            for _ in range(sockets.MOST_WRONG):
                await socket.send("{")
            await socket.wait_closed()
        assert socket.close_code == 1008


async def test_a_frame_of_megabytes_closes_the_connection(place: Place) -> None:
    async with place.talk("ana-phone") as socket:
        with suppress(ConnectionClosed):
            await socket.send("x" * (2 << 20))
        with anyio.fail_after(5):
            await socket.wait_closed()
        assert socket.close_code == 1009


async def test_who_does_not_read_is_closed_and_misses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that are shown as they come are left out for whoever does not read; messages are not."""
    monkeypatch.setattr(sockets, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(sockets, "CLOSE_SECONDS", 0.2)
    ana, large = Conversation("web", "ana"), "x" * 100_000
    async with place.talk("ana-phone", max_queue=1, close_timeout=0.1) as slow:
        cursor = (await heard(slow, "welcome"))["cursor"]
        for number in range(200):
            await place.adapter.show(ana, AnswerDelta(large))
            if number % 2:
                await place.adapter.send(Outgoing(f"o{number}", f"o{number}", ana, (Text(f"{number} {large}"),)))
        with anyio.fail_after(10):
            while place.adapter._hub.count:  # noqa: ASYNC110 - it tells nobody
                await anyio.sleep(0.05)
    found = []
    async with place.talk("ana-phone", cursor) as again:
        while len(found) < 100:
            found.append((await heard(again, "letter"))["parts"][0]["text"].partition(" ")[0])
    assert found == [str(number) for number in range(1, 200, 2)]


@pytest.mark.parametrize("error", [StoreError("the database is locked"), NotReady("the queue is deep")])
async def test_what_cannot_be_taken_now_is_to_be_said_again_and_is_taken_once(place: Place, error: GituError) -> None:
    async with place.talk("ana-phone") as socket:
        await heard(socket, "welcome")
        place.box.refuses = error
        await say(socket, type="message", text="hi", key="k1")
        told = await heard(socket, "error")
        assert (told["title"], told["key"], told["retry_after"]) == (type(error).__name__, "k1", sockets.AGAIN_SECONDS)
        place.box.refuses = None
        await say(socket, type="message", text="hi", key="k1")
        kinds = [(await heard(socket, "ack", "letter"))["type"] for _ in range(2)]  # in any order
        assert sorted(kinds) == ["ack", "letter"]
        assert [each.text for each in place.box.messages] == ["hi"]


async def test_a_store_that_is_gone_is_not_ready_and_comes_back() -> None:
    async with served() as place, place.client("ana-phone") as http:
        place.host.kv.broken = StoreError("the database is locked")
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.post("/v1/messages", json={"text": "hi", "key": "k"})).status_code == 503
        delivery = await place.adapter.send(Outgoing("o1", "o1", Conversation("web", "ana"), (Text("x"),)))
        assert delivery.state == "unknown"
        place.host.kv.broken = None
        assert (await http.post("/v1/messages", json={"text": "hi", "key": "k"})).status_code == 202
