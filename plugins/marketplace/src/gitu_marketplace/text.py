"""What others wrote, made fit for a terminal, and the question whether something may be done."""

from __future__ import annotations

import signal
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import current_thread, main_thread

from gitu_core.errors import Denied

ELSEWHERE: ContextVar[tuple[str, ...] | None] = ContextVar("elsewhere", default=None)
"""What somebody who sits at no terminal was shown and said yes to; None where the terminal is asked."""


def clean(text: str, most: int = 300) -> str:
    """*text* on one line without anything that steers a terminal or turns the direction of writing."""
    kept = "".join(" " if each.isspace() else each for each in text[: most * 4] if _shown(each))
    kept = " ".join(kept.split())
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def plain(text: str) -> bool:
    """True if a terminal shows every character of *text*."""
    return all(_shown(each) and (each == " " or not each.isspace()) for each in text)


def _shown(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def consent(shown: list[str], question: str, yes: bool) -> None:
    """Shows what is about to happen and waits for a yes. `Denied` where nobody can be asked or somebody says no; with
    what was to be `shown` where a yes is given elsewhere, and was not yet given to exactly that."""
    if (agreed := ELSEWHERE.get()) is not None:
        if yes or agreed == tuple(shown):
            return
        raise Denied("this needs a yes", hint=question, shown=tuple(shown))
    print("\n".join(shown), file=sys.stderr)
    if yes:
        return
    if not sys.stdin.isatty():
        raise Denied(f"{question} Nobody can be asked here", hint="look at the list above, then repeat with --yes")
    with interruptible():
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        said = sys.stdin.readline().strip().lower()
    if said not in ("y", "yes"):
        raise Denied("nothing was changed", hint="say y to go on")


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, Ctrl-C ends what waits for a person or for another program, although an event loop is around it."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
