"""Tools as data: what a tool or an action of a rule says of itself."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitu_core.model.base import Value

__all__ = ["CONTENT_ROLES", "SINK_ROLES", "ActionSpec", "Effect", "ToolSpec", "is_sink"]

Effect = Literal["read", "write", "send", "execute", "spend"]

SINK_ROLES = frozenset({"recipient", "url", "amount", "path", "command", "reference", "secret"})
"""Roles of arguments that decide *where* an effect goes; content must never choose them."""

CONTENT_ROLES = frozenset({"title", "body", "when", "place", "attachment", "query", "option"})
"""Roles of arguments that say *what* an effect carries."""


def is_sink(role: str) -> bool:
    """True if an argument in this role decides where an effect goes. Roles that nobody knows count as sinks."""
    return role.partition(":")[0] not in CONTENT_ROLES


class ToolSpec(Value, frozen=True, weakref=True, gc=True):
    """What a tool says of itself.

    `roles` maps an argument (dotted path) to its role: one of `SINK_ROLES` or `CONTENT_ROLES`; ``reference:<kind>``
    names a record of a kind. `writers` maps a part of the result (dotted path, ``*`` for items, ``""`` for all of it)
    to who wrote it: ``outside``, ``principal``, ``system``, or ``field:<path>`` for the field that names the author.
    `asked` are the phrases with which people ask for the effect, in any language: the first word tells what to do, the
    others name the thing and stand anywhere in the same sentence (``"send email"``, ``"reply"``). Without any, the
    words of the tool's name count. `records` maps a part of the result to what it is: ``reference:<kind>`` identifies a
    record, ``name`` is what people call it, ``party`` whom it concerns; ``recipient``, ``amount``, ``url`` … are values
    that a record which the user named may supply, ``reply`` is whom an answer goes to, ``wrote`` whom the user wrote
    to, ``when`` a date of the record, ``size`` a number that records are compared by, ``secret`` what must not get out.
    `audience` tells who sees what it does: ``self`` the user alone, ``others`` somebody else in any case; empty: the
    recipients that the arguments name. `timeout` is in seconds, `output_limit` in characters of the JSON result.
    `private`: what it gives is for the eyes of the person on whose behalf it is called; None where its author does not
    say.

    A message may offer tools for the one turn that answers it (`Message.tools`). Such a spec names in `by` the tool of
    a plugin that carries its calls out, one that is `hidden`: no model is told of that. `heeds` are origins (see
    `Label`) besides the user's that may lead to a call of it, for instance of whoever offers it.
    """

    name: str
    description: str
    input_schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "object", "properties": {}})
    effects: tuple[Effect, ...] = ("read",)
    roles: dict[str, str] = msgspec.field(default_factory=dict)
    writers: dict[str, str] = msgspec.field(default_factory=dict)
    output_schema: dict[str, Any] | None = None
    reversible: bool = False
    verifiable: bool = False
    timeout: float = 30.0
    output_limit: int = 100_000
    examples: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    records: dict[str, str] = msgspec.field(default_factory=dict)
    audience: Literal["", "self", "others"] = ""
    private: bool | None = None
    by: str = ""
    heeds: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def sinks(self) -> tuple[str, ...]:
        """The arguments that decide where an effect goes."""
        return tuple(name for name, role in self.roles.items() if is_sink(role))

    @property
    def acts(self) -> bool:
        """True if the tool does more than read."""
        return any(effect != "read" for effect in self.effects)


class ActionSpec(Value, frozen=True):
    """What a rule action says of itself; the fields mean what they mean in `ToolSpec`."""

    name: str
    description: str
    input_schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "object", "properties": {}})
    effects: tuple[Effect, ...] = ("write",)
    roles: dict[str, str] = msgspec.field(default_factory=dict)
    verifiable: bool = False
    timeout: float = 30.0
