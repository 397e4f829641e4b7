"""`SyncGitu`: the same assistant for code without an event loop. It runs its own loop in a thread of its own."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from gitu_core.app import Gitu

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from gitu_core.contracts.ports import Approval, HistoryEntry, Session
    from gitu_core.model import Part, Reply, TurnEvent


class SyncGitu:
    """The synchronous twin of `Gitu`; takes the same arguments, and may be used from several threads.

    with SyncGitu(model="provider/model") as gitu:
        print(gitu.send("Hello").text)
    """

    def __init__(self, **options: Any) -> None:
        self._gitu = Gitu(**options)
        self._portal: BlockingPortal | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        from anyio.from_thread import start_blocking_portal

        with ExitStack() as stack:  # whatever goes wrong: the thread must not stay behind
            portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(portal.wrap_async_context_manager(self._gitu))
            self._open, self._portal = stack.pop_all(), portal
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._open.__exit__(*error)
        finally:
            self._portal = None

    def _run(self) -> BlockingPortal:
        if self._portal is None:
            raise RuntimeError("SyncGitu is not open; use: with SyncGitu(...) as gitu")
        return self._portal

    def send(self, text: str | Sequence[Part], **options: Any) -> Reply:
        """Sends a message and waits for the reply; see `Gitu.send`."""
        return self._run().call(lambda: self._gitu.send(text, **options))

    def stream(self, text: str | Sequence[Part], **options: Any) -> Iterator[TurnEvent]:
        """Sends a message and gives the events of its turn as they come; see `Gitu.stream`."""
        events: queue.SimpleQueue[TurnEvent | BaseException | None] = queue.SimpleQueue()

        async def pump() -> None:
            try:
                async for event in self._gitu.stream(text, **options):
                    events.put(event)
                events.put(None)
            except BaseException as error:  # everything, cancellation too, has to reach the thread that waits
                events.put(error)
                raise

        future = self._run().start_task_soon(pump)
        try:
            while (event := events.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            future.cancel()

    def sessions(self, user: str = "") -> Sequence[Session]:
        """The sessions of a user, or of everybody, the last active first."""
        return self._run().call(self._gitu.sessions, user)

    def history(self, session: str, max_messages: int = 500) -> Sequence[HistoryEntry]:
        """What was said in a session (its id), oldest first."""
        return self._run().call(self._gitu.history, session, max_messages)

    def approvals(self, user: str = "local") -> Sequence[Approval]:
        """The questions that a user has not answered."""
        return self._run().call(self._gitu.approvals, user)

    def resume(self) -> int:
        """Goes on with messages that a crash left unanswered; see `Gitu.resume`."""
        return self._run().call(self._gitu.resume)

    def end_session(self, session: str) -> None:
        """Ends a session."""
        self._run().call(self._gitu.end_session, session)
