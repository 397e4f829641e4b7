"""Values to stored bytes and back."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from gitu_core.errors import Damaged, InputError
from gitu_core.store.keys import Keyring

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()
_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = cache(msgspec.json.Decoder)


def encoded(value: object, kind: Any = None) -> bytes:
    """*value* as JSON. `InputError` if it cannot be stored: text that is not Unicode, a type that JSON does
    not know.

    With *kind*, a value that could not be read back is refused as well: JSON has no NaN, which becomes null.
    """
    try:
        data = _ENCODER.encode(value)
        if kind is not None and b"null" in data:
            _decoder(kind).decode(data)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        # UnicodeEncodeError and msgspec.ValidationError are ValueErrors.
        what = f"a {type(value).__name__} cannot be stored: {error}"
        raise InputError(what, hint="hand in plain, finite JSON values") from error
    return data


def decoded(data: bytes, kind: type[T] | Any, what: str) -> T:
    """The value of *kind* that *data* holds. `Damaged`, naming *what*, if it does not hold one."""
    try:
        found: T = _decoder(kind).decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Damaged(f"{what} cannot be read: {error}", hint="restore a backup", what=what) from error
    return found


def unsealed(keys: Keyring, body: bytes, kind: type[T] | Any, what: str, *names: object) -> T:
    """The value of *kind* in an envelope that is bound to *names*. `Damaged`, naming *what*, if it does not open."""
    found: T = decoded(keys.opened(body, bound(*names), what), kind, what)
    return found


def bound(*names: object) -> bytes:
    """What an envelope is bound to: the table and the columns that never change."""
    words = ""
    for name in names:
        part = name if type(name) is str else name.hex() if isinstance(name, bytes) else str(name)
        words += f"{len(part)}:{part}"  # with their lengths, so that no two lists of names look alike
    return words.encode("utf-8", "surrogatepass")
