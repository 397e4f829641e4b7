"""What a page of the console is, and what comes of an action."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitu_core.contracts import Block
from gitu_core.errors import InputError
from gitu_web.site import Visit
from gitu_web.visitor import Scope


@dataclass
class Done:
    """What came of an action: words, how they look, and where to go on."""

    words: str = ""
    tone: str = "good"
    to: str = ""
    errors: dict[str, str] = field(default_factory=dict)


Blocks = Callable[[Visit], Awaitable[Sequence[Block]]]
Act = Callable[[Visit, str, dict[str, Any]], Awaitable[Done]]


async def nothing(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """A page on which nothing can be done."""
    raise InputError(f"nothing is called {action!r} here", hint="open the page again", status=404)


@dataclass(frozen=True)
class Page:
    """A page of the console's own. `schemas` gives the JSON Schema of a form by its action."""

    name: str
    blocks: Blocks
    act: Act = nothing
    scope: Scope = "chat"
    icon: str = ""
    schemas: Callable[[Visit, str, dict[str, Any]], Awaitable[Mapping[str, Any] | None]] | None = None
