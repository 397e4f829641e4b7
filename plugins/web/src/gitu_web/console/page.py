"""What a page of the console is, and what comes of an action."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gitu_core.contracts import Block
from gitu_core.errors import InputError
from gitu_web.console.texts import say
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


def wrong(name: str, status: int = 404, **values: object) -> InputError:
    """The error whose words stand among the texts under ``wrong.``, with what to do next."""
    return InputError(say(f"wrong.{name}", **values), hint=say(f"wrong.{name}_next", **values), status=status)


async def nothing(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """A page on which nothing can be done."""
    raise wrong("action")


@dataclass(frozen=True)
class Page:
    """A page of the console's own. `schemas` gives the JSON Schema of a form by its action."""

    name: str
    blocks: Blocks
    act: Act = nothing
    scope: Scope = "chat"
    icon: str = ""
    schemas: Callable[[Visit, str, dict[str, Any]], Awaitable[Mapping[str, Any] | None]] | None = None
