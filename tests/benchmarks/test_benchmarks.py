"""The benchmarks measure what they say: equal requests, right verdicts, every answer in the book once."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gitu_core.model import Conversation, Outgoing, Text
from tests.benchmarks.exchange import KINDS, differences
from tests.benchmarks.load_users import CHANNEL, Book, share
from tests.benchmarks.measure import model_server, timed
from tests.benchmarks.table import Line
from tests.benchmarks.variants import aiohttp_session, gitu, openai_client


@pytest.mark.parametrize("kind", KINDS)
async def test_everybody_sends_the_same(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gitu's requests are those of the bare clients, in the second turn of a session too."""
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "put back after the test")
    async with AsyncExitStack() as closing:
        server = closing.enter_context(model_server())
        sends = {
            "gitu": await gitu(server.url, tmp_path, kind, closing),
            "openai": openai_client(server.url, closing)[kind],
            "aiohttp": aiohttp_session(server.url, closing)[kind],
        }
        for name, send in sends.items():
            await send(0)
            assert (name, differences(kind, await server.bodies(send))) == (name, [])
        cost, rate = await timed(sends["gitu"], 2, 4)
        assert cost > 0
        assert rate > 0


def test_a_request_that_differs_is_told() -> None:
    """A longer history, another tool and one request too many are all found."""
    body = '{"model":"bench","messages":[{"role":"user","content":"hello"}]}'
    assert differences("plain", [body, body]) == ["2 requests, not 1"]
    found = "\n".join(differences("plain", [body]))
    assert "messages" in found
    assert "max_tokens" in found
    assert "max_tokens" not in "\n".join(differences("plain", [body], strict=False))


def test_verdicts() -> None:
    """A limit may be an upper or a lower one; without one there is no verdict."""
    assert Line("x", 0.25, limit=0.25).ok
    assert Line("x", 0.26, limit=0.25).ok is False
    assert Line("x", 3.0, limit=3.0, sense="at least").ok
    assert Line("x", 2.9, limit=3.0, sense="at least").ok is False
    assert Line("x", 1.0).ok is None


def test_the_book_knows_lost_doubled_and_wrong_answers() -> None:
    """The same key again is dropped; another key for the same message is an answer too many."""
    book = Book()

    def see(key: str, text: str, who: str = "u7") -> None:
        book.saw(Outgoing(key, key, Conversation(CHANNEL, who), (Text(text),)))

    for key in ("7-0", "7-1", "7-2"):
        book.said(key)
        book.accepted[key] = 0.001
    see("a", "echo 7-0 took=0.000000")
    see("a", "echo 7-0 took=0.000000")
    see("b", "echo 7-0 took=0.000000")
    see("c", "echo 7-1 took=0.000000", who="u8")
    see("d", "something went wrong")
    assert (book.repeated, book.doubled, len(book.errors), book.lost) == (1, ["7-0"], 2, ["7-1", "7-2"])


def test_shares() -> None:
    """The value that a part of all values do not exceed."""
    assert share([float(n) for n in range(100)], 0.99) == 99.0
    assert share([1.0, 2.0], 1.0) == 2.0
    assert share([], 0.5) == float("inf")
