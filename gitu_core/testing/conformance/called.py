"""What a call of a tool knows, and looks at its result and at the other side."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

from gitu_core.model import CallInfo, Conversation, from_outside, user
from gitu_core.testing.conformance.base import of

_numbers = itertools.count(1)


def serial() -> int:
    """A number that nothing else has."""
    return next(_numbers)


class Call:
    """A running call; it keeps what the tool says of its progress."""

    def __init__(self, key: str, person: str, where: Conversation | None = None) -> None:
        label = from_outside("kit")
        self.info = CallInfo(f"call-{serial()}", key, principal=user(person), label=label, conversation=where)
        self.deps: Any = None
        self.said: list[str] = []

    async def progress(self, text: str, fraction: float | None = None) -> None:
        """Keeps it."""
        assert fraction is None or 0 <= fraction <= 1, f"a fraction is 0 to 1, not {fraction}"
        self.said.append(text)


def new_key() -> str:
    """The key of a new effect."""
    return f"kit-key-{serial()}"


async def state(remote: Any) -> Any:
    """A copy, so that a state that is changed in place is another one."""
    return msgspec.msgpack.encode(await of(remote.state()), order="deterministic", enc_hook=repr)


def leaves(content: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in *content* with its dotted path."""
    items: Any = ()
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list | tuple):
        items = enumerate(content)
    else:
        yield path, content if isinstance(content, str) else repr(content)
    for name, each in items:
        yield from leaves(each, f"{path}.{name}" if path else str(name))


def covers(key: str, path: str) -> bool:
    """True if the part *key* (``*`` for items) holds the part at *path*."""
    wanted, found = key.split(".") if key else [], path.split(".") if path else []
    return len(wanted) <= len(found) and all(one in ("*", other) for one, other in zip(wanted, found, strict=False))
