"""``gitu plugins trace``: every hook that was called while one message was answered, by whom, how long, with what."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any

import msgspec

from gitu_core.registry.dispatch import TAP
from gitu_core.registry.hooks import Implementation
from gitu_core.secrecy import hidden
from gitu_core.testing.workshop.shapes import painted

_COLOURS = {"provide": 34, "observe": 2, "filter": 33, "guard": 35, "lifecycle": 36}


class Called(msgspec.Struct, omit_defaults=True):
    """One call of a hook: who answered, how long it took in milliseconds, and what it gave in short."""

    hook: str
    mode: str
    plugin: str
    took: float = 0.0
    gave: str = ""
    content: str = ""


@contextmanager
def recording(content: bool = False) -> Iterator[list[Called]]:
    """Inside, every `Gitu` that is opened tells of each call of a hook, in whichever process it is. Without *content*
    only of what kind the values are."""
    calls: list[Called] = []
    token = TAP.set(lambda each: _watched(each, calls, content))
    try:
        yield calls
    finally:
        TAP.reset(token)


def _watched(each: Implementation, calls: list[Called], content: bool) -> Implementation:
    @contextmanager
    def timed() -> Iterator[Called]:
        call = Called(each.meta.name, each.meta.mode, each.plugin)
        calls.append(call)
        began = time.perf_counter()
        try:
            yield call
        except BaseException as error:  # whatever it is: it is noted by its class and raised on
            call.gave = f"raised {type(error).__name__}"
            raise
        finally:
            call.took = round((time.perf_counter() - began) * 1000, 3)

    def note(call: Called, value: Any) -> Any:
        call.gave = short(each.meta.mode, value)
        if content and value is not None:
            call.content = repr(value)
        return value

    async def waiting(*args: Any, **given: Any) -> Any:
        return await ended(each.function(*args, **given))

    async def ended(value: Any) -> Any:
        with timed() as call:
            return note(call, await value)

    def plain(*args: Any, **given: Any) -> Any:
        with timed() as call:
            value = each.function(*args, **given)
            if not hasattr(value, "__await__"):
                return note(call, value)
        calls.remove(call)  # a function that gives something to wait for: what it does then is the call
        return ended(value)

    return replace(each, function=waiting if each.awaits else plain)


def short(mode: str, value: Any) -> str:
    """What a hook gave, without its content."""
    if value is None:
        return "nothing" if mode in ("provide", "observe", "lifecycle") else "as it was" if mode == "filter" else "fine"
    if mode == "guard":
        return "refused"
    if isinstance(value, list | tuple):
        return f"{len(value)} {type(value[0]).__name__ if value else 'objects'}"
    return f"changed {type(value).__name__}" if mode == "filter" else type(value).__name__


def run(options: argparse.Namespace) -> int:
    """Asks, and prints the table and the answer."""
    import anyio

    return anyio.run(_run, options)


async def _run(options: argparse.Namespace) -> int:
    from gitu_core.app import Gitu
    from gitu_core.config import load

    given = {"model": options.model} if options.model else {}
    with recording(options.content) as calls, redirect_stdout(sys.stderr):
        async with Gitu(config=load(options.config, home=options.home), **given) as gitu:
            reply = await gitu.send(options.text, user=gitu.house.settings.user)
    if options.json:
        print(hidden(msgspec.json.format(msgspec.json.encode({"reply": reply.status, "calls": calls})).decode()))
    else:
        print(hidden(table(calls)))
        print(hidden(reply.text))
    return 0 if reply.status == "ok" else 1


def table(calls: list[Called]) -> str:
    """The calls in their order."""
    rows = [("hook", "plugin", "ms", "gave"), *((c.hook, c.plugin, f"{c.took:.2f}", c.gave) for c in calls)]
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row, call in zip(rows, [None, *calls], strict=True):
        name = painted(row[0].ljust(wide[0]), 1 if call is None else _COLOURS[call.mode])
        lines.append(f"{name}  {row[1].ljust(wide[1])}  {row[2].rjust(wide[2])}  {row[3]}")
        if call is not None and call.content:
            lines.append(f"    {call.content}")
    return "\n".join(lines)
