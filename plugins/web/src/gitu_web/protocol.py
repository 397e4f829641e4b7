"""What travels over the WebSocket, version 1 (the subprotocol ``gitu.v1``): JSON objects, told apart by `type`.

A client says `Hello` first unless its request carried the credential, and is greeted with `Welcome`. What it sends with
a `key` is answered by an `Ack` once it is safe; sent again under the same key it is the same message. `Letter`s are
what counts: they come in order, exactly once, from the cursor on that the client says it has. Everything else is worth
showing at once and is not kept.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitu_core.contracts import Part, Text

SUBPROTOCOL = "gitu.v1"

LARGEST = 256 << 10
"""Bytes that a frame of a client may have."""


class Frame(msgspec.Struct, frozen=True, tag_field="type", gc=False):
    """One thing that is said."""


# ---- what a client says ------------------------------------------------------------------------------------------


class Hello(Frame, frozen=True, tag="hello"):
    """The first frame: who is there, and up to where it has everything. `token` is empty where the request carried a
    credential. Without a cursor it gets the `recent` last messages, all that are kept where that is negative."""

    token: str = ""
    cursor: str = ""
    recent: int = -1


class Say(Frame, frozen=True, tag="message"):
    """A person says something. `key` is the client's own, and stays the same when it is sent again."""

    key: str
    text: str = ""
    parts: tuple[Part, ...] = ()
    chat: str = ""
    reply_to: str = ""


class Choose(Frame, frozen=True, tag="answer"):
    """A person makes a choice at a question."""

    key: str
    ask: str
    choice: str
    chat: str = ""


class Typing(Frame, frozen=True, tag="typing"):
    """Somebody types: of a client, its person; of the server, the assistant or another device of the person."""

    chat: str = ""
    on: bool = True
    device: str = ""


class Presence(Frame, frozen=True, tag="presence"):
    """How a device of the person is: in use, open but not looked at, or gone."""

    state: Literal["active", "away", "gone"] = "active"
    device: str = ""
    name: str = ""


class Ping(Frame, frozen=True, tag="ping"):
    """Are you there? For clients that cannot send pings of the WebSocket itself."""


Said = Hello | Say | Choose | Typing | Presence | Ping


# ---- what the server says ----------------------------------------------------------------------------------------


class Welcome(Frame, frozen=True, tag="welcome"):
    """The connection stands. `cursor` is where the client is now. `reset`: what it missed is not kept any more, or its
    cursor is of another mailbox; the letters that are left come next, older ones are in the history of the session."""

    person: str
    device: str
    cursor: str
    reset: bool = False
    version: int = 1


class Ack(Frame, frozen=True, tag="ack"):
    """What was sent under this key is safe. `id` is what answers name as their `cause`."""

    key: str
    id: str
    fresh: bool = True


class Letter(Frame, frozen=True, tag="letter"):
    """One message of a chat. `kind`: ``told`` by the assistant, or ``said`` by the person, on whichever device.
    `cursor` names it. `cause` is the id of what it answers; `at` is in seconds since 1970, UTC."""

    cursor: str
    kind: Literal["told", "said"]
    key: str
    parts: tuple[Part, ...]
    chat: str = ""
    at: float = 0.0
    cause: str = ""
    reply_to: str = ""
    device: str = ""

    @property
    def text(self) -> str:
        """Its words."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))


class Delta(Frame, frozen=True, tag="delta"):
    """More words of the answer that is being written. `reset`: those before are taken back."""

    text: str
    chat: str = ""
    reset: bool = False


class Started(Frame, frozen=True, tag="tool_started"):
    """A tool is at work."""

    call: str
    tool: str
    chat: str = ""


class Finished(Frame, frozen=True, tag="tool_finished"):
    """It ended, well or not; `seconds` is how long it took."""

    call: str
    tool: str
    ok: bool = True
    seconds: float = 0.0
    chat: str = ""


class Working(Frame, frozen=True, tag="progress"):
    """How far something is; `fraction` is 0 to 1."""

    text: str
    fraction: float | None = None
    call: str = ""
    chat: str = ""


class Ended(Frame, frozen=True, tag="finished"):
    """A turn of this chat ended."""

    status: str = "ok"
    chat: str = ""


class Problem(Frame, frozen=True, tag="error"):
    """Something was not accepted; `key` names what. The connection goes on, unless it says otherwise by closing."""

    title: str
    detail: str = ""
    hint: str = ""
    key: str = ""
    retry_after: float | None = None


class Pong(Frame, frozen=True, tag="pong"):
    """The answer to a `Ping`."""


Told = (
    Welcome | Ack | Letter | Delta | Typing | Started | Finished | Working | Ended | Presence | Problem | Pong
)  # fmt: skip

decode_said = msgspec.json.Decoder(Said).decode
decode_told: Any = msgspec.json.Decoder(Told).decode
_encode = msgspec.json.Encoder().encode


def encode(frame: Frame) -> str:
    """A frame as it travels."""
    return _encode(frame).decode()
