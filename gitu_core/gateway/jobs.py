"""A message on its way through its lane, and those who wait for what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio

from gitu_core.contracts.ports import InboxEntry
from gitu_core.model import Reply, TurnEvent, TurnInfo


@dataclass
class Options:
    """What an embedder asks for with a message and no channel can: structured output, dependencies, a profile."""

    schema: dict[str, Any] | None = None
    check: Callable[[Any], Any] | None = None
    deps: Any = None
    profile: str = ""
    watch: Callable[[TurnEvent], None] | None = None


@dataclass
class Job:
    """One accepted message, to be answered by *profile*. `done` is set when `reply` or `failure` is there."""

    id: str
    entry: InboxEntry
    profile: str
    options: Options = field(default_factory=Options)
    done: anyio.Event = field(default_factory=anyio.Event)
    reply: Reply | None = None
    failure: Exception | None = None
    scope: anyio.CancelScope | None = None
    stopped: bool = False
    turn: TurnInfo | None = None

    def stop(self) -> None:
        """Stops the turn, or keeps it from starting."""
        self.stopped = True
        if self.scope is not None:
            self.scope.cancel()
