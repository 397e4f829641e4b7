"""What the runtime is handed for one turn, and how others watch it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from gitu_core.config import Profile
from gitu_core.contracts.ports import Approval, Record
from gitu_core.model import Conversation, ModelMessage, ToolSpec, TurnEvent, TurnInfo

if TYPE_CHECKING:
    from gitu_core.runtime.turn import Turn

Emit = Callable[[TurnEvent], Awaitable[None]]
"""Shows an event of a running turn; losing one loses nothing."""


Profiles = Callable[[str], Profile]
"""A profile by its name."""


async def silent(event: TurnEvent) -> None:
    """Shows nothing."""


@dataclass
class Work:
    """One turn to run. `check` makes structured output of the model's JSON (raising `ValueError` if it does not fit),
    `deps` is what the embedder hands to its own tools, `depth` how many profiles called each other to get here, `outer`
    the turn that this one is run inside of, `turn` the turn once it runs; `scope` stops it. `parks`: where a yes is
    needed, the turn waits for it outside of memory; `approvals` are the questions that it asked earlier, `worker` is
    who goes on with a turn that was cut off (empty: the process that was in it, since the store failed), `again` tells
    that there is something to go on with; `kept` collects what is recorded; `given` stands for a message that may not
    be on disk yet (see `Landing`); `tools` are those that the message brought."""

    info: TurnInfo
    person: str
    ask: ModelMessage
    profile: Profile
    conversation: Conversation | None = None
    emit: Emit = silent
    schema: dict[str, Any] | None = None
    check: Callable[[Any], Any] | None = None
    deps: Any = None
    depth: int = 0
    path: tuple[str, ...] = field(default_factory=tuple)
    outer: Turn | None = None
    turn: Turn | None = None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    parks: bool = False
    approvals: Sequence[Approval] = ()
    worker: str | None = None
    again: bool = False
    kept: list[Record] = field(default_factory=list)
    given: Any = None
    root: str = ""
    message: str = ""
    tools: tuple[ToolSpec, ...] = ()

    def __post_init__(self) -> None:
        self.root, self.message = self.root or self.info.id, self.message or self.info.cause
