"""The plain front: one message a line in, answers out, nothing else on standard output.

Made for pipes and scripts.
"""

from __future__ import annotations

import os
import sys
from typing import IO, Any

import anyio
import anyio.to_thread

from gitu_core import GituError, Message, Outgoing, TurnEvent, TurnFinished
from gitu_core.contracts import Inbox
from gitu_terminal.lines import LineReader
from gitu_terminal.talk import OWN_HELP, Talk, built_in
from gitu_terminal.text import ask_words, words_of


class PlainFront:
    """Reads lines and writes answers. A line waits until the one before it is answered."""

    def __init__(self, talk: Talk, source: IO[Any] | None = None, out: IO[str] | None = None) -> None:
        self._talk = talk
        # Either is None in a process without a console.
        self._source: IO[Any] | None = source if source is not None else sys.stdin
        self._out: IO[str] | None = out if out is not None else sys.stdout
        self._lines = LineReader(self._source)
        self._writing = anyio.Lock()
        self._asked = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._gone = False
        self._said = False
        self._error: GituError | None = None

    async def run(self, inbox: Inbox) -> None:
        """Answers every line. Returns at the end of the input, at ``exit``, or when nobody reads."""
        with anyio.CancelScope() as self._scope:
            if self._gone:
                return
            while (text := await self._next_line()) is not None:
                if not text.strip():
                    continue
                command = built_in(text)
                if command == "/exit":
                    return
                if command != "/clear":
                    await self._answer(inbox, self._talk.message(command or text))
                if command == "/help":
                    await self._write(OWN_HELP)

    async def say(self, outgoing: Outgoing) -> None:
        """Writes an answer or a question. `OSError` when nobody reads any more; then `run` ends too."""
        asks = self._talk.heard(outgoing)
        words = [words_of(outgoing), *(ask_words(ask, n, len(self._talk.asks) > 1) for n, ask in asks)]
        self._said = True
        await self._write("\n".join(filter(None, words)))
        if asks:
            self._asked.set()

    async def event(self, event: TurnEvent) -> None:
        """Only the end of a turn matters: partial words cannot be taken back from a pipe."""
        if isinstance(event, TurnFinished):
            self._talk.ended(event.reply)
            error = event.reply.error
            self._error = GituError(error.message, hint=error.hint) if error is not None else None

    async def _next_line(self) -> str | None:
        if _is_terminal(self._source):
            print("> ", end="", file=sys.stderr, flush=True)
        return await self._lines.line()

    async def _answer(self, inbox: Inbox, message: Message) -> None:
        """Hands one message over and waits for the end of its work.

        Says on standard error what went wrong.
        """
        self._said, self._error = False, None
        try:
            receipt = await inbox.accept(message)
        except GituError as error:
            _complain(error)
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._take_answers, inbox)
            await inbox.finished(receipt.id)
            tasks.cancel_scope.cancel()
        self._report()

    def _report(self) -> None:
        """A turn that failed without a word is reported on standard error."""
        if self._error is not None and not self._said:
            _complain(self._error)

    async def _take_answers(self, inbox: Inbox) -> None:
        """While a turn waits for an answer, the next lines are for its question."""
        while True:
            await self._asked.wait()
            if not self._talk.asks:
                self._asked = anyio.Event()
                continue
            text = await self._next_line()
            if text is None:
                _complain(GituError("the input ended while a question was open", hint="answer it in another line"))
                await inbox.accept(self._talk.words("/stop"))
                return
            if text.strip():
                await inbox.accept(self._talk.message(built_in(text) or text))

    async def _write(self, text: str) -> None:
        if not text:
            return
        async with self._writing:
            try:
                await anyio.to_thread.run_sync(_put, self._out, f"{text}\n")
            except (OSError, ValueError) as error:
                self._gone = True
                _silence(self._out)
                if self._scope is not None:
                    self._scope.cancel()
                raise error if isinstance(error, OSError) else OSError(str(error)) from error


def _put(stream: IO[str] | None, text: str) -> None:
    """Writes all of it; what the stream's encoding lacks becomes a question mark."""
    if stream is None:
        raise OSError("there is no standard output")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))
    stream.flush()


def _silence(stream: IO[str] | None) -> None:
    """Lets the rest of the buffer go nowhere, else Python complains about the closed pipe when it exits."""
    try:
        number = stream.fileno() if stream is not None else -1
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        return  # it is closed already, or no file at all


def _is_terminal(stream: IO[Any] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):
        return False


def _complain(error: GituError) -> None:
    hint = f" (next: {error.hint})" if error.hint else ""
    print(f"gitu: {error.message}{hint}", file=sys.stderr, flush=True)
