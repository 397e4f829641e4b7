"""What the interactive front draws: answers as Markdown, tools as dim lines, errors in red with the next
step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text as Line
from rich.theme import Theme

from gitu_core import Ask, ToolCall, ToolFinished
from gitu_core.contracts import Progress
from gitu_terminal.text import choices_of, clean, strict

if TYPE_CHECKING:
    from gitu_core import Reply

_LINE_END = re.compile(r"(?<=\S)[ \t]*\n(?=[ \t]*\S)")
_FENCE = re.compile(r"(^[ \t]*(?:```|~~~).*?(?:^[ \t]*(?:```|~~~)[ \t]*$|\Z))", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`[^`\n]*`)")
_TIMES = re.compile(r"(?<=[0-9)])\*{1,2}(?=[0-9(])")
_THEME = Theme({"markdown.code": "bold cyan", "markdown.code_block": "cyan"})  # no background: screens may be light
_BLOCK_END = re.compile(r"\n[ \t]*\n+(?=\S)")
INDENT = (0, 1, 0, 2)


class Screen:
    """Draws on a rich console. Between `working` and its end a line at the bottom shows what goes on."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console if console is not None else Console(highlight=False)
        self.console.push_theme(_THEME)
        plain = not self.console.encoding.lower().startswith("utf")
        self._marks = ("+", "x", "-") if plain else ("✓", "✗", "·")
        self._spinner = Spinner("line" if plain else "dots", style="cyan")
        self._status = ""
        self._streamed = ""
        self._tail = ""
        self._live: Live | None = None

    # ---- while a turn runs ---------------------------------------------------------------------------------

    @contextmanager
    def working(self, status: str = "thinking") -> Iterator[None]:
        """Shows a moving line, and above it the words that come, until the end of the block."""
        self.status(status)
        live = Live(
            console=self.console,
            get_renderable=self._frame,
            refresh_per_second=12,
            transient=True,
            vertical_overflow="crop",
        )
        with live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def status(self, text: str) -> None:
        """Changes what the moving line says."""
        self._status = clean(text)

    def _frame(self) -> RenderableType:
        self._spinner.update(text=Line(f" {self._status}", style="dim", overflow="ellipsis", no_wrap=True))
        line = Padding(self._spinner, INDENT)
        return Group(Padding(_markdown(self._visible_tail()), INDENT), line) if self._tail.strip() else line

    def _visible_tail(self) -> str:
        """The end of what has come: more than the screen holds would not be seen anyway."""
        rows = max(3, self.console.size.height - 4)
        return "\n".join(self._tail.splitlines()[-rows:])

    def words(self, text: str, reset: bool = False) -> None:
        """More words of the answer. Finished paragraphs are printed for good."""
        if reset and self._streamed:
            self._print(Line(f"{self._marks[2]} begun again", style="dim"))
            self._streamed = self._tail = ""
        text = clean(text)
        self._streamed += text
        self._tail += text
        while (cut := _block_end(self._tail)) is not None:
            self._block(self._tail[:cut])
            self._tail = self._tail[cut:].lstrip("\n")

    def tool_started(self, call: ToolCall) -> None:
        """The moving line names the tool."""
        self.flush()
        self.status(f"{call.tool} {arguments_of(call)}".rstrip())

    def progress(self, event: Progress) -> None:
        """The moving line says how far the work is."""
        share = f" {event.fraction:.0%}" if event.fraction is not None else ""
        self.status(f"{event.text}{share}")

    def tool_finished(self, event: ToolFinished) -> None:
        """One dim line a tool: what it was called with, how it ended, how long it took."""
        good = event.result.status == "ok"
        line = Line()
        line.append(self._marks[0 if good else 1], style="green" if good else "red")
        line.append(f" {clean(event.call.tool)} ", style="bold dim")
        line.append(arguments_of(event.call), style="dim")
        line.append(f"  {event.seconds:.1f} s", style="dim")
        self._print(line)
        if not good and event.result.error is not None:
            # One line, without the next step: the answer that follows tells the person what to do.
            self._print(Line(f"  {clean(event.result.error.message)}", style="dim red"))
        self.status("thinking")

    # ---- for good ------------------------------------------------------------------------------------------

    def answer(self, text: str, markdown: bool) -> None:
        """The answer in full. If it was streamed, only its end is left to print."""
        if self._streamed and text.strip() == self._streamed.strip():
            self.flush()
            return
        was_streamed, self._streamed, self._tail = bool(self._streamed), "", ""
        if text.strip():
            self._block(text, markdown or was_streamed)

    def flush(self) -> None:
        """Prints what has streamed so far."""
        if self._tail.strip():
            self._block(self._tail)
        self._streamed = self._tail = ""

    def _block(self, text: str, markdown: bool = True) -> None:
        self._print(_markdown(text) if markdown else Line(text.strip("\n")))
        self.console.print()

    def ask(self, ask: Ask, number: int, several: bool) -> None:
        """A question in a frame, with its details as they are and every choice."""
        body = Line(strict(ask.question), style="bold")
        if ask.details:
            body.append(f"\n{strict(ask.details)}", style="not bold")
        body.append("\n\n")
        for n, each in enumerate(choices_of(ask), 1):
            body.append(f"[{n}] ", style="not bold cyan")
            body.append(f"{strict(each)}   ", style="cyan")
        title = f"Question {number}" if several else "Question"
        self.console.print(Panel(body, title=title, title_align="left", border_style="yellow", padding=(0, 1)))

    def error(self, message: str, hint: str = "") -> None:
        """What went wrong, in red, and the next step."""
        line = Line(f"{self._marks[1]} {clean(message)}", style="red")
        if hint:
            line.append(f"\n  next: {clean(hint)}", style="yellow")
        self._print(line)

    def note(self, text: str) -> None:
        """Something by the way, dim."""
        self._print(Line(clean(text), style="dim"))

    def footer(self, reply: Reply, seconds: float) -> None:
        """A dim line about the turn: the model, the time, the tokens."""
        if reply.status == "failed":
            self.error("the turn failed")
        tokens = reply.usage.input_tokens + reply.usage.output_tokens
        facts = [reply.model, f"{seconds:.1f} s", f"{tokens} tokens" if tokens else ""]
        if reply.model:
            self.note(f" {self._marks[2]} ".join(fact for fact in facts if fact))
            self.console.print()

    def banner(self) -> None:
        """The first lines."""
        title = Line("Gitu", style="bold cyan")
        title.append("  type a message; /help lists commands, Ctrl-D leaves", style="not bold dim")
        self.console.print(title)
        self.console.print()

    def clear(self) -> None:
        """An empty screen."""
        self.console.clear()

    def _print(self, what: RenderableType) -> None:
        self.console.print(Padding(what, INDENT))


