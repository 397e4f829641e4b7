"""Values to stored bytes and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec

from gitu_core.errors import Damaged, InputError
from gitu_core.store.keys import Keyring

T = TypeVar("T")

BOUND = {
    "people": "id", "accounts": "channel account person", "codes": "code kind person", "sessions": "id person",
    "conversations": "conversation person", "inbox": "id person session", "messages": "session person turn tokens at",
    "turns": "id session person", "steps": "turn n session person at", "outbox": "id person session",
    "approvals": "id person session turn message kind digest", "timers": "owner key person",
    "plugin_state": "plugin key person", "blobs": "name person", "grants": "id person",
}  # fmt: skip
"""The columns that the seal of each table is bound to, after its name and the tenant."""

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
    try:
        found: T = decoded(keys.opened(body, bound(*names), what), kind, what)
    except Damaged as error:
        stands = standing(str(names[0]), names[2:])
        words = f"{error.message} (table {names[0]}, row {stands['row']}, of {stands['person'] or 'nobody'})"
        raise Damaged(words, hint=error.hint, what=what, table=names[0], **stands) from error
    return found


def standing(table: str, names: Sequence[object]) -> dict[str, str]:
    """The row of a table, in words, and whose it is; from the columns that its seal is bound to."""
    texts = [name.hex() if isinstance(name, bytes) else str(name) for name in names]
    named = dict(zip(BOUND[table].split(), texts, strict=True))
    return {"row": " ".join(text for name, text in named.items() if name != "person"),
            "person": named.get("person", named.get("id", ""))}  # fmt: skip


def bound(*names: object) -> bytes:
    """What an envelope is bound to: the table and the columns that never change."""
    words = ""
    for name in names:
        part = name if type(name) is str else name.hex() if isinstance(name, bytes) else str(name)
        words += f"{len(part)}:{part}"  # with their lengths, so that no two lists of names look alike
    return words.encode("utf-8", "surrogatepass")
