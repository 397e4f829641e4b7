"""The chat that a request to ``/v1/chat/completions`` goes on with.

Such a program sends all that was said with every request, and the assistant keeps what was said itself. Both meet in a
digest of the messages before the last one: where it is known, that chat goes on; where it is not, a new one begins, and
what was said before is handed over as words of the program. Nobody can tell who wrote the answers and results in that:
they count as content from outside.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import anyio
import msgspec

from gitu_core.contracts import UNLABELLED, Entry, Part, Text, from_outside, new_id
from gitu_core.errors import InputError, NotReady
from gitu_web.functions import LOOK, MOST, Waiting, listening, origin, spec_of
from gitu_web.messages import LET_GO, Live
from gitu_web.site import Site
from gitu_web.taking import message_of, take
from gitu_web.visitor import Visitor
from gitu_web.wanted import Said, Wanted, digest, mark, shown, told, words

KEPT, LONGEST = 500, 1_000
"""Of how many chats of a device it is remembered where they stand, and messages of a request."""

SETTLE = 0.05
"""Seconds that calls of functions may come after each other to be told of together."""

AGAIN, RECENT = 180.0, 50
"""Seconds, and messages of a person, within which a request that is sent again is looked for: none takes longer."""

GO_ON = "Go on with what came of the last calls."
"""What is said where a talk with another model comes here in the middle of its calls."""


class Talk:
    """A request, and the chat that it goes on with. `id` and `key` are those of the message that is answered."""

    def __init__(self, site: Site, visitor: Visitor, wanted: Wanted) -> None:
        self.site, self.visitor, self.wanted = site, visitor, wanted
        self.live = Live(visitor.device)
        self._said = [mark(each) for each in wanted.messages]
        self._results = {each.tool_call_id or "": words(each) for each in wanted.messages if each.role == "tool"}
        last = wanted.messages[-1] if wanted.messages else Said("system")
        if len(self._said) > LONGEST or not (last.role == "tool" or (last.role == "user" and words(last).strip())):
            raise InputError(f"the last of at most {LONGEST} messages has to be words of the user, or the result of a "
                             "call", hint="add it", field="messages")  # fmt: skip
        if len(wanted.tools or ()) > MOST:
            raise InputError(f"there are more than {MOST} tools", hint="send fewer", field="tools")
        tools = [] if wanted.tool_choice == "none" else wanted.tools or []
        self._tools = tuple(spec_of(each, visitor.device) for each in tools)
        # One a device: programs that began alike do not hear each other.
        self._folder = f"completions/{quote(visitor.person, safe='')}/{quote(visitor.device, safe='')}/"
        self.chat = self.id = self.key = ""
        self._asks: Any = None
        self._news, self._looked = asyncio.Event(), -LOOK

    async def begin(self, key: str, again: bool) -> None:
        """Says the last message, or what came of calls. `InputError` where nobody waits for that. A request that says
        that it was sent *again*, and has no key, is the last one like it."""
        self.site.hub.join(self.visitor.person, self.live)
        person, last = self.visitor.person, self.wanted.messages[-1]
        known = await self.site.functions.done(person, self.visitor.device, self._results) if self._results else []
        found = {each.id: each for each in known if each.receipt}
        if last.role != "tool":
            await self._say(key, again, found)
        elif (call := found.get(last.tool_call_id or "")) is not None:
            self.chat, self.id, self.key = call.chat, call.receipt, call.key
            self._wait()
            if await self.site.boxes.said(person, call.key):  # known here from now on, whoever works on it
                await self.site.inbox.accept(message_of(self.visitor, call.key, [Text(GO_ON)], call.chat))
        elif any(last.tool_call_id in each.calls for each in self.wanted.messages):  # another model made it
            await self._say(key, again, {})
        else:
            raise InputError("nobody waits for the result of this call", field="messages",
                             hint="send what came of the last answer's calls, within ten minutes")  # fmt: skip

    def _wait(self) -> None:
        """Calls of the chat are told to this request from now on."""
        self._asks = self.site.functions.asking(self.visitor.person, self.chat, self)
        self._asks.__enter__()

    def end(self) -> None:
        """Nobody waits for the answer any more."""
        self.site.hub.part(self.visitor.person, self.live)
        if self._asks is not None:
            self._asks.__exit__(None, None, None)
            self._asks = None

    async def _say(self, key: str, again: bool, results: dict[str, Waiting]) -> None:
        """Says the last message in the chat that it goes on with. What the program was asked there and did not tell by
        now, it never will; that is noted before anything new can come of the message."""
        person, functions = self.visitor.person, self.site.functions
        this = digest([(self.visitor.device,), *self._said])
        key = key or (again and await self._sent(this)) or f"{this}-{new_id()}"
        chat = await self._known(results, key)
        parts = self._parts(bool(chat))
        self.chat, self.key = chat or f"api-{digest([('key', key)])[:24]}", key
        message = message_of(self.visitor, key, parts, self.chat)
        self._wait()
        left = await functions.open(person, chat) if chat else []
        left = [] if left and await self.site.boxes.said(person, key) else left
        command = words(self.wanted.messages[-1]).startswith("/")  # to stop it, before it goes on
        await functions.leave(person, [] if command else left)
        label = UNLABELLED if chat or self._own else from_outside(origin(self.visitor.device))
        message = msgspec.structs.replace(message, tools=self._tools, label=label)
        self.id = (await take(self.site, self.visitor, message)).id
        await functions.leave(person, left if command else [])
        if chat and not results:
            await self._stand(self._said[:-1], key)

    @property
    def _own(self) -> bool:
        """True if the user and the program said everything, and no model or tool did."""
        return not any(each.role in ("assistant", "tool", "function") for each in self.wanted.messages)

    async def _known(self, results: dict[str, Waiting], key: str) -> str:
        """The chat that the request goes on with: where all before was said, or the calls were made whose results stand
        right before the last words. Empty where there is none, or another request went on from there already: who takes
        a talk up at an earlier point does not know what came after it."""
        before = self.wanted.messages[:-1]
        if before and before[-1].role == "tool" and (call := results.get(before[-1].tool_call_id or "")):
            return call.chat
        if not before or self.wanted.messages[-1].role == "tool":
            return ""
        known = await self.site.host.kv.get(self._folder + digest(self._said[:-1]))
        return str(known.value["chat"]) if known is not None and known.value.get("by", key) == key else ""

    def _parts(self, known: bool) -> list[Part]:
        """The last message, behind what was said before where that is not *known* here."""
        *before, last = self.wanted.messages
        if last.role == "tool":
            before, last = self.wanted.messages, Said("user", GO_ON)
        rules = [each for each in before if each.role in ("system", "developer")]
        talk = [told(each) for each in before if each not in rules]
        found = [f"Instructions of the program: {words(each)}" for each in rules]
        found += [f"Earlier in this talk:\n{chr(10).join(talk)}"] if talk else []
        return [*([] if known else map(Text, found)), Text(words(last))]

    async def _sent(self, this: str) -> str:
        """The key under which the program sent *this* request a moment ago; empty where it did not."""
        found = (await self.site.boxes.newest(self.visitor.person, RECENT)).letters
        sent = [each.key for each in found if each.kind == "said" and each.at > time.time() - AGAIN]
        return next((key for key in reversed(sent) if key.startswith(f"{this}-")), "")

    async def keep(self, answer: str, calls: Sequence[Waiting] = ()) -> None:
        """Remembers where the talk stands, so that the next request goes on there."""
        said = ("calls", *[each.id for each in calls]) if calls else ("assistant", answer)
        await self._stand([*self._said, said])
        person = self.visitor.person
        found = await self.site.host.kv.list(self._folder, person)
        if len(found) > KEPT:
            oldest = sorted(found, key=lambda each: float(each.value["at"]))
            for each in oldest[: len(found) - KEPT]:
                await self.site.host.kv.delete(each.key)

    async def _stand(self, said: Sequence[tuple[str, ...]], by: str = "") -> None:
        """Notes that the chat stands, or stood, where all of that was said; the request *by* that key went on there."""
        kv, name = self.site.host.kv, self._folder + digest(said)
        known = await kv.get(name)
        if by or known is None or known.value["chat"] != self.chat:  # else it is known, and who went on there as well
            value = {"chat": self.chat, "at": time.time(), **({"by": by} if by else {})}
            await kv.put(Entry(name, value, self.visitor.person))

    async def answer(self) -> str:
        """All that was answered."""
        letters = await self.site.boxes.answers(self.visitor.person, self.id, self.key, self.chat)
        return "\n\n".join(filter(None, ("\n".join(shown(part) for part in each.parts) for each in letters)))

    @property
    def calls_program(self) -> bool:
        """True if functions of the program may be called."""
        return bool(self._tools or self._results)

    async def calls(self) -> list[Waiting]:
        """The calls that wait for the program now, all of those that come together; they are told of now. The store is
        asked where there is news of calls, and once in a while."""
        person, functions, now = self.visitor.person, self.site.functions, time.monotonic()
        if not self.calls_program or not (self._news.is_set() or now >= self._looked + LOOK):
            return []
        self._news.clear()
        self._looked = now
        if not await functions.open(person, self.chat):
            return []
        await anyio.sleep(SETTLE)
        most = 1 if self.wanted.parallel_tool_calls is False else MOST
        return await functions.tell(person, self.chat, self, self.id, self.key, most)

    @contextmanager
    def ended(self) -> Iterator[asyncio.Future[None]]:
        """What is done when the work for the message has ended; whoever waits is told. One step of the loop later it is
        known whether it has already."""
        found = asyncio.ensure_future(self.site.inbox.finished(self.id))
        found.add_done_callback(lambda _: self.live.ring())
        try:
            with listening(self.visitor.person, self.live.ring) as self._news:
                yield found
        finally:
            found.cancel()

    async def next(self) -> list[Waiting]:
        """Waits until the work has ended, or the program is called; gives the calls. `NotReady` where the server ends
        before that."""
        with self.ended() as ended:
            await asyncio.sleep(0)
            while not ended.done():
                if self.live.left:
                    raise NotReady(LET_GO, hint="send it again")
                if calls := await self.calls():
                    return calls
                self.live.frames.clear()
                with anyio.move_on_after(LOOK if self.calls_program else None):
                    await self.live.next()
        return []
