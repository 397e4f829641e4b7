"""The connection to the server: answers cut anywhere, endings of every kind, what is no answer, reuse, limits, TLS."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_openai import connection as module
from gitu_openai.answer import HEAD_LIMIT, HIGH, Answer, Broken
from gitu_openai.connection import Connection
from gitu_openai.pool import Pool, Server

pytestmark = pytest.mark.anyio

WORDS = b"Gr\xc3\xbc\xc3\x9fe\r\n\r\nto you"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Transfer-Encoding: chunked\r\nX-Name:  a:b \r\n\r\n"
    b"5;ext=1\r\nGr\xc3\xbc\xc3\r\n00A\r\n\x9fe\r\n\r\nto y\r\n2\r\nou\r\n0\r\nTrailer: x\r\n\r\n"
)
MEASURED = OK + b"Content-Length: %d\r\nconnection: keep-alive\r\n\r\n" % len(WORDS) + WORDS
UNTIL_THE_END = b"HTTP/1.0 200 OK\r\n\r\n" + WORDS


def pieces(data: bytes, cuts: Iterable[int]) -> Iterable[bytes]:
    """*data*, cut."""
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    return (data[start:end] for start, end in itertools.pairwise(edges) if start < end)


@pytest.mark.parametrize(("sent", "keeps"), [(CHUNKED, True), (MEASURED, True), (UNTIL_THE_END, False)])
@given(cuts=st.lists(st.integers(0, 500), max_size=20))
def test_an_answer_reads_the_same_wherever_the_network_cuts_it(sent: bytes, keeps: bool, cuts: list[int]) -> None:
    answer = Answer()
    body = b""
    for piece in pieces(sent, cuts):
        answer.feed(piece)
        body += answer.take()
    assert answer.ended()
    assert (answer.status, body, answer.keeps) == (200, WORDS, keeps)
    if sent is CHUNKED:
        assert answer.headers["x-name"] == "a:b"


@pytest.mark.parametrize("sent", [CHUNKED, MEASURED])
@given(st.data())
def test_an_answer_that_is_cut_short_is_not_complete(sent: bytes, data: st.DataObject) -> None:
    answer = Answer()
    answer.feed(sent[: data.draw(st.integers(0, len(sent) - 1))])
    assert not answer.ended()


@pytest.mark.parametrize("length", [b"Content-Length: 0\r\n", b""])
def test_an_answer_without_a_body_is_complete_at_once(length: bytes) -> None:
    answer = Answer()
    answer.feed((OK if length else b"HTTP/1.1 204 No Content\r\n") + length + b"\r\n")
    assert answer.done
    assert answer.keeps


def test_what_follows_an_answer_makes_its_connection_useless() -> None:
    for more in ([MEASURED + b"HTTP/1.1"], [MEASURED, b"x"]):
        answer = Answer()
        for piece in more:
            answer.feed(piece)
        assert answer.take() == WORDS
        assert not answer.keeps


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"SSH-2.0-x\r\n\r\n", "not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "abc"),
        (b"x" * (HEAD_LIMIT + 1), "too long"),
        (OK + b"Content-Length: -1\r\n\r\n", "where this answer ends"),
        (OK + b"Transfer-Encoding: gzip\r\n\r\n", "where this answer ends"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "compressed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "xyz"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", "no size"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * (HEAD_LIMIT + 1), "too long"),
    ],
)
def test_what_is_no_answer_is_refused(sent: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Answer().feed(sent)


# ---- over real connections --------------------------------------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def asked(reader: asyncio.StreamReader) -> bytes:
    """The next request, or nothing."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return b""


