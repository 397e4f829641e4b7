"""The interactive front: line editing, history, completion, streamed answers.

It needs asyncio (prompt_toolkit does).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
from prompt_toolkit import PromptSession
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output
from prompt_toolkit.patch_stdout import patch_stdout

from gitu_core import (
    AnswerDelta,
    GituError,
    Message,
    Outgoing,
    Reply,
    Text,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
)
from gitu_core.contracts import Inbox, ModelChosen, Progress
from gitu_terminal.editing import make_session
from gitu_terminal.screen import Screen
from gitu_terminal.talk import OWN_HELP, Talk, built_in
from gitu_terminal.text import choices_of, words_of

_PROMPT = ("class:prompt", "❯ ")  # noqa: RUF001 (a prompt, not a greater-than sign)
_ANSWER = ("class:answer", "answer ❯ ")  # noqa: RUF001
# Seconds. A turn that parks with its question ends right after asking, and needs no prompt of its own.
_PARKING = 0.1


class InteractiveFront:
    """A chat at a keyboard. Ctrl-C stops the running turn, Ctrl-D leaves, Alt-Enter begins a new line."""

    def __init__(
        self,
        talk: Talk,
        *,
        history: Path | None = None,
        input: Input | None = None,
        output: Output | None = None,
        screen: Screen | None = None,
    ) -> None:
        self._talk = talk
        self._screen = screen if screen is not None else Screen()
        self._session = make_session(history, input, output, self._screen.note)
        # Answers have an editor of their own: they are not kept, and nothing is suggested for them.
        self._answers = make_session(None, input, output, self._screen.note)
        self._wake = anyio.Event()
        self._interrupts = 0
        self._left_over = ""
        self._reply: Reply | None = None
        self._said = False
        self._leaving = False

    async def run(self, inbox: Inbox) -> None:
        """Talks until the person leaves."""
        # Raw from first to last: a Ctrl-C between two prompts must not end the program.
        with self._session.app.input.raw_mode():
            await self._talk_on(inbox)

    async def _talk_on(self, inbox: Inbox) -> None:
        self._screen.banner()
        while not self._leaving and (text := await self._read(_PROMPT)) is not None:
            if not text.strip():
                continue
            command = built_in(text)
            if command == "/exit":
                return
            if command == "/clear":
                self._screen.clear()
                continue
            await self._turn(inbox, self._talk.message(command or text))
            if command == "/help":
                self._screen.answer(f"{OWN_HELP}\nAlt-Enter begins a new line, Ctrl-C stops what runs.", markdown=False)

    # ---- what Gitu says ------------------------------------------------------------------------------------

    async def say(self, outgoing: Outgoing) -> None:
        """Prints an answer or a question, above the prompt if there is one."""
        self._said = True
        asks = self._talk.heard(outgoing)
        markdown = any(isinstance(part, Text) and part.format == "markdown" for part in outgoing.parts)
        if words := words_of(outgoing):
            self._screen.answer(words, markdown)
        for number, ask in asks:
            self._screen.flush()
            self._screen.ask(ask, number, len(self._talk.asks) > 1)
        if asks:
            self._wake.set()

    async def event(self, event: TurnEvent) -> None:
        """Draws what happens in a turn."""
        match event:
            case AnswerDelta(text=text, reset=reset):
                self._screen.words(text, reset)
            case ToolStarted(call=call):
                self._screen.tool_started(call)
            case ToolFinished():
                self._screen.tool_finished(event)
            case Progress():
                self._screen.progress(event)
            case ModelChosen(model=model, fallback_from=before) if before:
                self._screen.note(f"{before} did not answer, asking {model}")
            case TurnFinished(reply=reply):
                self._reply = reply
                self._talk.ended(reply)

    # ---- one turn ------------------------------------------------------------------------------------------

    async def _turn(self, inbox: Inbox, message: Message) -> None:
        """Hands a message over and stays with it to its end, or until the person goes back to the prompt."""
        began = time.monotonic()
        self._reply, self._said, self._interrupts = None, False, 0
        try:
            receipt = await inbox.accept(message)
        except GituError as error:
            self._screen.error(error.message, error.hint)
            return
        done = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._finish, inbox, receipt.id, done)
            while not done.is_set() and self._interrupts < 2 and not self._leaving:
                if self._talk.asks:
                    await self._ask(inbox, done)
                else:
                    await self._watch(inbox, done)
            tasks.cancel_scope.cancel()
        self._close(done.is_set(), time.monotonic() - began)

    async def _finish(self, inbox: Inbox, id: str, done: anyio.Event) -> None:
        await inbox.finished(id)
        done.set()
        self._wake.set()

    def _close(self, finished: bool, seconds: float) -> None:
        self._screen.flush()
        if not finished:
            self._screen.note("It goes on in the background." if not self._leaving else "")
        elif self._reply is not None:
            error = self._reply.error
            if error is not None and not self._said:
                self._screen.error(error.message, error.hint)
            self._screen.footer(self._reply, seconds)

    async def _watch(self, inbox: Inbox, done: anyio.Event) -> None:
        """Shows the work until it ends, a question comes, or Ctrl-C is pressed."""
        self._wake = anyio.Event()
        if done.is_set() or self._talk.asks:
            return
        with self._screen.working("stopping" if self._interrupts else "thinking"), self._keys(self._interrupt):
            await self._wake.wait()
            if self._interrupts == 1 and not done.is_set() and not self._talk.asks:
                self._screen.status("stopping; Ctrl-C again goes back to the prompt")
                await inbox.accept(self._talk.words("/stop"))

    def _interrupt(self) -> None:
        self._interrupts += 1
        self._wake.set()

    @contextmanager
    def _keys(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Listens to the keyboard while a turn runs: Ctrl-C calls *interrupt*, the rest waits for the next
        prompt.
        """
        source = self._session.app.input
        typed: list[KeyPress] = []

        def take(pressed: list[KeyPress]) -> None:
            for press in pressed:
                if press.key == Keys.ControlC:
                    interrupt()
                else:
                    typed.append(press)

        with source.raw_mode(), source.attach(lambda: take(source.read_keys())):
            take(get_typeahead(source))  # pressed right after Enter, before anybody listened here
            try:
                yield
            finally:
                store_typeahead(source, typed)

    async def _ask(self, inbox: Inbox, done: anyio.Event) -> None:
        """Takes the answer to an open question while its turn waits for it."""
        with anyio.move_on_after(_PARKING):
            await done.wait()
        if done.is_set():
            return
        text = await self._read_until(done)
        if done.is_set():
            return
        if not text:  # Ctrl-D or Ctrl-C: nothing is allowed, the turn is stopped
            self._leaving = text is None
            self._talk.asks.clear()
            self._interrupts = 1
            await inbox.accept(self._talk.words("/stop"))
        elif self._talk.answer_in(text) is not None or built_in(text):
            await inbox.accept(self._talk.message(built_in(text) or text))
        else:
            choices = choices_of(next(iter(self._talk.asks.values())))
            self._screen.note(f"Please answer {' or '.join(choices)}; Ctrl-C stops the turn.")

    # ---- input ---------------------------------------------------------------------------------------------

    async def _read_until(self, done: anyio.Event) -> str | None:
        """What is typed as an answer; given up when *done* is set."""
        text: str | None = ""

        async def stop() -> None:
            await done.wait()
            self._left_over = self._answers.default_buffer.text
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop)
            text = await self._read(_ANSWER, self._answers)
            tasks.cancel_scope.cancel()
        return text

    async def _read(self, prompt: tuple[str, str], session: PromptSession[str] | None = None) -> str | None:
        """One entry; ``""`` for Ctrl-C, None for Ctrl-D.

        What is printed meanwhile appears above the prompt.
        """
        default, self._left_over = self._left_over, ""
        with patch_stdout(raw=True):
            try:
                return await (session or self._session).prompt_async(
                    [prompt], default=default, set_exception_handler=False
                )
            except KeyboardInterrupt:
                return ""
            except EOFError:
                return None
