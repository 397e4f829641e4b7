"""The format of an export, in one place: the turns of one session, and everything that went into them, as JSON."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gitu_core.border.codec import codec_for
from gitu_core.config import Profile
from gitu_core.contracts.ports import Approval
from gitu_core.errors import BorderError, InputError
from gitu_core.model import Conversation, ModelInfo, ModelMessage, Step, ToolSpec, TurnInfo, Value

FORMATS = {1: "The first: the turns of one session with their steps, and all that went into them."}
"""Every version of the format, with a sentence. What is added to one is optional; whoever does not know it keeps it."""

FORMAT = max(FORMATS)
_NO_LIMIT = 1 << 62


class Recorded(Value, frozen=True):
    """A step and when it was taken, in seconds since 1970, UTC."""

    step: Step
    at: float


class RecordedTurn(Value, frozen=True):
    """A turn. `ask` is the message it answers, where it is known; a turn that runs inside of another one gets its task
    from that one. `approvals` are the questions it asked, in the state they are in now. `read` are digests of what its
    models read, by the ids of messages and the names of tools: steps do not hold it. `tools` are those that the
    message brought."""

    info: TurnInfo
    steps: tuple[Recorded, ...]
    person: str = ""
    ask: ModelMessage | None = None
    conversation: Conversation | None = None
    approvals: tuple[Approval, ...] = ()
    inner: tuple[RecordedTurn, ...] = ()
    read: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    tools: tuple[ToolSpec, ...] = ()


class Said(Value, frozen=True):
    """A message of the session's history: what it counts in a context, and the turn that left it there."""

    message: ModelMessage
    tokens: int
    turn: str = ""


class OfferedTool(Value, frozen=True):
    """A tool that was offered, under the name its plugin gave it."""

    plugin: str
    name: str
    spec: ToolSpec


class Export(Value, frozen=True):
    """Recorded turns of one session. Profiles, tools, models and `hooks` (the filters and guards that somebody had) are
    those of the moment of the export: a journal does not keep them. `at` is that moment in seconds since 1970, UTC,
    `gitu` the version that wrote the file. `redacted` tells how often each secret was replaced, `content` whether it
    holds what was said."""

    format: int
    gitu: str
    at: float
    session: str
    turns: tuple[RecordedTurn, ...]
    history: tuple[Said, ...] = ()
    profiles: dict[str, Profile] = msgspec.field(default_factory=dict)
    tools: tuple[OfferedTool, ...] = ()
    models: dict[str, ModelInfo] = msgspec.field(default_factory=dict)
    hooks: tuple[str, ...] = ()
    redacted: dict[str, int] = msgspec.field(default_factory=dict)
    content: bool = True


class _Head(msgspec.Struct):
    format: int


def read(data: bytes, name: str = "the export") -> Export:
    """The export in a file's *data*. `InputError` if it is none, or of a newer format."""
    try:
        format = msgspec.json.decode(data, type=_Head).format
        if format not in FORMATS:
            raise InputError(f"{name} has the format {format}; this program knows {FORMAT}", hint="update gitu-core")
        found: Export = codec_for(Export).decode(data)
    except (msgspec.MsgspecError, BorderError) as error:
        raise InputError(f"{name} is no export: {error}", hint="write one with: gitu export") from error
    return found


def load(path: str | Path) -> Export:
    """The export in a file. `InputError` if there is none."""
    try:
        return read(Path(path).read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="name a file of: gitu export") from error


def written(export: Export) -> bytes:
    """The export as a file: what `load` reads, with all that it did not know."""
    return msgspec.json.format(codec_for(Export).encode(export, _NO_LIMIT), indent=1) + b"\n"


def save(export: Export, path: str | Path) -> None:
    """Writes the export to a file that only its owner may read."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(written(export))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", hint="name another file") from error
