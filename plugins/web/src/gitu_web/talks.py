"""What a request to ``/v1/chat/completions`` says, and the chat that it goes on with.

Such a program sends all that was said with every request, and the assistant keeps what was said itself. Both meet in a
digest of the messages before the last one: where it is known, that chat goes on; where it is not, a new one begins, and
what was said before is handed over as words of the program.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import quote

import anyio
import msgspec

from gitu_core.contracts import Entry, Text
from gitu_core.errors import InputError
from gitu_web.functions import LOOK, MOST, Brought, Functions, Waiting, listening, spec_of
from gitu_web.site import Site
from gitu_web.taking import message_of, take
from gitu_web.visitor import Visitor

MODEL = "gitu"
KEPT, LONGEST = 500, 1_000
"""Of how many chats of a person it is remembered where they stand, and messages of a request."""

SETTLE = 0.05
"""Seconds that calls of functions may come after each other to be told of together."""


class Said(msgspec.Struct):
    """One message of a request; what else it says is not looked at."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    tool_call_id: str = ""


class Wanted(msgspec.Struct):
    """A request; what else it says is for models, and the assistant chooses its own. `tools` are functions of the
    program that the assistant may call for the answer; those of the request that the talk turned to the program with
    count until it has its answer."""

    messages: list[Said]
    model: str = MODEL
    stream: bool = False
    tools: list[Brought] | None = None
    tool_choice: str | dict[str, Any] | None = None


def words(said: Said) -> str:
    """The text of a message. `InputError` for what is no text."""
    if isinstance(said.content, list):
        if other := [each.get("type") for each in said.content if each.get("type") != "text"]:
            hint = "send text here; files over POST /v1/files"
            raise InputError(f"content of the type {other[0]} is not taken here", hint=hint, field="messages")
        return "\n".join(str(each.get("text", "")) for each in said.content)
    return said.content or ""


def digest(messages: Sequence[tuple[str, str]]) -> str:
    """What tells a talk from others: all that was said in it."""
    return hashlib.sha256(msgspec.json.encode(messages)).hexdigest()


class Talk:
    """A request, and the chat that it goes on with. `id` and `key` are those of the message that is answered."""

    def __init__(self, site: Site, visitor: Visitor, wanted: Wanted) -> None:
        self.site, self.visitor, self.wanted = site, visitor, wanted
        self._functions = Functions(site.host.kv)
        self._said = [(each.role, words(each)) for each in wanted.messages]
        self._results = {each.tool_call_id: words(each) for each in wanted.messages if each.role == "tool"}
        role, text = self._said[-1] if self._said else ("", "")
        if len(self._said) > LONGEST or not (role == "tool" or (role == "user" and text.strip())):
            raise InputError(f"the last of at most {LONGEST} messages has to be words of the user, or the result of a "
                             "call", hint="add it", field="messages")  # fmt: skip
        if len(wanted.tools or ()) > MOST:
            raise InputError(f"there are more than {MOST} tools", hint="send fewer", field="tools")
        tools = [] if wanted.tool_choice == "none" else wanted.tools or []
        self._tools = tuple(spec_of(each, visitor.device) for each in tools)
        self._folder = f"completions/{quote(visitor.person, safe='')}/"
        self.chat = self.id = self.key = ""

    async def begin(self, key: str) -> None:
        """Says the last message, or what came of calls. `InputError` where nobody waits for that."""
        person = self.visitor.person
        known = await self._functions.done(person, self.visitor.device, self._results) if self._results else []
        if self._said[-1][0] != "tool":
            await self._say(key)
            return
        last = next((each for each in known if each.id == self.wanted.messages[-1].tool_call_id), None)
        if last is None or not last.receipt:
            raise InputError("nobody waits for the result of this call", field="messages",
                             hint="send what came of the last answer's calls, within ten minutes")  # fmt: skip
        self.chat, self.id, self.key = last.chat, last.receipt, last.key

    async def _say(self, key: str) -> None:
        *before, (_, text) = self._said
        known = await self.site.host.kv.get(self._folder + digest(before)) if before else None
        self.chat = known.value["chat"] if known is not None else f"api-{digest([('key', key)])[:24]}"
        parts = [] if known is not None else self._handed_over(before)
        message = message_of(self.visitor, key, [*parts, Text(text)], self.chat)
        receipt = await take(self.site, self.visitor, msgspec.structs.replace(message, tools=self._tools))
        self.id, self.key = receipt.id, key
        if receipt.fresh and known is not None:
            await self._functions.leave(self.visitor.person, self.chat)

    @staticmethod
    def _handed_over(before: Sequence[tuple[str, str]]) -> list[Text]:
        told = [text for role, text in before if role in ("system", "developer")]
        talk = [f"{role}: {text}" for role, text in before if role not in ("system", "developer")]
        found = [f"Instructions of the program: {text}" for text in told]
        return [Text(text) for text in (*found, *([f"Earlier in this talk:\n{chr(10).join(talk)}"] if talk else []))]

    async def keep(self, answer: str) -> None:
        """Remembers where the talk stands, so that the next request goes on there."""
        key = self._folder + digest([*self._said, ("assistant", answer)])
        person, value = self.visitor.person, {"chat": self.chat, "at": time.time()}
        await self.site.host.kv.put(Entry(key, value, person))
        found = await self.site.host.kv.list(self._folder, person)
        if len(found) > KEPT:
            oldest = sorted(found, key=lambda each: float(each.value["at"]))
            for each in oldest[: len(found) - KEPT]:
                await self.site.host.kv.delete(each.key)

    async def answer(self) -> str:
        """All that was answered."""
        letters = await self.site.boxes.answers(self.visitor.person, self.id, self.key, self.chat)
        return "\n\n".join(filter(None, ("\n".join(_shown(part) for part in each.parts) for each in letters)))

    @property
    def calls_program(self) -> bool:
        """True if functions of the program may be called."""
        return bool(self._tools or self._results)

    async def calls(self) -> list[Waiting]:
        """The calls that wait for the program now, all of those that come together; they are told of now."""
        person = self.visitor.person
        if not self.calls_program or not await self._functions.open(person, self.chat):
            return []
        await anyio.sleep(SETTLE)
        found = await self._functions.open(person, self.chat)
        await self._functions.told(person, found, self.id, self.key)
        return found

    async def next(self) -> list[Waiting]:
        """Waits until the work has ended, or the program is called; gives the calls."""
        ended = asyncio.ensure_future(self.site.inbox.finished(self.id))
        try:
            with listening(self.visitor.person) as news:
                ended.add_done_callback(lambda _: news.set())
                while not ended.done():
                    if calls := await self.calls():
                        return calls
                    with anyio.move_on_after(LOOK if self.calls_program else None):
                        await news.wait()
                    news.clear()
            return []
        finally:
            ended.cancel()


def _shown(part: Any) -> str:
    if choices := getattr(part, "choices", ()):
        return f"{part.question}\n{part.details}\n({' / '.join(choices)})"
    return str(getattr(part, "text", "") or getattr(part, "caption", ""))
