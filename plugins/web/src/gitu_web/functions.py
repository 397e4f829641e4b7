"""Functions that a program brings with a request: the assistant calls them, and the program carries them out.

A call lies in the store until the program's next request says what came of it, so that neither side has to stay
connected, and a call that a crash cut off is not made twice: it has the same id afterwards. What becomes of it stands
beside it in entries of their own, so that requests that come together never write over each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import quote

import anyio
import msgspec

from gitu_core.contracts import (
    Context,
    Effect,
    Entry,
    ErrorInfo,
    Host,
    Kv,
    ToolCall,
    ToolResult,
    ToolSpec,
    from_outside,
    outside,
)
from gitu_core.errors import InputError, ToolError, Unknown
from gitu_web.visitor import CHANNEL

CARRIER = "web_function"
"""The tool that carries such calls out."""

PREFIX = f"{CHANNEL}__"
LONGEST_NAME = 64 - len(PREFIX)
MOST, DAY = 128, 86_400.0

WAIT = 600.0
"""Seconds that a program may take for a call; a turn may have less."""

MOST_OPEN = 100
"""Calls of a person that may wait at once: each holds a turn, and there is only so much room for those. The program
went on without the oldest ones, most likely."""

LOOK = 1.0
"""Seconds after which whoever waits looks into the store, whether or not somebody told: another process may have."""

_rung: dict[tuple[int, str], list[Callable[[], None]]] = {}


class Declared(msgspec.Struct, forbid_unknown_fields=True):
    """What a function does, as tools of the assistant say it. One that is declared is decided about like them: what
    others wrote never makes the assistant call it, unless it only reads."""

    effects: tuple[Effect, ...] = ("execute",)
    roles: dict[str, str] = {}
    asked: tuple[str, ...] = ()


class Function(msgspec.Struct):
    """A function of a program. `parameters` is a JSON Schema of the type object."""

    name: str
    description: str | None = ""
    parameters: dict[str, Any] | None = None


class Brought(msgspec.Struct):
    """A tool of a request. What stands under ``x-gitu`` is for the assistant alone."""

    type: Literal["function"]
    function: Function
    declared: Declared | None = msgspec.field(default=None, name="x-gitu")


class Waiting(msgspec.Struct):
    """A call that the program has to carry out, or did. `receipt` and `key` are of the request that was told of it;
    `result` is what came of it, said by `device`. It is `left` where the program went on without saying so."""

    id: str
    name: str
    arguments: dict[str, Any]
    chat: str
    at: float
    receipt: str = ""
    key: str = ""
    result: str | None = None
    device: str = ""
    left: bool = False

    @property
    def open(self) -> bool:
        """True while nothing is known of it."""
        return self.result is None and not self.left


def spec_of(brought: Brought, device: str) -> ToolSpec:
    """A function of the program on a device as a tool of a message. `InputError` where it can be none."""
    function, declared = brought.function, brought.declared
    schema = {"type": "object", "properties": {}} | (function.parameters or {})
    if not function.name or len(function.name) > LONGEST_NAME or schema["type"] != "object":
        raise InputError(f"the function {function.name[:100]!r} cannot be called", field="tools",
                         hint=f"its name has 1 to {LONGEST_NAME} characters, its parameters are an object")  # fmt: skip
    # One that says nothing answers for itself: what its own program gave may lead to more calls of it.
    heeds = () if declared else (outside(origin(device)),)
    declared = declared or Declared()
    return ToolSpec(
        PREFIX + function.name, function.description or function.name, schema, declared.effects, declared.roles,
        asked=declared.asked, by=CARRIER, heeds=heeds, timeout=WAIT, audience="self", private=True, verifiable=True,
    )  # fmt: skip


def origin(device: str) -> str:
    """Who wrote what a program says of its functions."""
    return f"program:{device}"


class Functions:
    """The calls of programs' functions, of all people."""

    def __init__(self, kv: Kv) -> None:
        self._kv, self._lock = kv, anyio.Lock()
        self._asking: dict[tuple[str, str], list[object]] = {}

    @contextmanager
    def asking(self, person: str, chat: str, request: object) -> Iterator[None]:
        """A request waits in a chat: its calls are told to the newest one. The program may have given up on others."""
        waiting = self._asking.setdefault((person, chat), [])
        waiting.append(request)
        try:
            yield
        finally:
            waiting.remove(request)
            if not waiting:
                self._asking.pop((person, chat), None)

    async def open(self, person: str, chat: str | None = None) -> list[Waiting]:
        """The calls of a chat, or of all, that wait for the program, oldest first."""
        found = [each for each in await self._all(person) if each.open and chat in (None, each.chat)]
        return sorted(found, key=_age)

    async def tell(self, person: str, chat: str, request: object, receipt: str, key: str, most: int) -> list[Waiting]:
        """The calls that the program is told of in the answer to a request, at *most* so many. One that another message
        was told of is being carried out already."""
        async with self._lock:
            if self._asking.get((person, chat), [request])[-1] is not request:
                return []
            found = [each for each in await self.open(person, chat) if each.receipt in ("", receipt)][:most]
            for each in found:
                each.receipt, each.key = receipt, key
                await self._note(person, each.id, "told", receipt=receipt, key=key)
        return found

    async def done(self, person: str, device: str, results: dict[str, str]) -> list[Waiting]:
        """Notes what came of calls, by their ids; gives those calls that are known. What is known already stays."""
        async with self._lock:
            found = [each for each in await self._all(person) if each.id in results]
            for each in found:
                if each.open:
                    await self._note(person, each.id, "result", result=results[each.id], device=device)
        _ring(person)
        return found

    async def leave(self, person: str, calls: Sequence[Waiting]) -> None:
        """The program goes on: what it did not say of *calls* by now, it never will."""
        for each in calls:
            await self._note(person, each.id, "left", left=True)
        if calls:
            _ring(person)

    async def _all(self, person: str) -> list[Waiting]:
        """All calls that are kept: open ones for a day, others as long as somebody may ask again."""
        entries, found, now = await self._kv.list(_folder(person), person), list[Waiting](), time.time()
        calls = _calls(entries)
        for call in calls.values():
            if now - call.at < (DAY if call.open else 2 * WAIT):
                found.append(call)
        kept = {each.id for each in found}
        for entry in entries:
            if _id(entry) not in kept:
                await self._kv.delete(entry.key)
        return found

    async def _note(self, person: str, id: str, what: str, **fields: Any) -> None:
        if (call := await self._kv.get(_folder(person) + id)) is not None:  # nobody erased it meanwhile
            await self._kv.put(msgspec.structs.replace(call, key=f"{call.key}/{what}", value=fields))


