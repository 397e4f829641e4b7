"""Authority as rooms see it: what may be done, on whose word, and what somebody allowed beforehand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import msgspec

from gitu_core.model.base import Value
from gitu_core.model.label import Label
from gitu_core.model.spec import ToolSpec
from gitu_core.model.tooling import ToolCall, ToolResult
from gitu_core.model.turn import TurnInfo

Mode = Literal["default", "confirm", "read-only"]
"""``confirm`` asks before every effect, ``read-only`` has none."""


ESCAPED = re.compile(r"\[([*?[])\]")
"""A character of a pattern that stands for itself."""


class Grant(Value, frozen=True):
    """What a person allowed beforehand. `tool` is a pattern (``mail.*``). `when` holds for each argument (dotted path)
    that is named there the patterns of which its values have to fit one, `most` the largest amount; an argument that is
    named has to be there. `session` is the only one it counts in, where given; `expires_at` is in seconds since 1970,
    UTC; `uses` says how often it may still be used (None = without limit). Without `outside` it does not count where
    outside content led to the call. `only`, where given, are the other arguments that there may be. Patterns know
    ``*``, ``?`` and ``[abc]``; in an address, and in the host of a link, they stand for nothing but a part of it, and
    nowhere for a way up (``..``). `cause` is the question that it answers.
    """

    id: str
    person: str
    tool: str
    when: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    most: dict[str, float] = msgspec.field(default_factory=dict)
    session: str = ""
    expires_at: float | None = None
    uses: int | None = None
    outside: bool = True
    made_at: float = 0.0
    cause: str = ""
    only: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """What it allows, in a line, with its limits."""
        plain = {path: [ESCAPED.sub(r"\1", each) for each in patterns] for path, patterns in self.when.items()}
        parts = [f"{path}: {' or '.join(patterns)}" for path, patterns in plain.items()]
        parts += [f"{path}: at most {most:g}" for path, most in self.most.items()]
        limits = ["in one session"] if self.session else []
        if self.expires_at is not None:
            limits.append(f"until {datetime.fromtimestamp(self.expires_at, UTC):%Y-%m-%d %H:%M} UTC")
        limits += [f"{self.uses} times"] if self.uses is not None else []
        return ", ".join([f"{self.tool} ({', '.join(parts) or 'whatever its arguments'})", *limits])


class Verdict(Value, frozen=True):
    """What the policy says about a call, and why, in words.

    `sinks` are the arguments that decided it, `sources` says of every argument that was looked at where its value came
    from, `grant` is the permission that was used."""

    decision: Literal["allow", "ask", "deny"]
    reason: str = ""
    sinks: tuple[str, ...] = ()
    sources: dict[str, str] = msgspec.field(default_factory=dict)
    grant: Grant | None = None


Book = Any
"""The grants of a person, ordered by a policy for itself."""


class Evidence(Protocol):
    """What is known when a call is decided. `label` joins the labels of all that the model has seen, `now` is in
    seconds since 1970, UTC, `book` holds what was allowed beforehand."""

    label: Label
    now: float
    book: Book

    def catch_up(self) -> None:
        """Takes in what is new; before decisions in which others had a part."""

    def heard(self, text: str) -> bool:
        """A person that is trusted said something. True if that is what is asked for now, False if it only agrees with
        what was asked for before."""

    def unasked(self) -> None:
        """What leads to the calls now was not said by a person that is trusted: nothing is asked for."""

    def saw(self, tool: ToolSpec, result: ToolResult, call: ToolCall | None = None, *, earlier: bool = False) -> None:
        """What a call gave: of this turn, or of an *earlier* one of the session. Without a call it was looked up."""

    def effects(self, begun: Iterable[tuple[ToolCall, ToolSpec]]) -> None:
        """All effects that began since what is asked for now was said, and are not known to have failed."""

    def refused(self, tool: str) -> None:
        """A person said no to a call of this tool in this turn."""


class Policy(Protocol):
    """Decides about calls: pure, fast, total; never asks a model."""

    def evidence(
        self, turn: TurnInfo, tools: Sequence[ToolSpec], mode: Mode, read: Callable[[Evidence], None]
    ) -> Evidence:
        """What a turn knows. *read* tells what is new since it was called last."""

    def decide(self, call: ToolCall, tool: ToolSpec, evidence: Evidence) -> Verdict:
        """What may happen, and why."""

    def lacks(self, call: ToolCall, tool: ToolSpec, evidence: Evidence) -> Sequence[str]:
        """The reading tools that could tell what a call is about, where nobody has looked yet."""

    def book(self, grants: Iterable[Grant]) -> Book:
        """Grants, ordered."""

    def standing(self, call: ToolCall, tool: ToolSpec, person: str) -> Grant | None:
        """What a person would allow who wants calls like this one not to be asked about again, if it can be said."""


class Grants(Protocol):
    """What people allowed beforehand, as it is kept. It counts from the next decision on, wherever that is made."""

    async def grants(self, person: str = "") -> Sequence[Grant]:
        """What counts now, of one person where given; the same object while nothing changed."""

    async def use_grant(self, grant: Grant) -> bool:
        """Uses a grant once; False if it is used up, ended or gone."""

    async def add_grant(self, grant: Grant, by: str = "") -> None:
        """Keeps a grant that *by* gave."""

    async def revoke_grant(self, id: str, person: str = "", by: str = "") -> Grant | None:
        """Takes a grant back, of *person* where given, and gives it; None if there is none."""
