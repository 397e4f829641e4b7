"""Work that goes on to its end, whatever becomes of the one who asked for it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import anyio
from anyio.abc import TaskGroup

from gitu_core.gateway.jobs import closed
from gitu_core.isolation import is_cancellation

log = logging.getLogger("gitu.gateway")

T = TypeVar("T")


@dataclass
class _Piece:
    done: anyio.Event = field(default_factory=anyio.Event)
    value: Any = None
    error: BaseException | None = None
    left: bool = False


class Shield:
    """Runs pieces of work in tasks of their own. `group` is set by whoever opens the house.

    A scope that shields would not do: a task of asyncio can be cancelled from outside of all scopes.
    """

    group: TaskGroup

    async def to_end(self, work: Callable[[], Awaitable[T]], left: Callable[[T], None]) -> T:
        """What *work* gives, or raises. Where the caller is cancelled meanwhile, *left* gets the value instead.
        `NotReady` if everything closes before it is done."""
        piece = _Piece()
        self.group.start_soon(self._run, piece, work, left)
        try:
            await piece.done.wait()
        except BaseException:  # cancelled; whatever it was, the value needs somebody to take it
            piece.left = True
            if piece.done.is_set() and piece.error is None:
                left(piece.value)
            raise
        if piece.error is not None:
            raise piece.error
        return cast(T, piece.value)

    async def _run(self, piece: _Piece, work: Callable[[], Awaitable[T]], left: Callable[[T], None]) -> None:
        try:
            piece.value = await work()
        except BaseException as error:  # it belongs to the caller, whatever it is
            if is_cancellation(error):
                piece.error = closed()
                raise
            piece.error = error
            if piece.left:
                log.error("work that nobody waits for any more failed", exc_info=error)
        finally:
            piece.done.set()
        if piece.left and piece.error is None:
            left(piece.value)