class Carrier:
    """Hands calls of functions to the program that brought them, and waits for what comes of them (a `Tool`)."""

    spec = ToolSpec(
        CARRIER, "Hands calls of functions that a program brought to that program.", effects=("execute",), hidden=True,
        verifiable=True, timeout=WAIT, audience="self",
    )  # fmt: skip

    def __init__(self, host: Host) -> None:
        self._kv, self._functions = host.kv, Functions(host.kv)

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Waits until the program said what came of it. The same call again is the same one."""
        info, where = context.info, context.info.conversation
        if where is None or where.channel != CHANNEL:
            raise ToolError(f"{call.tool} was not brought by a program", hint="do it another way")
        key = _folder(where.id) + call.id
        if await self._kv.get(key) is None:
            made = {"id": call.id, "name": call.tool.removeprefix(PREFIX), "arguments": call.arguments}
            value = {**made, "chat": where.thread, "at": time.time()}
            await self._kv.put(Entry(key, value, where.id, info.label))
            await self._functions.leave(where.id, (await self._functions.open(where.id))[:-MOST_OPEN])
        _ring(where.id)
        return await self._result(where.id, call.id)

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """The same, for a call that a crash cut off. One that no program can have heard of was not made."""
        where = context.info.conversation
        if where is None or await self._kv.get(_folder(where.id) + call.id) is None:
            never = ErrorInfo("tool", f"{call.tool} was never handed over", "call it again")
            return ToolResult("error", error=never)
        return await self._result(where.id, call.id)

    async def _result(self, person: str, id: str) -> ToolResult:
        with listening(person) as news:
            while (call := _calls(await self._kv.list(_folder(person) + id, person)).get(id)) is not None:
                if call.result is not None:
                    return ToolResult(content=call.result, label=from_outside(origin(call.device)))
                if call.left:
                    break
                with anyio.move_on_after(LOOK):
                    await news.wait()
                news.clear()
        raise Unknown("the program went on without saying what came of it", hint="ask, if it matters")


@contextmanager
def listening(person: str, more: Callable[[], None] | None = None) -> Iterator[asyncio.Event]:
    """An event that is set (and *more* called) whenever something is new about the calls of a person."""
    news = asyncio.Event()
    mine = [news.set, *([more] if more else [])]
    heard = _rung.setdefault(where := (id(asyncio.get_running_loop()), person), [])
    heard += mine
    try:
        yield news
    finally:
        for each in mine:
            heard.remove(each)
        if not heard:
            _rung.pop(where, None)


def _ring(person: str) -> None:
    for each in tuple(_rung.get((id(asyncio.get_running_loop()), person), ())):
        each()


def _calls(entries: Sequence[Entry]) -> dict[str, Waiting]:
    """The calls in *entries*, by id, each with what became of it."""
    found = dict[str, dict[str, Any]]()
    for entry in entries:
        found.setdefault(_id(entry), {}).update(entry.value)
    return {id: msgspec.convert(value, Waiting) for id, value in found.items() if "id" in value}


def _id(entry: Entry) -> str:
    """The id of the call that an entry is about."""
    return entry.key.split("/")[2]


def _folder(person: str) -> str:
    return f"functions/{quote(person, safe='')}/"


def _age(call: Waiting) -> tuple[float, str]:
    return call.at, call.id
