"""What travels between two peers: one frame a line of JSON, an array that begins with the frame's kind.

Call ids are chosen by the caller; `Call`, `Credit` and `Cancel` travel with the call, the others against it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

import msgspec

from gitu_core.border.codec import Codec
from gitu_core.border.faults import Fault
from gitu_core.border.shapes import clear
from gitu_core.contracts.base import SEAMS, WIRE_OLDEST, WIRE_VERSION, seam_of
from gitu_core.errors import BorderError, IncompatibleError

NOTHING = msgspec.Raw(b"null")
"""An absent payload."""

SERVING: ContextVar[tuple[object, int]] = ContextVar("gitu_serving", default=(None, 0))
"""The connection, by its objects, and the number of the other side's call that this task serves; 0 = none."""


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """The first frame of each side: its versions, the object that it offers (`NOTHING` where it offers none), and the
    oldest versions that it still speaks where those are others (the wire's is called ``""``)."""

    wire: int
    contracts: dict[str, int]
    offer: msgspec.Raw = NOTHING
    oldest: dict[str, int] = {}


class Call(msgspec.Struct, frozen=True, array_like=True, tag="call"):
    """Calls a method of an exported object. `credit` is the number of items that may be sent; 0 = a unary
    call. `cause` is the call of the other side for which it is made; 0 = of the caller's own accord."""

    id: int
    ref: int
    method: str
    args: msgspec.Raw
    credit: int = 0
    cause: int = 0


class Result(msgspec.Struct, frozen=True, array_like=True, tag="result"):
    """The value of a unary call."""

    id: int
    value: msgspec.Raw


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="error"):
    """A call or stream ended with an error."""

    id: int
    fault: Fault


class Item(msgspec.Struct, frozen=True, array_like=True, tag="item"):
    """One item of a stream."""

    id: int
    value: msgspec.Raw


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """A stream is complete."""

    id: int


class Credit(msgspec.Struct, frozen=True, array_like=True, tag="credit"):
    """Allows `count` more items of a stream."""

    id: int
    count: int


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag="cancel"):
    """Stops a call or a stream; it still answers, so that the caller knows when it has ended."""

    id: int


class Release(msgspec.Struct, frozen=True, array_like=True, tag="release"):
    """The holder of a returned object no longer needs it. `count` is how often it was returned to the
    holder, so that an object which is on its way once more stays."""

    ref: int
    count: int


Frame = Hello | Call | Result | Failed | Item | End | Credit | Cancel | Release

_DECODER: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)
write = msgspec.json.Encoder().encode
"""A frame as one line of JSON, without the line end."""


class Transport(Protocol):
    """A pair of byte streams that keep the boundaries of what was sent. anyio's object streams of bytes are
    one.

    `receive` raises `anyio.EndOfStream` at the end; every method may raise `OSError` or anyio's resource
    errors.
    """

    async def send(self, item: bytes, /) -> None:
        """Hands one chunk over."""

    async def receive(self) -> bytes:
        """The next chunk."""

    async def aclose(self) -> None:
        """Closes both directions."""


def read(chunk: bytes) -> list[Frame]:
    """The frames of a chunk. `BorderError` if it holds anything else."""
    try:
        return [_DECODER.decode(line) for line in chunk.split(b"\n")]
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BorderError(f"not a frame: {clear(error)}", hint="only Gitu may write to this connection") from None


def raw(codec: Codec[object], value: object, limit: int) -> msgspec.Raw:
    """*value* as a payload."""
    return msgspec.Raw(codec.encode(value, limit))


def greeting(offer: msgspec.Raw = NOTHING) -> Hello:
    """This side's first frame."""
    crossing = [seam for seam in SEAMS.values() if seam.crosses]
    oldest = {"": WIRE_OLDEST, **{seam.name: seam.oldest for seam in crossing}}
    return Hello(WIRE_VERSION, {seam.name: seam.version for seam in crossing}, offer, oldest)


def agree(hello: Hello, protocol: type | None = None) -> int:
    """The newest version of a contract, without one of the wire, that both sides speak. `IncompatibleError` if there is
    none."""
    seam = seam_of(protocol)
    name, ours, oldest = (seam.name, seam.version, seam.oldest) if seam else ("", WIRE_VERSION, WIRE_OLDEST)
    theirs = hello.contracts.get(name, ours) if seam else hello.wire
    if min(theirs, ours) < max(hello.oldest.get(name, theirs), oldest):
        hint = f"upgrade gitu-core on {'this' if theirs > ours else 'the other'} side"
        what = f"contract {name}" if seam else "the wire protocol"
        words = f"the other side speaks {what} in version {theirs}, this side in version {ours}"
        raise IncompatibleError(words, hint=hint, theirs=theirs, ours=ours)
    return min(theirs, ours)
