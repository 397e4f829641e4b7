"""Wake-ups on their way to the stream, in order and many at once.

When may two wake-ups be one message? A wake-up may join another one only as long as that one has not been sent: once
it is on its way, somebody may be handling the lane already, and may have looked before the second was called for. So

* wake-ups of a lane that come while one of it is on its way become one more message together, sent when the answer to
  the first is there: however many come within a round trip, the stream gets two;
* ``Nats-Msg-Id`` belongs to one message and not to the lane. It lets a message whose answer got lost with a connection
  be sent again: the stream keeps it once. A wake-up that joins such a message gives it a new id, because the first
  copy may have been handled by then.

A window of time in which the stream drops everything that has a lane's id would swallow wake-ups that came after a
handling began, and so would a stream that keeps the latest message of a lane: it drops one that is being handled.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio

from gitu_nats.settings import Settings, encode

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

PAUSE, PATIENCE = 0.1, 1.0
"""Seconds before a message that nobody keeps is sent again, and how long: a stream may be new, or have a new leader."""

ANSWER_WITHIN = 2.0
"""Seconds within which the stream has to say that it keeps a message."""

GONE = (NOBODY, SILENT) = "nobody keeps the stream", "the stream does not answer"
"""Why a message was not kept where nothing but a new connection may help."""


@dataclass(eq=False)
class Wake:
    """One message: the lane, its id, and when it was first sent. `done` is set when nothing is to be waited for."""

    lane: str
    id: str
    tried: float = 0.0
    deadline: float = 0.0
    done: anyio.Event = field(default_factory=anyio.Event)


class Wakes:
    """What is to be sent and what was sent. *failed* is told every lane that the stream did not take, and why."""

    def __init__(self, settings: Settings, failed: Callable[[str, str], Awaitable[None]],
                 kept: Callable[[], None]) -> None:  # fmt: skip
        self._settings = settings
        self._failed = failed
        self._kept = kept
        self._name = uuid4().hex
        self._number = 0
        self._waiting: dict[str, Wake] = {}  # by lane: not sent, or sent over a connection that was lost
        self._flying: dict[str, Wake] = {}  # by lane, the oldest first: sent, not answered
        self._sent: dict[str, Wake] = {}  # by id
        self._ready: deque[str] = deque()  # lanes that wait and do not fly
        self._later: deque[tuple[float, str]] = deque()  # lanes that are ready at a time
        self._called = anyio.Event()

    def put(self, lane: str) -> Wake:
        """Adds a wake-up; it is sent as soon as there is a connection."""
        wake = self._waiting.get(lane)
        if wake is None or wake.tried:
            self._number += 1
            wake = self._waiting[lane] = Wake(lane, f"{self._name}-{self._number}")
            self._release(lane)
        return wake

    def take(self) -> list[str]:
        """The lanes of all wake-ups that were not sent; they are forgotten here."""
        lanes = list(self._waiting)
        for wake in self._waiting.values():
            wake.done.set()
        self._waiting.clear()
        self._ready.clear()
        return lanes

    async def run(self, client: Client) -> None:
        """Sends over *client* until cancelled or until it fails. What was not answered by then is sent again next
        time."""
        inbox = client.new_inbox()
        await client.subscribe(f"{inbox}.*", cb=self._answered)
        self._ready, self._later = deque(self._waiting), deque()
        try:
            while True:
                while self._ready:
                    lane = self._ready.popleft()
                    if lane in self._waiting and lane not in self._flying:
                        await self._send(client, inbox, lane)
                self._called = anyio.Event()
                with anyio.CancelScope(deadline=self._next()):
                    await self._called.wait()
                await self._give_up()
                while self._later and self._later[0][0] <= anyio.current_time():
                    self._ready.append(self._later.popleft()[1])
        finally:
            for wake in self._flying.values():
                self._waiting.setdefault(wake.lane, wake)
                wake.done.set()
            self._flying.clear()
            self._sent.clear()

    async def _send(self, client: Client, inbox: str, lane: str) -> None:
        wake = self._waiting.pop(lane)
        self._flying[lane] = self._sent[wake.id] = wake
        now = anyio.current_time()
        wake.tried, wake.deadline = wake.tried or now, now + ANSWER_WITHIN
        headers = {"Nats-Msg-Id": wake.id}
        await client.publish(self._settings.subject(lane), encode(lane), f"{inbox}.{wake.id}", headers)

    async def _answered(self, message: Msg) -> None:
        wake = self._sent.get(message.subject.rpartition(".")[2])
        if wake is not None:
            await self._land(wake, _refusal(message))

    async def _give_up(self) -> None:
        """Ends the wait for answers that are overdue."""
        while (wake := self._oldest()) is not None and wake.deadline <= anyio.current_time():
            await self._land(wake, SILENT)

    async def _land(self, wake: Wake, refusal: str) -> None:
        del self._flying[wake.lane], self._sent[wake.id]
        if refusal == NOBODY and (again := anyio.current_time() + PAUSE) - wake.tried < PATIENCE:
            self._waiting.setdefault(wake.lane, wake)
            self._later.append((again, wake.lane))
            self._called.set()
            return
        wake.done.set()
        self._release(wake.lane)
        if refusal:
            await self._failed(wake.lane, refusal)
        else:
            self._kept()

    def _release(self, lane: str) -> None:
        if lane in self._waiting and lane not in self._flying:
            self._ready.append(lane)
            self._called.set()

    def _next(self) -> float:
        """When something is to be done that nobody calls for."""
        oldest = self._oldest()
        times = (oldest.deadline if oldest else float("inf"), self._later[0][0] if self._later else float("inf"))
        return min(times)

    def _oldest(self) -> Wake | None:
        return next(iter(self._flying.values()), None)


def _refusal(message: Msg) -> str:
    """Why the stream did not keep a message; empty where it did."""
    if message.headers and message.headers.get("Status") == "503":
        return NOBODY
    error = json.loads(message.data).get("error")
    return str(error.get("description") or error) if error else ""
