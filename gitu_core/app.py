"""`Gitu`: what embedders hold. Making one loads nothing; entering it wires the house (see `wiring.py`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from gitu_core.config import Profile, Settings
    from gitu_core.contracts import ModelProvider
    from gitu_core.contracts.ports import Approval, Clock, HistoryEntry, Session
    from gitu_core.model import Part, Reply, ToolCall, ToolSpec, TurnEvent
    from gitu_core.wiring import House

    Approver = Callable[[ToolCall, ToolSpec, str], bool | Awaitable[bool]]
    """Decides about a call that needs a person's yes; is handed the call, its tool and why it is asked."""


class Gitu:
    """An assistant.

        async with Gitu(model="provider/model", tools=[my_function]) as gitu:
            reply = await gitu.send("Hello", user="u1")
            print(reply.text)

    *model* is ``provider/model``, ``provider``, a sequence of these in order of preference, a `ModelProvider` object,
    or empty for the best that can be used. *tools* are functions or tools of your own; *use* names installed plugins'
    tools by pattern (``"*"`` = all). *plugins* are plugin objects of your own. *database* is a URL, *engine* your own
    SQLAlchemy engine with *prefix* or *schema* for our tables. *config* is a ``gitu.toml``, or `Settings`. *deps* is
    handed to your tools as ``ctx.deps``. *approve* decides about calls that need a person's yes.

    It installs no signal handler, configures no logging and runs in your event loop.
    """

    def __init__(
        self, *, model: str | Sequence[str] | ModelProvider = "", tools: Sequence[Any] = (), use: Sequence[str] = (),
        plugins: Sequence[Any] = (), instructions: str = "", profiles: Sequence[Profile] = (),
        home: str | Path | None = None, database: str | None = None, engine: Any = None, prefix: str = "",
        schema: str | None = None, config: str | Path | Settings | None = None, deps: Any = None,
        approve: Approver | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._options: dict[str, Any] = {
            "model": model, "tools": tuple(tools), "use": tuple(use), "plugins": tuple(plugins),
            "instructions": instructions, "profiles": tuple(profiles), "home": home, "database": database,
            "engine": engine, "prefix": prefix, "schema": schema, "config": config, "deps": deps, "approve": approve,
            "clock": clock,
        }  # fmt: skip
        self._house: House | None = None

    async def __aenter__(self) -> Self:
        from gitu_core.options import Options
        from gitu_core.wiring import House

        if self._house is not None:
            raise RuntimeError("this Gitu is already open; make another one")
        house = House(Options(**self._options))
        await house.open()
        self._house = house
        return self

    async def __aexit__(self, *error: Any) -> None:
        house, self._house = self._house, None
        if house is not None:
            await house.close()

    @property
    def house(self) -> House:
        """The wired parts, for what this class does not offer. `RuntimeError` outside of ``async with``."""
        if self._house is None:
            raise RuntimeError("Gitu is not open; use: async with Gitu(...) as gitu")
        return self._house

    # ---- talking --------------------------------------------------------------------------------

    async def send(
        self, text: str | Sequence[Part], *, user: str = "local", session: str = "", output: Any = None,
        deps: Any = None, profile: str = "", key: str = "",
    ) -> Reply:  # fmt: skip
        """Sends a message and waits for the reply.

        *session* names a line of talk of this user (default: one a user). *output* is a pydantic model, or any type
        pydantic can check, for structured output in ``reply.data``. *key* is an idempotency key: the same key again
        is the same message. Raises the typed error that ended the turn; cancelling this call stops the turn.
        """
        house = self.house
        job = await house.submit(text, user, session, output, deps, profile, key, None)
        try:
            await job.done.wait()
        except BaseException:  # cancellation of the last caller stops the turn it waits for
            job.leave()
            raise
        reply = house.reply_of(job)
        house.raise_failure(reply)
        return reply

    async def stream(
        self, text: str | Sequence[Part], *, user: str = "local", session: str = "", output: Any = None,
        deps: Any = None, profile: str = "", key: str = "",
    ) -> AsyncIterator[TurnEvent]:  # fmt: skip
        """Sends a message and gives the events of its turn as they come; the last is `TurnFinished` with the reply.

        A turn that failed ends with a reply that holds its error. Leaving the loop early stops the turn.
        """
        from contextlib import suppress
        from math import inf

        import anyio

        from gitu_core.model import TurnFinished

        source, events = anyio.create_memory_object_stream[Any](inf)

        def watch(event: TurnEvent) -> None:
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the loop was left: nobody watches
                source.send_nowait(event)

        job = await self.house.submit(text, user, session, output, deps, profile, key, watch)
        try:
            async for event in events:
                yield event
                if isinstance(event, TurnFinished):
                    break
        finally:
            source.close()
            events.close()
            job.leave()

    # ---- sessions -------------------------------------------------------------------------------

    async def sessions(self, user: str = "") -> Sequence[Session]:
        """The sessions of a user, or of everybody, the last active first."""
        return await self.house.store.sessions(user and await self.house.person_of(user))

    async def history(self, session: str, max_messages: int = 500) -> Sequence[HistoryEntry]:
        """What was said in a session (its id), oldest first."""
        return await self.house.store.history(session, max_tokens=10_000_000, max_messages=max_messages)

    async def end_session(self, session: str) -> None:
        """Ends a session; its conversation gets a new one at the next message."""
        await self.house.store.end_session(session)

    async def approvals(self, user: str = "local") -> Sequence[Approval]:
        """The questions that a user has not answered. `send` the choice: ``[Answer(id, "yes")]``."""
        return await self.house.store.approvals(await self.house.person_of(user))

    def stop(self, session: str) -> int:
        """Stops what runs in a session; gives how many turns."""
        return self.house.gateway.stop(session)

    async def resume(self) -> int:
        """Goes on with messages that `send` handed over in an earlier run and that a crash left unanswered; gives in
        how many sessions. Their replies are for whoever sends the same *key* again. They have no *output*, and the
        *deps* of this assistant: what was handed to `send` is gone."""
        from gitu_core.gateway import APP

        return await self.house.gateway.take_up((APP,))

    # ---- channels -------------------------------------------------------------------------------

    async def run_channel(self, name: str) -> None:
        """Runs one channel until it ends."""
        await self.house.run_channels([name])

    async def work(self) -> None:
        """Works on whatever waits on the database, of any channel, until cancelled."""
        from anyio import sleep_forever

        self.house.keeper.everything = True
        await self.house.warm()
        await sleep_forever()

    async def serve(self, *channels: str) -> None:
        """Runs the channels named, or every enabled one that can run in the background, until cancelled."""
        await self.house.warm()
        await self.house.run_channels(channels or self.house.channel_names(foreground=False))