class _Trimmed:
    """Rendered Markdown without the empty lines that its elements put around themselves."""

    def __init__(self, text: str) -> None:
        self._markdown = Markdown(as_written(text), code_theme="ansi_dark", hyperlinks=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._markdown, options, pad=False)
        filled = [n for n, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
        for line in lines[filled[0] : filled[-1] + 1] if filled else ():
            yield from line
            yield Segment.line()


def as_written(text: str) -> str:
    """Markdown that keeps what a chat means as it was written: the ends of lines, and 2*3*4, which is no emphasis."""
    return "".join(part if n % 2 else _prose(part) for n, part in enumerate(_FENCE.split(text)))


def _prose(text: str) -> str:
    pieces = _CODE.split(_LINE_END.sub("  \n", text))
    return "".join(
        piece if n % 2 else _TIMES.sub(lambda found: "\\*" * len(found[0]), piece) for n, piece in enumerate(pieces)
    )


def _markdown(text: str) -> RenderableType:
    return _Trimmed(text)


def _block_end(text: str) -> int | None:
    """Where the first block of Markdown ends for certain, or None: never inside a fence or a list item."""
    for found in _BLOCK_END.finditer(text):
        if len(re.findall(r"^\s*(?:```|~~~)", text[: found.start()], re.MULTILINE)) % 2 == 0:
            return found.end()
    return None


def arguments_of(call: ToolCall) -> str:
    """The arguments of a call in one short line."""
    said = ", ".join(f"{name}={value!r}" if isinstance(value, str) else f"{name}={value}"
                     for name, value in call.arguments.items())  # fmt: skip
    said = clean(" ".join(said.split()))
    return said if len(said) <= 60 else f"{said[:57]}..."
