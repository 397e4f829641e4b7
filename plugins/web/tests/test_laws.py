"""The channel keeps the laws of the contract."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import anyio
import httpx
import pytest

from gitu_core.contracts import Ask, Conversation, Entry, Host
from gitu_core.errors import NotReady
from gitu_core.testing import crash_test
from gitu_core.testing.conformance import AdapterLaws, ToolLaws
from gitu_web.adapter import WebAdapter
from gitu_web.app import make_app
from gitu_web.functions import Carrier, Functions
from gitu_web.settings import Settings
from gitu_web.site import Site

from .around import Box, HostHere, Known


class People:
    """Ana with her phone. What she sees is fetched from the routes themselves, what she says goes over the network."""

    failures = ("refused", "lost", "down", "slow")

    def __init__(self, host: HostHere, adapter: WebAdapter) -> None:
        self._host, self._adapter = host, adapter
        self._safe: set[str] = set()
        self._said: dict[str, str] = {}
        self._squatter: socket.socket | None = None

    async def shown(self) -> list[str]:
        """What she sees: everything in her mailbox."""
        site = Site(cast(Host, self._host), Settings(), Box(), Known(), self._adapter._mailboxes(), cast(Any, None))
        transport = httpx.ASGITransport(make_app(site))
        headers = {"authorization": "Bearer ana-phone"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as http:
            found: list[Any] = []
            page: dict[str, Any] = {"cursor": "", "more": True}
            while page["more"]:
                page = (await http.get("/v1/messages", params={"after": page["cursor"], "limit": 500})).json()
                found += page["messages"]
        return ["\n".join(map(_seen, each["parts"])) for each in found if each["kind"] == "told"]

    async def say(self, text: str, name: str) -> None:
        """She says something, and tries until it is safe."""
        self._said[name] = text
        await self._sent({"key": name, "text": text})
        self._safe.add(name)

    async def again(self, name: str) -> None:
        """Her phone did not hear that it was safe."""
        await self._sent({"key": name, "text": self._said[name]})

    def acknowledged(self, name: str) -> bool:
        """Whether her phone knows that it is safe."""
        return name in self._safe

    async def choose(self, ask: Ask, choice: str) -> None:
        """She presses a button."""
        assert any(ask.question in each for each in await self.shown())
        await self._sent({"key": f"choice-{ask.id}", "ask": ask.id, "choice": choice})

    def break_off(self) -> None:
        """Something else listens where the server wants to."""
        self._squatter = socket.create_server(("127.0.0.1", self._host.config["port"]))

    def fail(self, how: str) -> None:
        """The store fails once: before, or after it stored."""
        self._host.kv.failing.append((how, NotReady("the store does not answer")))

    def close(self) -> None:
        """The end of the test."""
        if self._squatter is not None:
            self._squatter.close()

    async def _sent(self, body: dict[str, Any]) -> None:
        headers = {"authorization": "Bearer ana-phone"}
        async with httpx.AsyncClient(base_url=self._host.url, headers=headers) as http:
            while True:
                try:
                    if (await http.post("/v1/messages", json=body)).status_code in (200, 202):
                        return
                except httpx.TransportError:
                    pass  # the server is not there, or went away
                await anyio.sleep(0.01)


def _seen(part: Mapping[str, Any]) -> str:
    """A part, as a page shows it."""
    if part["type"] == "ask":
        return "\n".join([part["question"], part.get("details", ""), *part["choices"]])
    return str(part.get("text", part.get("caption", "")))


class TestLaws(AdapterLaws):
    """In the host: the only place where it runs."""

    crash: ClassVar[Mapping[str, Any]] = {
        "adapter": "plugins.web.tests.crash:adapter", "plugins": "plugins.web.tests.crash:plugins",
        "deliveries": ["idempotent"], "points": ("world.accept", "world.send", "inbox", "outbox"),
    }  # fmt: skip

    @pytest.fixture
    def host(self) -> HostHere:
        """What it runs in."""
        return HostHere(kept=5_000, visitor_rate=100_000, address_rate=100_000)

    @pytest.fixture
    def adapter(self, host: HostHere) -> WebAdapter:
        """The channel."""
        return WebAdapter(cast(Host, host), Known())

    @pytest.fixture
    def remote(self, host: HostHere, adapter: WebAdapter) -> Iterator[People]:
        """Who uses it."""
        people = People(host, adapter)
        yield people
        people.close()

    @pytest.fixture
    def conversation(self) -> Conversation:
        """Ana's main chat."""
        return Conversation("web", "ana")


class Program:
    """Ana's program: it carries out every call of its functions, and says so, from the first one on."""

    def __init__(self, host: HostHere) -> None:
        self._functions, self._words = Functions(cast(Any, host.kv)), ""
        self._put, host.kv.put = host.kv.put, self._called  # type: ignore[method-assign]
        self._working: asyncio.Task[None] | None = None
        self.did: list[str] = []

    async def _called(self, entry: Entry) -> None:
        await self._put(entry)
        self._working = self._working or asyncio.create_task(self._work())

    async def _work(self) -> None:
        while True:
            for each in await self._functions.open("ana"):
                self.did.append(each.id)
                await self._functions.done("ana", "phone", {each.id: f"did {each.id} {self._words}"})
            await asyncio.sleep(0.002)

    def state(self) -> list[str]:
        """What it did."""
        return self.did

    def plant(self, text: str) -> None:
        """It found something that others wrote."""
        self._words = text


class TestCarrier(ToolLaws):
    """What carries out the functions of programs; beside a program that does what it is told."""

    conversation = Conversation("web", "ana")
    crash: ClassVar[Mapping[str, Any]] = {
        what: f"plugins.web.tests.program:{what}" for what in ("adapter", "model", "tools", "plugins")
    }

    @pytest.fixture
    def host(self) -> HostHere:
        """What it runs in."""
        return HostHere()

    @pytest.fixture
    def tool(self, host: HostHere) -> Carrier:
        """The carrier."""
        return Carrier(cast(Host, host))

    @pytest.fixture(autouse=True)
    def remote(self, host: HostHere) -> Program:
        """The program; it works in every test."""
        return Program(host)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "points"),
    [("plain", ("writer",)), ("approval", ("world", "outbox", "answer")), ("own", ("world", "outbox", "notify"))],
)
def test_nothing_is_lost_or_doubled_wherever_the_process_dies(scenario: str, points: tuple[str, ...]) -> None:
    """Between any two of the things that the mailbox, the inbox and the outbox write; with questions; of its own
    accord."""
    report = crash_test(**{**TestLaws.crash, "scenarios": [scenario], "points": points})
    assert report.broken == [], report.table()
    assert sum(each.reached for each in report.results) > 5, report.table()
