"""One small object for every seam, and a host, as plain as they can be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import anyio
import anyio.lowlevel

from gitu_core.border.peer import Peer
from gitu_core.border.plans import plan_of
from gitu_core.contracts import (
    Account,
    ActionSpec,
    BlobRef,
    Block,
    CallInfo,
    Candidate,
    Channel,
    Claim,
    CommandSpec,
    Context,
    Conversation,
    Delivery,
    Embedder,
    Entry,
    FileInfo,
    Finish,
    Health,
    Hit,
    Host,
    HttpRequest,
    HttpResponse,
    Inbox,
    Label,
    MemoryQuery,
    Message,
    ModelEvent,
    ModelInfo,
    ModelRequest,
    Outgoing,
    Part,
    Progress,
    Receipt,
    RouteTask,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    ToolSpec,
    TurnEvent,
    Usage,
)
from gitu_core.contracts.ports import Session
from gitu_core.errors import FacetUnavailable, RateLimited
from gitu_core.model import UNLABELLED, Text, from_outside

CHAT = Conversation("toy", "room")
MESSAGE = Message("k1", CHAT, Account("toy", "ann"), (Text("hello"),), at=12.5, label=from_outside("toy"))
CALL = ToolCall("c1", "toy", {"x": 1, "deep": {"list": [1, 2.5, None, "é"]}})


class ToyContext:
    """Notes what a call says of its progress."""

    def __init__(self) -> None:
        self.info = CallInfo("c1", "key", label=from_outside("toy"))
        self.deps: Any = object()
        self.said: list[tuple[str, float | None]] = []

    async def progress(self, text: str, fraction: float | None = None) -> None:
        self.said.append((text, fraction))


class ToyTool:
    """Gives its arguments back; fails, waits or says something where asked to."""

    def __init__(self) -> None:
        self.spec = ToolSpec("toy", "A toy.", effects=("read", "send"), roles={"x": "amount"})
        self.ended = 0
        self.started = anyio.Event()
        self.cancelled = anyio.Event()

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        self.started.set()
        await context.progress("half", 0.5)
        if call.arguments.get("wait"):
            try:
                await anyio.sleep_forever()
            except BaseException:  # the cancellation itself is what the test looks at
                self.cancelled.set()
                raise
            finally:
                self.ended += 1
        if call.arguments.get("limit"):
            raise RateLimited("slow down", hint="wait", retry_after=1.5)
        if call.arguments.get("crash"):
            raise KeyError("no such thing")
        return ToolResult(content=call.arguments, label=context.info.label.join(call.label))

    def verify(self, call: ToolCall, context: Context) -> ToolResult:
        return ToolResult("unknown", content=context.info.key)


class ToyAction(ToyTool):
    """A rule action is a tool with another spec."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = ActionSpec("toy", "A toy.")  # type: ignore[assignment]


