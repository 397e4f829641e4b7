"""A small core for a terminal to talk to. As a program it chats on its own standard input and output.

What is said decides what happens: ``slow`` takes until it is stopped, ``mail`` asks first, ``stream``
streams, ``fail`` fails without a word, everything else is repeated.
"""

from __future__ import annotations

import sys

import anyio
import anyio.abc

from gitu_core import (
    Answer,
    AnswerDelta,
    Ask,
    Message,
    Outgoing,
    Reply,
    Text,
    ToolCall,
    ToolFinished,
    ToolResult,
    ToolStarted,
    TurnFinished,
)
from gitu_core.contracts import Adapter, ErrorInfo, Part, Receipt
from gitu_core.errors import InputError

POEM = "Roses are **red**\n\n- one\n- two\n\n```\ncode\n\nmore\n```\n\nThe end."


class Core:
    """An inbox that works messages off as they come."""

    def __init__(self, adapter: Adapter, tasks: anyio.abc.TaskGroup) -> None:
        self.adapter = adapter
        self.tasks = tasks
        self.log: list[Message] = []
        self.choices: list[str] = []
        self._done: dict[str, anyio.Event] = {}
        self._stopped = anyio.Event()
        self._answered = anyio.Event()

    async def accept(self, message: Message) -> Receipt:
        """Takes a message; refuses ``refuse``."""
        if message.text == "refuse":
            raise InputError("this cannot be taken", hint="say something else")
        self.log.append(message)
        id = message.key
        self._done[id] = anyio.Event()
        if isinstance(message.parts[0], Answer):
            self.choices.append(message.parts[0].choice)
            self._answered.set()
            self._done[id].set()
        elif message.text == "/stop":
            self._stopped.set()
            self._done[id].set()
        else:
            self.tasks.start_soon(self._work, id, message)
        return Receipt(id)

    async def finished(self, id: str) -> None:
        """Waits until a message is worked off."""
        await self._done[id].wait()

    async def _work(self, id: str, message: Message) -> None:
        text, status, error = f"echo: {message.text}", "ok", None
        if message.text == "/help":
            text = "/help - what you can say"
        elif "slow" in message.text:
            self._stopped = anyio.Event()
            await self._stopped.wait()
            text, status = "Stopped.", "cancelled"
        elif "mail" in message.text:
            text = await self._ask(id, message)
        elif "stream" in message.text:
            text = await self._stream(message)
        elif "fail" in message.text:
            text, status, error = "", "failed", ErrorInfo("no_model", "no model can be used", "set a key")
        if text:
            await self.say(message, id, Text(text))
        reply = Reply(message.key, "s", status, error=error, model="test/model")  # type: ignore[arg-type]
        await self.adapter.show(message.conversation, TurnFinished(reply))
        self._done[id].set()

    async def say(self, message: Message, id: str, *parts: Part) -> None:
        """Sends something to the conversation of a message."""
        await self.adapter.send(Outgoing(id, id, message.conversation, parts, cause=message.key))

    async def _ask(self, id: str, message: Message) -> str:
        self._answered, self._stopped = anyio.Event(), anyio.Event()
        await self.say(message, f"{id}.ask", Ask(id, "May I send it?", ("yes", "no"), "to: bob\x1b[2J\u202e"))
        async with anyio.create_task_group() as group:

            async def wait(event: anyio.Event) -> None:
                await event.wait()
                group.cancel_scope.cancel()

            group.start_soon(wait, self._answered)
            group.start_soon(wait, self._stopped)
        return f"decided: {self.choices[-1]}" if self._answered.is_set() else "Stopped."

    async def _stream(self, message: Message) -> str:
        call = ToolCall(id="1", tool="search", arguments={"query": "roses"})
        await self.adapter.show(message.conversation, ToolStarted(call))
        await self.adapter.show(message.conversation, ToolFinished(call, ToolResult(content="x"), 0.2))
        for at in range(0, len(POEM), 5):
            await self.adapter.show(message.conversation, AnswerDelta(POEM[at : at + 5]))
            await anyio.sleep(0.001)
        return POEM if "other" not in message.text else "Something else."


async def chat(adapter: Adapter) -> Core:
    """Runs an adapter against a core until its input ends."""
    async with anyio.create_task_group() as tasks:
        core = Core(adapter, tasks)
        await adapter.receive(core)
        tasks.cancel_scope.cancel()
    return core


def main() -> None:
    """The program; the argument is the file for what was typed."""
    from gitu_terminal.adapter import Terminal

    anyio.run(chat, Terminal({"history": sys.argv[1] if len(sys.argv) > 1 else ""}))


if __name__ == "__main__":
    main()
