"""Right providers, routers and embedders, and ones that each break one law."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio.lowlevel
import msgspec

from gitu_core.errors import AuthFailed, NotReady
from gitu_core.model import CallDelta, Candidate, Finish, ModelEvent, ModelInfo, ModelRequest, RouteTask, TextDelta
from gitu_core.testing.conformance.failures import FAILURES

SECRET = "sk-toy-0123456789abcdef"
log = logging.getLogger("gitu.plugins.toy")


class Service:
    """The server of a provider."""

    failures = ("auth", "rate", "down", "overflow", "rejected", "broken")

    def __init__(self) -> None:
        self.says: tuple[str, Sequence[tuple[str, str]]] = ("hello", ())
        self.failing = ""
        self.streams = 0
        self.secret = SECRET

    def answer(self, text: str, calls: Sequence[tuple[str, str]]) -> None:
        """Says this from now on."""
        self.says = (text, calls)

    def fail(self, how: str) -> None:
        """Fails next."""
        self.failing = how

    def open(self) -> int:
        """How many streams are open."""
        return self.streams

    def forget(self) -> None:
        """No secret."""
        self.secret = ""


class RightProvider:
    """Keeps every law."""

    name = "toy"

    def __init__(self, service: Service) -> None:
        self.service = service

    async def catalogue(self) -> Sequence[ModelInfo]:
        """The one model."""
        return [ModelInfo("toy")]

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Says what the service says."""
        if not self.service.secret:
            raise AuthFailed("no secret is set", hint="set one")
        how, self.service.failing = self.service.failing, ""
        self.service.streams += 1
        try:
            await anyio.lowlevel.checkpoint()
            if how and how != "broken":
                raise self.failure(how)
            text, calls = self.service.says
            for start in range(0, len(text), 1 + len(text) // 20):
                yield TextDelta(text[start : start + 1 + len(text) // 20])
                await anyio.lowlevel.checkpoint()
                if how == "broken":
                    raise self.failure(how)
            for number, (tool, arguments) in enumerate(calls):
                yield CallDelta(number, f"c{number}", tool)
                for piece in self.pieces(arguments):
                    yield CallDelta(number, arguments=piece)
        finally:
            self.closed()
        for event in self.end(text):
            yield event

    def failure(self, how: str) -> Exception:
        """What is raised."""
        return FAILURES[how][0](f"the service says {how}")

    def pieces(self, arguments: str) -> Sequence[str]:
        """As they are streamed."""
        return [arguments[:3], arguments[3:]]

    def closed(self) -> None:
        """A stream has ended."""
        self.service.streams -= 1

    def end(self, text: str) -> Sequence[ModelEvent]:
        """The last event."""
        return [Finish(model="toy")]


class FinishesTwice(RightProvider):
    """One for the words, one for the usage."""

    def end(self, text: str) -> Sequence[ModelEvent]:
        return [Finish(model="toy"), Finish(model="toy")]


class JustStops(RightProvider):
    """An answer without words ends without an end."""

    def end(self, text: str) -> Sequence[ModelEvent]:
        return super().end(text) if text.strip() else []


class TidiesArguments(RightProvider):
    """What the model wrote is parsed and written anew."""

    def pieces(self, arguments: str) -> Sequence[str]:
        try:
            return super().pieces(json.dumps(json.loads(arguments)))
        except ValueError:
            return super().pieces(arguments)


class MendsBrokenArguments(RightProvider):
    """Broken JSON becomes an empty object."""

    def pieces(self, arguments: str) -> Sequence[str]:
        try:
            json.loads(arguments)
        except ValueError:
            return ["{}"]
        return super().pieces(arguments)


class RaisesOSError(RightProvider):
    """A server that is down is a matter of the operating system."""

    def failure(self, how: str) -> Exception:
        return ConnectionError("down") if how == "down" else super().failure(how)


class CallsEverythingNotReady(RightProvider):
    """Nobody waits for as long as the server said, and nobody asks for a key."""

    def failure(self, how: str) -> Exception:
        return super().failure(how) if how == "broken" else NotReady(f"the service says {how}")


class LeavesStreamsOpen(RightProvider):
    """A stream is closed only where it was read to its end."""

    def closed(self) -> None:
        return

    def end(self, text: str) -> Sequence[ModelEvent]:
        self.service.streams -= 1
        return super().end(text)


class AsksForItsCatalogue(RightProvider):
    """The network decides what is offered."""

    async def catalogue(self) -> Sequence[ModelInfo]:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            return await super().catalogue()


class NeedsAKeyToSayWhatItOffers(RightProvider):
    """Before somebody has a key, nobody knows what for."""

    async def catalogue(self) -> Sequence[ModelInfo]:
        if not self.service.secret:
            raise AuthFailed("no secret is set")
        return await super().catalogue()


class QuotesTheServer(RightProvider):
    """A server repeats the key that it refuses."""

    def failure(self, how: str) -> Exception:
        error = super().failure(how)
        return AuthFailed(f"Incorrect API key provided: {SECRET}") if how == "auth" else error


class HidesItInTheCause(RightProvider):
    """The error is clean, what it came from is not."""

    def failure(self, how: str) -> Exception:
        error = super().failure(how)
        error.__cause__ = ConnectionError(f"POST with Bearer {SECRET}")
        return error


class LogsItsHeaders(RightProvider):
    """For debugging."""

    def closed(self) -> None:
        log.debug("sent Authorization: Bearer %s", SECRET)
        super().closed()


class MixesUpCalls(RightProvider):
    """All calls have the number of the first."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        async for event in super().stream(request):
            yield msgspec.structs.replace(event, index=0) if isinstance(event, CallDelta) else event


class RightRouter:
    """The best first, whoever can and is not too dear."""

    name = "toy"

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Ranks."""
        fit = [each for each in candidates if self.able(task, each) and self.cheap(task, each)]
        return sorted(fit, key=lambda each: (-each.info.quality, each.model))

    def able(self, task: RouteTask, candidate: Candidate) -> bool:
        """Whether it can do what is needed."""
        return task.needs <= candidate.info.capabilities

    def cheap(self, task: RouteTask, candidate: Candidate) -> bool:
        """Whether it costs no more than it may."""
        return task.max_cost is None or (candidate.estimate or 0) <= task.max_cost


class AddsItsFavourite(RightRouter):
    """Somebody else's model is always asked last."""

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        favourite = Candidate("favourite", ModelInfo("favourite", capabilities=frozenset(task.needs)), 0)
        return [*await super().rank(task, candidates), favourite]


class RollsDice(RightRouter):
    """Spreads the load by chance."""

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        ranked = list(await super().rank(task, candidates))
        random.shuffle(ranked)
        return ranked


class TakesTurns(RightRouter):
    """Every second time the order is the other one."""

    asked = 0

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        self.asked += 1
        ranked = list(await super().rank(task, candidates))
        return ranked if self.asked % 2 else ranked[::-1]


class RanksTheBestTwice(RightRouter):
    """So that it is tried again."""

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        ranked = list(await super().rank(task, candidates))
        return [*ranked, *ranked[:1]]


class ReadsAFile(RightRouter):
    """Its table is read each time."""

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        os.close(os.open(os.devnull, os.O_RDONLY))
        return await super().rank(task, candidates)


class SpendsTooMuch(RightRouter):
    """Quality has its price."""

    def cheap(self, task: RouteTask, candidate: Candidate) -> bool:
        return True


class HopesItCan(RightRouter):
    """A model without tools is asked to use them."""

    def able(self, task: RouteTask, candidate: Candidate) -> bool:
        return True


class RightEmbedder:
    """Counts letters."""

    name = "toy"
    dimensions = 3
    version = "1"
    batch = 16

    async def embed(self, texts: Sequence[str], purpose: Any = "passage") -> Sequence[Sequence[float]]:
        """One a text."""
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> list[float]:
        """Its numbers."""
        return [float(len(text)), float(text.count("a")), 1.0]


class HasNoVectorForNothing(RightEmbedder):
    """An empty text has an empty vector."""

    def vector(self, text: str) -> list[float]:
        return super().vector(text) if text else []


class DividesByZero(RightEmbedder):
    """What has no letters is no number."""

    def vector(self, text: str) -> list[float]:
        return super().vector(text) if any(map(str.isalpha, text)) else [float("nan")] * 3


class SortsItsBatch(RightEmbedder):
    """The shortest first, which is faster."""

    async def embed(self, texts: Sequence[str], purpose: Any = "passage") -> Sequence[Sequence[float]]:
        return await super().embed(sorted(texts, key=len), purpose)


class LooksAtTheNeighbours(RightEmbedder):
    """A vector depends on what else is in the batch."""

    async def embed(self, texts: Sequence[str], purpose: Any = "passage") -> Sequence[Sequence[float]]:
        return [[*vector[:2], float(len(texts))] for vector in await super().embed(texts, purpose)]
