"""Work that goes on to its end, whatever becomes of the one who asked for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gitu_core.gateway.jobs import Piece, closed
from gitu_core.isolation import is_cancellation

log = logging.getLogger("gitu.gateway")


class Shield:
    """Runs pieces of work in tasks of their own.

    A scope that shields would not do: a task of asyncio can be cancelled from outside of all scopes.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, piece: Piece, work: Callable[[], Awaitable[object]]) -> None:
        """Lets *work* run; the piece is done when it ended."""
        task = asyncio.get_running_loop().create_task(self._run(piece, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def apart(self, work: Callable[[], Awaitable[object]]) -> None:
        """Lets *work* run that nobody waits for; where it fails, the log says so."""
        piece = Piece(None)
        piece.leave()
        self.start(piece, work)

    async def close(self) -> None:
        """Ends what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, piece: Piece, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except BaseException as error:  # it belongs to the caller, whatever it is
            if is_cancellation(error):
                piece.error = closed()
                return
            piece.error = error
            if piece.gone:
                log.error("work that nobody waits for any more failed", exc_info=error)
        finally:
            piece.end()
