"""Plain mode through real pipes: a line in, an answer out, and nothing else on standard output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def environment(**extra: str) -> dict[str, str]:
    """The environment of a program that finds the packages of this repository."""
    path = os.pathsep.join([str(ROOT), str(HERE.parent / "src")])
    return {**os.environ, "PYTHONPATH": path, **extra}


def pipe(data: bytes, **extra: str) -> subprocess.CompletedProcess[bytes]:
    """Runs the program with *data* on its standard input."""
    return subprocess.run(
        [sys.executable, str(HERE / "core.py")],
        input=data,
        capture_output=True,
        env=environment(**extra),
        timeout=30,
        check=False,
    )


def test_each_line_is_answered_in_order_and_then_it_ends() -> None:
    """Also a last line without its end; empty lines say nothing; nothing is written to standard error."""
    result = pipe(b"one\n\n  \ntwo\r\nthree")
    assert result.stdout.decode().splitlines() == ["echo: one", "echo: two", "echo: three"]
    assert (result.returncode, result.stderr) == (0, b"")


def test_no_input_at_all_is_a_clean_end() -> None:
    """As in ``gitu chat < /dev/null``."""
    result = pipe(b"")
    assert (result.stdout, result.stderr, result.returncode) == (b"", b"", 0)


def test_broken_bytes_are_replaced_and_a_mark_at_the_start_is_dropped() -> None:
    """Whatever the encoding of the file was."""
    result = pipe(b"\xef\xbb\xbfcaf\xe9 \xff\x00x\n\xf0\x9f\x99\x82\n", PYTHONIOENCODING="utf-8")
    assert result.stdout.decode() == "echo: caf\ufffd \ufffd\u2400x\necho: 🙂\n"


def test_an_output_that_lacks_letters_gets_question_marks() -> None:
    """An old code page must not end the chat."""
    result = pipe("grüße 🙂\n".encode(), PYTHONIOENCODING="ascii")
    assert (result.stdout, result.returncode) == (b"echo: gr??e ?\n", 0)


def test_a_very_long_line_passes_whole() -> None:
    """Three megabytes; no limit of a terminal applies to a pipe."""
    line = b"x" * 3_000_000
    assert pipe(line + b"\nnext\n").stdout == b"echo: " + line + b"\necho: next\n"


def test_words_with_and_without_slash_work_and_exit_ends() -> None:
    """The terminal adds its own words to Gitu's help; ``clear`` has nothing to clear."""
    lines = pipe(b"help\nclear\n/status\nstatus\nEXIT\nnever\n").stdout.decode().splitlines()
    assert lines[0] == "/help - what you can say"
    assert lines[1:3] == ["/clear - clear the screen", "/exit - leave"]
    assert lines[3:] == ["echo: /status", "echo: /status"]


def test_a_question_is_answered_by_the_next_line() -> None:
    """Its turn waits meanwhile; what steers a terminal or reorders letters is made visible."""
    lines = pipe(b"mail\nmaybe later\n2\nmail\nY\nafter\n", PYTHONIOENCODING="utf-8").stdout.decode().splitlines()
    assert lines[:3] == ["May I send it?", "  to: bob\u241b[2J\ufffd", "  [1] yes  [2] no"]
    assert "echo: maybe later" in lines
    assert [line for line in lines if line.startswith("decided")] == ["decided: no", "decided: yes"]
    assert lines[-1] == "echo: after"


def test_an_end_of_input_at_an_open_question_allows_nothing() -> None:
    """The turn is stopped, and standard error says why."""
    result = pipe(b"mail\n")
    assert result.stdout.decode().splitlines()[-1] == "Stopped."
    assert b"the input ended while a question was open" in result.stderr
    assert result.returncode == 0


def test_errors_without_an_answer_go_to_standard_error_with_the_next_step() -> None:
    """Answers stay alone on standard output."""
    result = pipe(b"fail\nrefuse\nfine\n")
    assert result.stdout == b"echo: fine\n"
    assert result.stderr.decode().splitlines() == [
        "gitu: no model can be used (next: set a key)",
        "gitu: this cannot be taken (next: say something else)",
    ]


def test_streamed_words_are_written_once_whole() -> None:
    """Also where the final answer differs from what streamed."""
    from .core import POEM

    assert pipe(b"stream\nstream other\n").stdout.decode() == f"{POEM}\nSomething else.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGPIPE there")
def test_a_closed_output_ends_it_cleanly() -> None:
    """As in ``gitu chat | head -1``: no traceback, no complaint of Python at its exit."""
    program = subprocess.Popen(
        [sys.executable, str(HERE / "core.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )  # fmt: skip
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdin.write(b"one\n")
    program.stdin.flush()
    assert program.stdout.readline() == b"echo: one\n"
    program.stdout.close()
    program.stdin.write(b"two\nthree\n")
    program.stdin.flush()
    assert program.wait(timeout=10) == 0
    assert program.stderr.read() == b""


def test_importing_the_plugin_loads_no_screen_library() -> None:
    """Neither for the adapter's data nor for the whole plain mode."""
    code = (
        "import sys, gitu_terminal, types\n"
        "host = types.SimpleNamespace(config={})\n"
        "print(gitu_terminal.gitu_adapters(host)[0].channel.name)\n"
        "import gitu_terminal.plain\n"
        "print([m for m in ('rich', 'prompt_toolkit', 'pydantic', 'pygments') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert result.stdout.split() == ["terminal", "[]"]