@asynccontextmanager
async def serving(serve: Serve, limit: int = 8, tls: ssl.SSLContext | None = None) -> AsyncIterator[Pool]:
    """A pool for a server that answers so."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
    pool = Pool(f"{scheme}://{host}:{port}/v1/chat/completions", {"X-Test": "1"}, limit)
    try:
        yield pool
    finally:
        pool.close()
        server.close()


async def post(pool: Pool, timeout: float = 5.0) -> tuple[Server, Connection, bytes]:
    """Asks and reads the whole answer; the connection is not handed back."""
    server, connection = await pool.post("sk-1", b"{}", timeout)
    body = b""
    while piece := await connection.read():
        body += piece
    return server, connection, body


async def test_a_request_is_sent_as_the_protocol_wants_it() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await asked(reader))
        writer.write(MEASURED)

    async with serving(serve) as pool:
        server, connection, body = await post(pool)
        server.done(connection)
    assert body == WORDS
    head, _, sent = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert sent == b"{}"
    assert {b"X-Test: 1", b"Authorization: Bearer sk-1", b"Content-Length: 2"} < set(lines)
    assert any(line.startswith(b"Host: 127.0.0.1:") for line in lines)


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    calls = itertools.count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(OK + b"Content-Length: 1\r\n\r\n%d" % next(calls))
        writer.close()

    async with serving(serve) as pool:
        for wanted in (b"1", b"2"):
            server, connection, body = await post(pool)
            assert body == wanted
            server.done(connection)
            await asyncio.sleep(0.05)


async def test_a_connection_that_nobody_used_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    peers: set[object] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            peers.add(writer.get_extra_info("peername"))
            writer.write(MEASURED)

    async with serving(serve) as pool:
        for idle in (30.0, 30.0, -1.0):
            monkeypatch.setattr(module, "IDLE", idle)
            server, connection, _ = await post(pool)
            server.done(connection)
        assert server.idle == 0
    assert len(peers) == 2


async def test_no_more_connections_are_open_at_once_than_allowed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            writer.write(MEASURED)

    async with serving(serve, limit=1) as pool:
        server, connection, _ = await post(pool)
        second = asyncio.create_task(post(pool))
        await asyncio.sleep(0.05)
        assert not second.done()
        server.done(connection)
        _, again, body = await second
        assert (again, body) == (connection, WORDS)
        server.done(again)


async def test_a_place_is_free_again_after_a_failure_and_after_a_cancellation() -> None:
    answers = iter([b"nonsense\r\n\r\n", b"", MEASURED])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(next(answers))

    async with serving(serve, limit=1) as pool:
        with pytest.raises(Broken, match="not HTTP"):
            await post(pool)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await post(pool)
        server, connection, body = await post(pool)
        server.done(connection)
    assert body == WORDS


async def test_a_server_that_falls_silent_inside_a_body_is_given_up() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(CHUNKED[:-20])

    async with serving(serve) as pool:
        with pytest.raises(TimeoutError):
            await post(pool, timeout=0.1)


async def test_a_server_that_sends_faster_than_is_read_has_to_wait() -> None:
    size = 8 * HIGH

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(OK + b"Content-Length: %d\r\n\r\n" % size)
        writer.write(bytes(size))

    async with serving(serve) as pool:
        server, connection = await pool.post("sk-1", b"{}", 5.0)
        await asyncio.sleep(0.3)
        first = len(await connection.read())
        assert 0 < first < 2 * HIGH
        rest = 0
        while piece := await connection.read():
            rest += len(piece)
        server.done(connection)
        assert first + rest == size
        assert server.idle == 1


async def test_answers_come_through_tls_from_a_server_that_can_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            writer.write(CHUNKED)

    context, certificate = certified(tmp_path)
    async with serving(serve, tls=context) as pool:
        with pytest.raises(OSError, match="certificate"):
            await post(pool)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving(serve, tls=context) as pool:
        for _ in range(2):
            server, connection, body = await post(pool)
            server.done(connection)
            assert body == WORDS
        assert server.idle == 1


def certified(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for ``localhost``, and the file with the certificate that it shows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(1))
    builder = builder.not_valid_after(now + datetime.timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    shown, secret = folder / "shown.pem", folder / "secret.pem"
    shown.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown, secret)
    return context, shown


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("", "it is not"),
        ("host", "it is not"),
        ("ftp://host/", "it is not"),
        ("http://", "it is not"),
        ("http://[::1", "Invalid"),
        ("http://h:99999999/", "out of range"),
        ("http://" + "x" * 80, "too long"),
    ],
)
def test_what_is_no_address_is_refused(address: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Pool(address, {}, 1)


def test_a_header_from_the_configuration_cannot_add_others() -> None:
    with pytest.raises(ValueError, match="no header has"):
        Pool("http://host/v1", {"OpenAI-Project": "a\r\nX: y"}, 1)
