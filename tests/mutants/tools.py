"""Right tools with their other side, and tools that each break one law."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import msgspec

from gitu_core.contracts import Context
from gitu_core.errors import ToolError
from gitu_core.model import ActionSpec, ErrorInfo, ToolCall, ToolResult, ToolSpec, from_outside

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NOT_DONE = ToolResult("error", error=ErrorInfo("tool", "it was not done", "do it"))


class Desk:
    """The other side: what was booked, by key."""

    def __init__(self) -> None:
        self.booked: list[str] = []
        self.results: dict[str, str] = {}
        self.page = "nothing"
        self.visits = 0

    def state(self) -> Any:
        """All of it."""
        return [self.booked, self.page, self.visits]


class Wall(Desk):
    """A page that anybody may write."""

    def plant(self, text: str) -> None:
        """Somebody writes on the page."""
        self.page = text


class RightBooking:
    """Books something, once a key."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.spec: Any = ToolSpec("book", "Books a table.", SCHEMA, ("write",), {"text": "title"}, verifiable=True)

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Books."""
        await context.progress("looking", 0.5)
        await anyio.lowlevel.checkpoint()
        if not self.known(context.info.key):
            self.act(context.info.key)
        await anyio.lowlevel.checkpoint()
        return ToolResult(content=self.desk.results[context.info.key])

    def known(self, key: str) -> bool:
        """Whether this was done."""
        return key in self.desk.results

    def act(self, key: str) -> None:
        """Does it."""
        self.desk.booked.append(key)
        self.desk.results[key] = f"booking {len(self.desk.booked)}"

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """Asks."""
        found = self.desk.results.get(context.info.key)
        return ToolResult(content=found) if found else NOT_DONE


class RightAction(RightBooking):
    """The same for rules."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.spec = ActionSpec("book", "Books a table.", SCHEMA, ("write",), {"text": "title"}, verifiable=True)


class RightPage:
    """Reads a page that others write."""

    OTHER_SIDE = Wall

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.spec = ToolSpec("page", "Reads a page.", SCHEMA, writers={"lines.*.text": "outside"})

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        """Reads."""
        await anyio.lowlevel.checkpoint()
        return ToolResult(content={"title": "the page", "lines": [{"text": self.desk.page}]})

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        """There is nothing to ask about."""
        return ToolResult("unknown")


class RightLabelled(RightPage):
    """Says by a label what `writers` says elsewhere."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.spec = ToolSpec("page", "Reads a page.", SCHEMA)

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        result = await super().run(call, context)
        return msgspec.structs.replace(result, fields={"lines.0.text": from_outside("web:a.example")})


class DescribesItselfAnew(RightBooking):
    """Its description counts its calls, which the host never asked anybody about."""

    def act(self, key: str) -> None:
        super().act(key)
        self.spec = msgspec.structs.replace(self.spec, description=f"Books a table, {len(self.desk.booked)} so far.")


class GivesRolesToNobody(RightBooking):
    """The argument that decides where it goes is called otherwise."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.spec = msgspec.structs.replace(self.spec, roles={"recipient": "recipient"})


class StumblesOverLetters(RightBooking):
    """Whatever is no plain letter ends in an error of Python."""

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        call.arguments["text"].encode("ascii")
        return await super().run(call, context)


class CountsVisits(RightPage):
    """Reading is not only reading."""

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        self.desk.visits += 1
        return await super().run(call, context)


class IgnoresTheKey(RightBooking):
    """Tried again, it books again."""

    def known(self, key: str) -> bool:
        return False


class RemembersOneKey(RightBooking):
    """Only the last key is known again."""

    last = ""

    def known(self, key: str) -> bool:
        known, self.last = key == self.last and super().known(key), key
        return known


class SaysDoneWhenCancelled(RightBooking):
    """Cancelled before it did anything, it reports a booking."""

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        try:
            return await super().run(call, context)
        except asyncio.CancelledError:
            return ToolResult(content="booked")


class BooksOnlyOnce(RightBooking):
    """Whatever comes after the first counts as the first."""

    def act(self, key: str) -> None:
        if self.desk.booked:
            self.desk.results[key] = "booking 1"
        else:
            super().act(key)


class SaysItHappened(RightBooking):
    """Asked about anything, it says yes."""

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        return ToolResult(content=self.desk.results.get(context.info.key, "booked"))


class VerifiesByDoing(RightBooking):
    """Asking leaves a trace."""

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        self.desk.visits += 1
        return await super().verify(call, context)


class TellsAnotherStory(RightBooking):
    """What it says later is not what it said at once."""

    async def verify(self, call: ToolCall, context: Context) -> ToolResult:
        found = await super().verify(call, context)
        return ToolResult(content="something was booked") if found.status == "ok" else found


class SaysNotDoneWhenCancelled(RightBooking):
    """It was booked, and its end is reported as an error."""

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        try:
            return await super().run(call, context)
        except asyncio.CancelledError:
            raise ToolError("it was cancelled, nothing happened") from None


class GoesOnInTheBackground(RightBooking):
    """A task of its own outlives the call."""

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        self.task = asyncio.get_running_loop().create_task(asyncio.sleep(2.0))
        return await super().run(call, context)


class TellsNobodyWhoWrote(RightPage):
    """What an outsider wrote looks like its own words."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.spec = ToolSpec("page", "Reads a page.", SCHEMA)


class LabelsAnotherPart(RightLabelled):
    """The label stands on a part that is not there."""

    async def run(self, call: ToolCall, context: Context) -> ToolResult:
        result = await super().run(call, context)
        return msgspec.structs.replace(result, fields={**result.fields, "text": from_outside("web:a.example")})


class ActionIgnoresTheKey(RightAction, IgnoresTheKey):
    """Fired again after a crash, it acts again."""


class ActionSaysItHappened(RightAction, SaysItHappened):
    """Asked about anything, it says yes."""
