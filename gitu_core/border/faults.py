"""Errors as values: what one side raised is raised again on the other, by its code, never with a
traceback."""

from __future__ import annotations

from typing import Any

import msgspec

from gitu_core.border.codec import codec_for
from gitu_core.errors import BorderError, GituError, HookError, by_code
from gitu_core.model import clean_text

MAX_WORDS = 10_000
"""The longest message, hint or detail of an error that crosses, in characters."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error on its way. `kinds` are the codes of its class and its bases, the nearest first, so that a
    side that does not know the class raises the nearest that it knows."""

    kinds: tuple[str, ...]
    message: str
    hint: str = ""
    details: dict[str, Any] = msgspec.field(default_factory=dict)


FAULT = codec_for(Fault)


def pack(error: BaseException) -> Fault:
    """*error* as a value that always crosses. What is not Gitu's own becomes a `HookError` that names its
    class."""
    if not isinstance(error, GituError):
        words = _words(error)
        name = type(error).__name__
        hint = "correct the code that raised it, or raise a class of gitu_core.errors there"
        error = HookError(f"{name}: {words}" if words else name, hint=hint, raised=name)
    kinds = dict.fromkeys(c.code for c in type(error).__mro__ if issubclass(c, GituError))
    details = {_cut(str(key)): _plain(value) for key, value in error.details.items()}
    return Fault(tuple(kinds), _cut(str(error.message)), _cut(str(error.hint)), details)


def unpack(fault: Fault) -> GituError:
    """The error that a fault stands for. An unknown class becomes its nearest known base and keeps its code
    in `details["code"]`."""
    known = by_code()
    code = next((kind for kind in fault.kinds if kind in known), GituError.code)
    kind = known[code]
    # A subclass may have another constructor; the message, the hint and the details are all that crossed.
    error = kind.__new__(kind, fault.message)
    GituError.__init__(error, _cut(fault.message), hint=_cut(fault.hint))  # who sent it may have left that to us
    error.details = {_cut(key): _plain(value) for key, value in fault.details.items()}
    if fault.kinds and fault.kinds[0] != code:
        error.details.setdefault("code", fault.kinds[0])
    return error


def _plain(value: Any) -> Any:
    """*value* if it crosses, else its text."""
    try:
        codec_for(Any).encode(value, MAX_WORDS)
    except BorderError:
        return _cut(_words(value))
    return value


def _words(value: object) -> str:
    try:
        return _cut(str(value))
    except Exception:  # noqa: BLE001 - an object that has no text must not hide the error that carries it
        return f"<{type(value).__name__}>"


def _cut(text: str) -> str:
    return clean_text(text[:MAX_WORDS])
