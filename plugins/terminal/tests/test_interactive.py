"""The interactive front, typed at through prompt_toolkit's pipe, drawn on a rich console that records."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from gitu_core import Account, Conversation, Outgoing, Text
from gitu_terminal.adapter import Terminal
from gitu_terminal.editing import BuiltIns, open_history
from gitu_terminal.interactive import InteractiveFront
from gitu_terminal.screen import Screen
from gitu_terminal.talk import Talk

from .core import Core

pytestmark = pytest.mark.anyio

CHAT = Conversation(channel="terminal", id="default")


class Desk:
    """A person at a terminal."""

    def __init__(self, keys: PipeInput, core: Core, screen: io.StringIO) -> None:
        self.keys = keys
        self.core = core
        self.screen = screen
        self.left = anyio.Event()

    def type(self, text: str) -> None:
        """Presses keys; ``\\r`` is Enter, ``\\x03`` Ctrl-C, ``\\x04`` Ctrl-D."""
        self.keys.send_text(text)

    async def see(self, text: str, times: int = 1) -> str:
        """Waits until the screen shows *text*; gives all of the screen."""
        with anyio.fail_after(5):
            while self.screen.getvalue().count(text) < times:  # noqa: ASYNC110 (a string tells nobody)
                await anyio.sleep(0.005)
        return self.screen.getvalue()

    async def said(self, count: int) -> None:
        """Waits until the core has *count* messages."""
        with anyio.fail_after(5):
            while len(self.core.log) < count:  # noqa: ASYNC110
                await anyio.sleep(0.005)


@asynccontextmanager
async def desk(history: Path | None = None) -> AsyncIterator[Desk]:
    """A running chat, left with Ctrl-D at the end."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=80, height=30, color_system=None, highlight=False)
    with create_pipe_input() as keys:
        front = InteractiveFront(
            Talk(CHAT, Account(channel="terminal", id="ana")),
            history=history,
            input=keys,
            output=DummyOutput(),
            screen=Screen(console),
        )
        adapter = Terminal(front=front)
        async with anyio.create_task_group() as tasks:
            found = Desk(keys, Core(adapter, tasks), written)

            async def receive() -> None:
                await adapter.receive(found.core)
                found.left.set()

            tasks.start_soon(receive)
            yield found
            found.type("\x04")
            with anyio.fail_after(5):
                await found.left.wait()
            tasks.cancel_scope.cancel()


async def test_a_message_is_answered_and_the_turn_summed_up() -> None:
    """With the model's name in the last line."""
    async with desk() as at:
        at.type("hello\r")
        shown = await at.see("test/model")
    assert "echo: hello" in shown
    assert "Ctrl-D leaves" in shown


async def test_words_stream_as_markdown_and_are_printed_once() -> None:
    """A fence with an empty line inside stays whole; the tool leaves a line."""
    async with desk() as at:
        at.type("stream\r")
        await at.see("test/model")
        final = _settled(at.screen.getvalue())
    assert "✓ search query='roses'  0.2 s" in final
    assert [final.count(words) for words in ("Roses are red", "• two", "more", "The end.")] == [1, 1, 1, 1]


async def test_an_answer_that_differs_from_what_streamed_is_shown_in_full() -> None:
    """What counts is what was sent."""
    async with desk() as at:
        at.type("stream other\r")
        await at.see("Something else.")


async def test_ctrl_c_stops_the_running_turn() -> None:
    """As the command ``/stop``; what was typed meanwhile is in the next prompt."""
    async with desk() as at:
        at.type("slow\r")
        await at.see("thinking")
        at.type("next")
        at.type("\x03")
        await at.see("Stopped.")
        at.type(" one\r")
        await at.see("echo: next one")
    assert [each.text for each in at.core.log] == ["slow", "/stop", "next one"]


async def test_ctrl_c_at_the_prompt_clears_the_line_and_stays() -> None:
    """Only Ctrl-D leaves."""
    async with desk() as at:
        at.type("never mind\x03")
        at.type("hello\r")
        await at.see("echo: hello")
    assert [each.text for each in at.core.log] == ["hello"]


