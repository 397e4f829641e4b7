"""The steps of a turn. They are only ever appended; what a turn knows is a fold over them, never a re-run."""

from __future__ import annotations

from typing import Literal

import msgspec

from gitu_core.model.base import Value
from gitu_core.model.chat import ModelMessage, ModelRequest, Usage
from gitu_core.model.label import UNLABELLED, Label
from gitu_core.model.tooling import ErrorInfo, ToolCall, ToolResult
from gitu_core.model.turn import Reply, TurnInfo

STEPS_VERSION = 3
"""1: the first. 2: a turn can wait for a person (`Parked`, `CallAnswered`) and goes on after a crash (`Resumed`); ids
follow from the turn's. 3: decisions say where values came from and rest on what was looked up. A stored turn names the
version that wrote it."""


class Begun(Value, frozen=True, tag="begun", tag_field="type"):
    """A turn begins; `ask` is the id of the message it answers, `label` who influenced it so far, `seen` the
    newest message (its id) of its session then: what was said later is not in its context, however long it waits."""

    info: TurnInfo
    ask: str
    label: Label = UNLABELLED
    version: int = 0
    seen: str = ""


class ModelAsked(Value, frozen=True, tag="model_asked", tag_field="type"):
    """A model is about to be asked; `estimate` is the worst case in nano-dollars, `label` joins all that it will read.
    No request is ever stored whole: `filtered` is what filters made of it, where they changed it, and what they left as
    it was stands in there by its id or name only."""

    model: str
    credential: str = ""
    estimate: int | None = None
    digest: str = ""
    label: Label = UNLABELLED
    filtered: ModelRequest | None = None


class ModelAnswered(Value, frozen=True, tag="model_answered", tag_field="type"):
    """A model answered in full. It is never asked the same again."""

    message: ModelMessage
    usage: Usage
    model: str
    reason: str = "stop"
    seconds: float = 0.0
    last_resort: bool = False


class ModelFailed(Value, frozen=True, tag="model_failed", tag_field="type"):
    """A model did not answer; the next candidate is tried. `usage` is what it cost all the same, by estimate."""

    model: str
    error: ErrorInfo
    usage: Usage = Usage()


class CallDecided(Value, frozen=True, tag="call_decided", tag_field="type"):
    """The policy decided about a call; its arguments are frozen from here on. `grant` is the id of the permission it
    rests on, `sources` say where the arguments came from."""

    call: ToolCall
    verdict: Literal["allow", "ask", "deny"]
    reason: str = ""
    grant: str = ""
    sources: dict[str, str] = msgspec.field(default_factory=dict)


class CallStarted(Value, frozen=True, tag="call_started", tag_field="type"):
    """A call that acts is about to be dispatched under this idempotency key."""

    call: str
    key: str


class CallFinished(Value, frozen=True, tag="call_finished", tag_field="type"):
    """A call ended. `usage` is what models used on its behalf. `handle` is what the model reads in place of a result
    that it may hand on and not read."""

    call: str
    result: ToolResult
    seconds: float = 0.0
    usage: Usage = Usage()
    handle: str = ""


class CallAnswered(Value, frozen=True, tag="call_answered", tag_field="type"):
    """Somebody (`by`) made a choice about a call that waited for it, or nobody did in time (``expired``). `digest` is
    that of the arguments the choice is about."""

    call: str
    approval: str
    choice: str
    by: str = ""
    digest: str = ""


class LookedUp(Value, frozen=True, tag="looked_up", tag_field="type"):
    """Something was read for a decision about a call; the model does not see it."""

    tool: str
    result: ToolResult


class Parked(Value, frozen=True, tag="parked", tag_field="type"):
    """The turn waits for a person to decide about these calls, and leaves memory. `label` is that of all it knows by
    then, with what turns inside of it read."""

    calls: tuple[str, ...]
    label: Label = UNLABELLED


class Resumed(Value, frozen=True, tag="resumed", tag_field="type"):
    """A worker goes on with a turn that another one left in the middle: a crash, not an answer. Without a name it is
    the one that was in it: the store had failed."""

    worker: str


class Noted(Value, frozen=True, tag="noted", tag_field="type"):
    """The runtime tells the model something, for instance why its structured answer does not fit."""

    message: ModelMessage


class Ended(Value, frozen=True, tag="ended", tag_field="type"):
    """The turn ended with this reply. Always and only the last step."""

    reply: Reply


Step = (
    Begun | ModelAsked | ModelAnswered | ModelFailed | CallDecided | CallStarted | CallFinished | CallAnswered
    | LookedUp | Parked | Resumed | Noted | Ended
)  # fmt: skip