class ToyInbox:
    """Accepts everything once."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def accept(self, message: Message) -> Receipt:
        self.messages.append(message)
        return Receipt(str(len(self.messages)))

    async def finished(self, id: str) -> None:
        await anyio.lowlevel.checkpoint()


class ToyAdapter:
    """Receives one message, then waits to be cancelled."""

    def __init__(self) -> None:
        self.channel = Channel("toy", delivery="verifiable", media=frozenset({"image"}))
        self.receipts: list[Receipt] = []
        self.shown: list[TurnEvent] = []
        self.received = anyio.Event()
        self.stopped = False

    async def receive(self, inbox: Inbox) -> None:
        self.receipts.append(await inbox.accept(MESSAGE))
        await inbox.finished(self.receipts[0].id)
        self.received.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.stopped = True

    async def send(self, outgoing: Outgoing) -> Delivery:
        return Delivery("sent", (outgoing.key,))

    async def verify(self, outgoing: Outgoing) -> Delivery:
        return Delivery("unknown", detail=outgoing.text)

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        self.shown.append(event)

    async def health(self) -> Health:
        return Health("degraded", "slow", "wait")


class ToyMemory:
    """Keeps claims in a dict and counts what `export` makes."""

    name = "toy"

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.made = 0
        self.closed = 0

    async def put(self, claims: Sequence[Claim]) -> None:
        self.claims.update((claim.id, claim) for claim in claims)

    async def get(self, ids: Sequence[str]) -> Sequence[Claim]:
        return tuple(self.claims[id] for id in ids if id in self.claims)

    async def search(self, query: MemoryQuery) -> Sequence[Hit]:
        return [Hit(claim, 1.0) for claim in self.claims.values() if claim.person == query.person]

    async def delete(self, ids: Sequence[str]) -> int:
        return sum(self.claims.pop(id, None) is not None for id in ids)

    async def export(self, person: str) -> AsyncIterator[Claim]:
        try:
            for claim in list(self.claims.values()):
                if claim.person == person:
                    self.made += 1
                    yield claim
        finally:
            await anyio.lowlevel.checkpoint()
            self.closed += 1


class ToyProvider:
    """Streams the words of the request back; breaks where asked to."""

    name = "toy"

    async def catalogue(self) -> Sequence[ModelInfo]:
        return [ModelInfo("toy", input_price=3)]

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        for message in request.messages:
            if message.text == "break":
                raise RateLimited("later", retry_after=2)
            yield TextDelta(message.text)
        yield Finish(usage=Usage(input_tokens=len(request.messages), cost=7))


class ToyRouter:
    """The cheapest first."""

    name = "toy"

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        return sorted(candidates, key=lambda each: each.estimate or 0)


class ToyEmbedder:
    """Counts letters."""

    name = "toy"
    dimensions = 2
    version = "1"
    batch = 8

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return [(float(len(text)), 0.5) for text in texts]


class ToyPage:
    """Shows who looks."""

    path = "toy"
    title = "Toy"
    icon = "cube"

    async def blocks(self, principal: str) -> Sequence[Block]:
        return [Block("table", principal, {"rows": [[1, None]]})]

    async def act(self, principal: str, action: str, values: dict[str, Any]) -> ToolResult:
        return ToolResult(content=[principal, action, values])


class ToyCommand:
    """Gives its arguments back."""

    spec = CommandSpec("toy", "A toy.")

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        return ToolResult(content=arguments)


class ToyHost:
    """Every facet in one object, as far as each is offered; it notes what was called."""

    def __init__(self, *missing: str) -> None:
        self.plugin = "toys"
        self.config = {"depth": {"a": [1, None]}}
        self.calls: list[tuple[Any, ...]] = []
        self.entries: dict[str, Entry] = {}
        self._missing = missing

    def __getattr__(self, name: str) -> Any:
        from gitu_core.contracts import FACETS

        if name in FACETS and name not in self._missing:
            return (Ports if name == "admin" else Facet)(self, name)
        if name in FACETS:
            raise FacetUnavailable(f"{name} is not declared", hint="declare it")
        raise AttributeError(name)


class Facet:
    """One facet: its methods note their arguments and give a plain answer."""

    ANSWERS: dict[str, Any] = {  # noqa: RUF012 - never changed
        "blobs.begin": "h1",
        "blobs.commit": BlobRef("sha256:00", 3),
        "blobs.read": b"\x00\xff",
        "secrets.reveal": "s",
        "http.request": HttpResponse(200, {"a": "b"}, b"\xfe"),
        "files.list": (FileInfo("a"),),
        "files.read": b"\x80",
        "model.complete": {"answer": None},
        "memory.search": (),
        "ask.ask": "yes",
        "notify.send": "n1",
        "schedule.cancel": True,
        "admin.plugins": [{"id": "toys"}],
        "admin.sessions.sessions": [Session(id=f"{number}", person="ann") for number in range(3)],
    }

    def __init__(self, host: ToyHost, name: str) -> None:
        self._host, self._name = host, name

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._host.calls.append((f"{self._name}.{method}", *args, *kwargs.values()))
            return self.ANSWERS.get(f"{self._name}.{method}")

        return call

    async def get(self, key: str) -> Entry | None:
        return self._host.entries.get(key)

    async def put(self, entry: Entry) -> None:
        self._host.entries[entry.key] = entry


class Ports(Facet):
    """A facet with a part of its own."""

    @property
    def sessions(self) -> Facet:
        return Facet(self._host, f"{self._name}.sessions")


class Guest(Protocol):
    """A plugin-side object that uses the host that it is handed."""

    async def visit(self, host: Host) -> list[str]: ...

    async def tools(self, host: Host | None = None) -> Sequence[Tool]: ...

    async def named(self) -> dict[str, Embedder]: ...


class ToyGuest:
    """Calls every facet of a host and writes down what it got."""

    async def visit(self, host: Host) -> list[str]:
        label = Label(frozenset({"a", "b", "c"}), frozenset({"a", "b"}))
        seen: list[object] = [host.plugin, host.config]
        await host.log.write("info", "visited")
        await host.kv.put(Entry("k", {"v": [1, None]}, "ann", label))
        seen.append(await host.kv.get("k"))
        seen.append(await host.kv.get("none"))
        handle = await host.blobs.begin(name="x")
        await host.blobs.write(handle, b"\x00\x01\xff")
        seen += [await host.blobs.commit(handle, "ann", UNLABELLED), await host.blobs.read(BlobRef("d", 1))]
        seen += [await host.secrets.reveal("KEY"), await host.http.request(HttpRequest("u", body=b"\xff\x00"))]
        seen += [*await host.files.list("."), await host.files.read("a")]
        await host.files.write("a", b"\x01", append=True)
        seen += [await host.model.complete("p", {"type": "object"}), *await host.memory.search(MemoryQuery("ann"))]
        parts: tuple[Part, ...] = (Text("hi"),)
        seen += [await host.ask.ask("ann", "?", ["yes", "no"]), await host.notify.send(CHAT, parts, "k")]
        await host.schedule.at(1.5, "k", {"n": None})
        seen += [await host.schedule.cancel("k"), await host.admin.plugins()]
        seen += await host.admin.sessions.sessions("ann")
        return [repr(each) for each in seen]

    async def tools(self, host: Host | None = None) -> Sequence[Tool]:
        return [ToyTool(), ToyTool()] if host is None else []  # type: ignore[list-item]

    async def named(self) -> dict[str, Embedder]:
        return {"toy": ToyEmbedder()}


def progress() -> TurnEvent:
    """Something to show."""
    return Progress("working", fraction=0.25)


def open_calls(peer: Peer) -> tuple[int, int]:
    """How many calls wait for an answer, and how many are being served."""
    return len(peer._caller), len(peer._server)


def exported(peer: Peer) -> int:
    """How many objects the other side can reach now."""
    return len(peer._caller.objects)


def keep(peer: Peer, value: object, protocol: type) -> None:
    """Hands an object over for as long as the connection lasts, as a host is by being offered."""
    peer._caller.objects.keep(value, plan_of(protocol))