@pytest.mark.parametrize(("typed", "choice"), [("yes\r", "yes"), ("2\r", "no"), ("what?\rn\r", "no")])
async def test_a_question_is_shown_whole_and_answered_by_a_word(typed: str, choice: str) -> None:
    """Its details cannot disguise themselves."""
    async with desk() as at:
        at.type("mail\r")
        shown = await at.see("[2] no")
        at.type(typed)
        await at.see(f"decided: {choice}")
    assert "May I send it?" in shown
    assert "to: bob\u241b[2J\ufffd" in shown
    assert at.core.choices == [choice]


async def test_leaving_a_question_allows_nothing() -> None:
    """Ctrl-C stops the turn that asks."""
    async with desk() as at:
        at.type("mail\r")
        await at.see("[2] no")
        await anyio.sleep(0.15)
        at.type("\x03")
        await at.see("Stopped.")
    assert at.core.choices == []


async def test_several_lines_are_one_message() -> None:
    """Alt-Enter, or a backslash at the end of a line."""
    async with desk() as at:
        at.type("one\x1b\rtwo\\\rthree\r")
        await at.see("echo: one")
    assert at.core.log[0].text == "one\ntwo\nthree"


async def test_built_ins_run_and_help_adds_the_keys() -> None:
    """``clear`` stays here, ``help`` is answered by Gitu first."""
    async with desk() as at:
        at.type("clear\r")
        at.type("help\r")
        shown = await at.see("Alt-Enter")
    assert shown.index("/help - what you can say") < shown.index("/clear - clear the screen")
    assert [each.text for each in at.core.log] == ["/help"]


async def test_errors_are_shown_with_the_next_step() -> None:
    """Whether the turn failed or the message was refused."""
    async with desk() as at:
        at.type("fail\r")
        assert "✗ no model can be used" in (await at.see("next: set a key"))
        at.type("refuse\r")
        assert "✗ this cannot be taken" in (await at.see("next: say something else"))


async def test_something_said_of_its_own_accord_appears_while_nobody_asked() -> None:
    """Above the prompt."""
    async with desk() as at:
        await at.see("Ctrl-D leaves")
        out = Outgoing(id="n", key="n", conversation=CHAT, parts=(Text("Your **tea** is ready.", "markdown"),))
        assert (await at.core.adapter.send(out)).state == "sent"
        assert "Your tea is ready." in at.screen.getvalue()


async def test_what_is_typed_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    """Answers to questions are not."""
    file = tmp_path / "home" / "history"
    async with desk(file) as at:
        at.type("mail\r")
        await at.see("[2] no")
        await anyio.sleep(0.15)
        at.type("yes\r")
        await at.see("decided: yes")
    assert "+mail" in file.read_text()
    assert "yes" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


async def test_a_history_that_cannot_be_kept_is_reported_and_done_without(tmp_path: Path) -> None:
    """A folder stands in its place."""
    said: list[str] = []
    assert isinstance(open_history(tmp_path, said.append), InMemoryHistory)
    assert "is not kept" in said[0]


def test_built_ins_are_completed_with_their_meaning() -> None:
    """Only at the beginning of an entry."""
    found = list(BuiltIns().get_completions(Document("/se"), CompleteEvent()))
    assert [each.text for each in found] == ["/session", "/sessions"]
    assert found[0].display_meta_text == "this session"
    assert not list(BuiltIns().get_completions(Document("go to /se"), CompleteEvent()))


def _settled(written: str) -> str:
    """What stays on the screen: lines that the moving part wiped are left out."""
    lines: list[str] = []
    for piece in written.replace("\r", "").split("\n"):
        wiped = piece.count("\x1b[2K")
        if wiped:
            ups = piece.count("\x1b[1A")
            del lines[len(lines) - ups :]
            piece = piece.rpartition("\x1b[2K")[2]
        lines.append(piece)
    return "\n".join(lines)
