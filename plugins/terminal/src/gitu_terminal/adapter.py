"""The adapter: chooses between the plain front and the interactive one, and hands everything to it."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from gitu_core import Account, Conversation, Delivery, Outgoing, TurnEvent
from gitu_core.contracts import Channel, Health, Inbox
from gitu_terminal.talk import Talk

NAME = "terminal"


class Front(Protocol):
    """One way to talk to the person at the terminal."""

    async def run(self, inbox: Inbox) -> None:
        """Reads until the input ends or the person leaves."""
        ...

    async def say(self, outgoing: Outgoing) -> None:
        """Shows an outgoing message. `OSError` where the terminal is gone."""
        ...

    async def event(self, event: TurnEvent) -> None:
        """Shows what happens in a turn."""
        ...


class Terminal:
    """The terminal of this process.

    It is *blind*: what was written cannot be taken back, and nobody can ask a screen what it showed. *config*
    may hold ``conversation`` (its name, also ``GITU_SESSION``) and ``history`` (a file for what was typed;
    empty = none).
    """

    def __init__(self, config: Mapping[str, Any] | None = None, front: Front | None = None) -> None:
        self.channel = Channel(
            name=NAME, delivery="blind", markdown=True, buttons=True, streams=True, trusted=True, foreground=True
        )
        self._config = dict(config or {})
        self._front = front
        self._gone = ""

    async def receive(self, inbox: Inbox) -> None:
        """Hands over what is typed, message by message; returns when the input ends or the person leaves."""
        await self._shown_on().run(inbox)

    async def send(self, outgoing: Outgoing) -> Delivery:
        """Shows it. A terminal that is gone may have shown a part, so that the outcome is unknown."""
        if self._gone:
            return Delivery("not_sent", final=True, detail=self._gone)
        try:
            await self._shown_on().say(outgoing)
        except OSError as error:
            self._gone = f"the terminal is gone: {error.strerror or error}"
            return Delivery("unknown", detail=self._gone)
        return Delivery("sent")

    async def verify(self, outgoing: Outgoing) -> Delivery:
        """Nobody can tell what a screen showed."""
        return Delivery("unknown")

    async def show(self, conversation: Conversation, event: TurnEvent) -> None:
        """Shows partial words and tools at work, where there is a screen."""
        if not self._gone:
            await self._shown_on().event(event)

    async def health(self) -> Health:
        """Failed once the output is closed."""
        if self._gone:
            return Health("failed", self._gone, "start it again in a terminal")
        return Health("ok")

    def _shown_on(self) -> Front:
        """The front; made on first use, because an answer of an earlier run may come before `receive`."""
        if self._front is None:
            self._front = make_front(self._config)
        return self._front


def make_front(config: Mapping[str, Any]) -> Front:
    """The front that fits this process: interactive at a keyboard and a screen, plain otherwise."""
    name = os.environ.get("GITU_SESSION") or str(config.get("conversation") or "default")
    talk = Talk(Conversation(channel=NAME, id=name), Account(channel=NAME, id=user_name(), name=user_name()))
    if not is_interactive():
        from gitu_terminal.plain import PlainFront

        return PlainFront(talk)
    from gitu_terminal.interactive import InteractiveFront

    return InteractiveFront(talk, history=history_file(config))


def is_interactive(environ: Mapping[str, str] = os.environ) -> bool:
    """True at a keyboard and a screen, unless ``NO_COLOR`` or ``TERM=dumb`` asks for less."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    try:
        return sys.stdin.isatty() and sys.stdout.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False


def user_name() -> str:
    """The name of the person who is logged in, or ``local``."""
    try:
        return getpass.getuser() or "local"
    except (OSError, KeyError, ImportError):  # no such user in a container; no module for it on Windows
        return "local"


def history_file(config: Mapping[str, Any]) -> Path | None:
    """Where typed lines are kept: the setting, else a file in Gitu's home folder. None: they are not kept."""
    if "history" in config:
        return Path(str(config["history"])).expanduser() if config["history"] else None
    home = os.environ.get("GITU_HOME")
    if home:
        return Path(home).expanduser() / "terminal_history"
    from platformdirs import user_data_path

    return user_data_path("gitu", appauthor=False) / "terminal_history"
