"""The program on a real pseudo-terminal: colours where they may be, plain where they may not."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .test_plain import HERE, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")


class Session:
    """A program and the terminal it runs on."""

    def __init__(self, terminal: int, program: subprocess.Popen[bytes]) -> None:
        self.terminal = terminal
        self.program = program
        self.shown = ""

    def type(self, text: str) -> None:
        """Presses keys."""
        os.write(self.terminal, text.encode())

    def see(self, text: str) -> str:
        """Waits until the terminal shows *text*; gives all that it showed."""
        end = time.monotonic() + 15
        while text not in self.shown:
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} was not shown:\n{self.shown}"
            try:
                data = os.read(self.terminal, 65536)
            except OSError:  # the other side is closed
                data = b""
            assert data, f"it ended without {text!r}:\n{self.shown}"
            self.shown += data.decode("utf-8", "replace")
        return self.shown


def signals_as_usual() -> None:
    """What a job in the background ignores, it hands down: a test that sends signals must not depend on it."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def session(tmp_path: Path, **extra: str) -> Iterator[Session]:
    """The program on a terminal of its own, killed at the end."""
    import pty

    terminal, other = pty.openpty()
    env = {**environment(), "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **extra}
    if not extra.get("NO_COLOR"):
        env.pop("NO_COLOR", None)
    program = subprocess.Popen(
        [sys.executable, str(HERE / "core.py"), str(tmp_path / "history")],
        stdin=other, stdout=other, stderr=other, env=env, start_new_session=True,
        preexec_fn=signals_as_usual,
    )  # fmt: skip
    os.close(other)
    try:
        yield Session(terminal, program)
    finally:
        if program.poll() is None:
            program.kill()
        program.wait()
        os.close(terminal)


def test_a_chat_at_a_keyboard_has_colours_and_ends_with_ctrl_d(tmp_path: Path) -> None:
    """The terminal is left as it was found."""
    import termios

    with session(tmp_path) as at:
        before = termios.tcgetattr(at.terminal)
        at.see("Ctrl-D leaves")
        at.type("hello\r")
        shown = at.see("test/model")
        assert "echo: hello" in shown
        assert "\x1b[1;36mGitu" in shown
        at.type("slow\r")
        at.see("thinking")
        at.type("\x03")
        at.see("Stopped.")
        at.type("\x04")
        assert at.program.wait(timeout=10) == 0
        assert termios.tcgetattr(at.terminal)[3] == before[3]


@pytest.mark.parametrize("extra", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_keyboard_without_colours_gets_plain_lines(tmp_path: Path, extra: dict[str, str]) -> None:
    """Not one escape sequence; a prompt shows that it is one's turn."""
    with session(tmp_path, **extra) as at:
        at.see("> ")
        at.type("hello\n")
        at.see("echo: hello")
        at.type("\x04")
        assert at.program.wait(timeout=10) == 0
        assert "\x1b" not in at.shown


def test_a_hang_up_does_not_leave_the_program_behind(tmp_path: Path) -> None:
    """Closing the window ends it."""
    with session(tmp_path) as at:
        at.see("Ctrl-D leaves")
        at.program.send_signal(signal.SIGHUP)
        at.program.wait(timeout=10)
