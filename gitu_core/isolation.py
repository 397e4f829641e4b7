"""Runs a plugin's code so that only that plugin pays for it: time limits, threads, strange exceptions."""

from __future__ import annotations

import contextvars
import math
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from gitu_core.errors import PluginError

T = TypeVar("T")


class Overdue(Exception):
    """The code of a plugin took longer than it may; says so in words. Not a `TimeoutError`, which plugins raise
    themselves."""


def is_cancellation(error: BaseException) -> bool:
    """True if *error* is the host's own cancellation passing through, and not one that a plugin made up."""
    import anyio

    if isinstance(error, GeneratorExit):
        return True
    if not isinstance(error, anyio.get_cancelled_exc_class()):
        return False
    if anyio.current_effective_deadline() == -math.inf:
        return True
    # A task of asyncio can be cancelled without any scope of anyio.
    asyncio = sys.modules.get("asyncio")
    task = asyncio.current_task() if asyncio else None
    return task is not None and task.cancelling() > 0


def in_words(error: BaseException) -> str:
    """An error of a plugin, with the place in its code where it was raised."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f" ({Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno})" if place else ""
    return f"{type(error).__name__}: {error}{where}" if str(error) else f"{type(error).__name__}{where}"


@contextmanager
def blamed(kind: type[PluginError], what: str, hint: str, late: str = "", **where: str) -> Iterator[None]:
    """What a plugin's code inside raises, sys.exit included, comes out as a `PluginError` that knows *where*: as a new
    one of this *kind*, which begins with *what*, if it was none. *hint* is the next step where the code gave none,
    *late* where it took too long. The host's own cancellation passes through.
    """
    try:
        yield
    except PluginError as error:
        error.at(**where)
        raise
    except Overdue as error:
        raise kind(f"{what}{error}", hint=late or hint, **where) from error
    except BaseException as error:  # whatever it raised is the plugin's failure
        if is_cancellation(error):
            raise
        words = f"{what}raised {in_words(error)}"
        raise kind(words, hint=getattr(error, "hint", "") or hint, **where) from error


async def within(limit: float, work: Awaitable[T], left: str = "") -> T:
    """Awaits *work*, or raises `Overdue` after *limit* seconds, whatever the work made of being cancelled. *left* says
    what is left behind then."""
    import anyio

    with anyio.move_on_after(limit) as scope:
        try:
            value = await work
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException:  # too late is too late, whatever it made of its cancellation
            if scope.cancel_called:
                raise Overdue(f"did not end within {limit:g} s{left}") from None
            raise
        if not scope.cancel_called:
            return value
    raise Overdue(f"did not end within {limit:g} s{left}")


async def in_thread(function: Callable[[], Any], limit: float, name: str) -> Any:
    """Runs *function* in a thread of its own. `Overdue` after *limit* seconds; the thread is then left alone.

    It is a daemon thread: one that never ends must not keep the process alive, as a pool's thread would.
    """
    import anyio
    from anyio.from_thread import run_sync
    from anyio.lowlevel import current_token

    done = anyio.Event()
    token = current_token()
    outcome: list[tuple[Any, BaseException | None]] = []

    def work() -> None:
        try:
            outcome.append((context.run(function), None))
        except BaseException as error:  # noqa: BLE001 - even sys.exit; it is raised again in the caller's task
            outcome.append((None, error))
        try:
            run_sync(done.set, token=token)
        except RuntimeError:  # the event loop has ended meanwhile: nobody waits any more
            return

    context = contextvars.copy_context()
    threading.Thread(target=work, name=name, daemon=True).start()
    await within(limit, done.wait(), f"; the thread {name} was given up")
    value, error = outcome[0]
    if error is not None:
        raise error
    return value
