"""What all travelling values share: they are frozen, keep fields they do not know, and clean the text they carry."""

from __future__ import annotations

import os
import time
from collections import deque
from functools import lru_cache
from typing import Any

import msgspec

from gitu_core.errors import InputError

__all__ = ["Value", "check_name", "clean_text", "new_id"]

MAX_NAME = 512
"""The longest identifier that a channel, plugin or person may hand in, in characters."""


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A frozen value that travels between parts, processes and versions.

    `extra` holds the fields that a newer peer sent and this version does not know; the border puts them back, so that
    a value passes through an older process unharmed. Python's collector leaves values alone (with thousands of turns in
    memory it would take a third of their time): what holds objects of any kind, or is pointed to weakly, says ``gc``.
    """

    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class Salt:
    """Random bytes in pieces of *size*. One call to the system serves many pieces: it costs more than all else. A child
    process that was forked does not draw what its parent draws."""

    def __init__(self, size: int) -> None:
        self._size, self._left = size, deque[bytes]()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._left.clear)

    def draw(self) -> bytes:
        """The next piece, in whatever thread."""
        try:
            return self._left.popleft()
        except IndexError:
            drawn = os.urandom(256 * self._size)
            self._left.extend(drawn[start : start + self._size] for start in range(self._size, len(drawn), self._size))
            return drawn[: self._size]


_ALPHABET = b"0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = _ALPHABET * 8  # a random byte gives a random letter
_salt = Salt(16)


@lru_cache(64)
def _stamp(milliseconds: int) -> str:
    return "".join([chr(_ALPHABET[milliseconds >> shift & 31]) for shift in range(45, -1, -5)])


def new_id(now: float | None = None) -> str:
    """A new identifier of 26 characters: sorts by time (milliseconds since 1970), then 80 random bits."""
    milliseconds = int((time.time() if now is None else now) * 1000) & (1 << 48) - 1
    return _stamp(milliseconds) + _salt.draw().translate(_LETTERS).decode()


def clean_text(text: object) -> str:
    """*text* without what no store and no wire can carry: lone surrogates become U+FFFD, NUL becomes U+2400."""
    if not isinstance(text, str):
        raise InputError(f"text expected, got {type(text).__name__}", hint="pass a str")
    if "\x00" in text:
        text = text.replace("\x00", "\u2400")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def check_name(value: object, what: str) -> str:
    """*value*, if it can serve as an identifier: 1 to `MAX_NAME` printable characters, else `InputError`."""
    if not isinstance(value, str) or not value or len(value) > MAX_NAME:
        raise InputError(f"{what} must be 1 to {MAX_NAME} characters long", field=what, hint=f"pass another {what}")
    if not value.isprintable():
        raise InputError(f"{what} holds a character that cannot be printed", field=what, hint="remove it")
    return value
