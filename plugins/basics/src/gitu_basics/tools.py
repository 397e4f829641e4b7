"""The tools. Their descriptions and examples let a plain comparison of words find the right one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from gitu_basics import clock as clocks
from gitu_basics import units
from gitu_basics.calculator import evaluate
from gitu_basics.notes import Notes, added, removed
from gitu_basics.numbers import is_exact, short, show
from gitu_core import Host, Role, Tool, ToolContext, ToolResult, tool
from gitu_core.contracts import ErrorInfo

_PURE = {"": "system"}  # made from the arguments alone, whose labels the caller joins


def make_tools(host: Host, now: Callable[[], float] = time.time) -> Sequence[Tool]:
    """Every tool. *now* gives seconds since 1970, UTC."""
    return (make_clock(host, now), calculate, convert, *make_notes(Notes(host, now)))


def make_clock(host: Host, now: Callable[[], float]) -> Tool:
    """The tool ``clock``; its zone without a place is the setting ``time_zone``, else this machine's."""

    @tool(
        writers=_PURE,
        timeout=5,
        examples=(
            "What time is it?",
            "What time is it in Tokyo?",
            "What is today's date?",
            "What day is it today?",
            "Current time in New York",
            "time in London now",
            "Which day of the week is it in Sydney?",
        ),
    )
    async def clock(place: Annotated[str, Role("place")] = "") -> clocks.LocalTime:
        """Tells the current time, date and day of the week, in any city, country or time zone.

        Args:
            place: A city, country or time zone, such as Tokyo, Japan or Europe/Rome. Empty means here.
        """
        return clocks.tell_time(now(), place, str(host.config.get("time_zone", "")))

    return clock


@tool(
    writers=_PURE,
    timeout=5,
    examples=(
        "What is 17 * 23?",
        "Calculate 15% of 80",
        "What is 2 + 2?",
        "How much is 12.5 times 8?",
        "square root of 144",
        "Compute (3 + 4) * 5",
        "What is 100 divided by 7?",
        "2 to the power of 10",
    ),
)
async def calculate(expression: Annotated[str, Role("query")]) -> dict[str, Any]:
    """Calculates arithmetic exactly: plus, minus, times, divided by, powers, percentages, roots, logarithms.

    Args:
        expression: The expression, such as 15% of 80, (2 + 3) * 4 or sqrt(2).
    """
    value = evaluate(expression)
    exact = is_exact(value)
    sign = "=" if exact and short(value) == show(value) else "≈"
    asked = " ".join(expression.split()).rstrip("?= ")
    return {"result": show(value), "exact": exact, "text": f"{asked} {sign} {short(value)}"}


@tool(
    writers=_PURE,
    timeout=5,
    examples=(
        "Convert 5 miles to kilometres",
        "How many pounds are 70 kg?",
        "What is 100 Fahrenheit in Celsius?",
        "10 inches in cm",
        "Convert 2 cups to millilitres",
        "How many feet in a mile?",
        "3 hours in minutes",
    ),
)
async def convert(
    value: Annotated[float, Role("query")],
    source: Annotated[str, Role("option")],
    target: Annotated[str, Role("option")],
) -> units.Converted:
    """Converts units: length, mass and weight, temperature, volume, area, speed, time, data, energy,
    pressure.

    Args:
        value: How many of the source unit.
        source: The unit to convert from, such as miles, kg or Fahrenheit.
        target: The unit to convert to, such as kilometres, pounds or Celsius.
    """
    return units.convert(value, source, target)


def make_notes(book: Notes) -> Sequence[Tool]:
    """The tools ``note``, ``notes`` and ``forget_note``."""
    return _note(book), _notes(book), _forget_note(book)


def _note(book: Notes) -> Tool:
    async def verify(context: ToolContext[None], text: str) -> ToolResult:
        found = await book.written_by(context.info)
        return added(found) if found is not None else _did_not_happen("the note was not written")

    @tool(
        effects=("write",),
        reversible=True,
        verify=verify,
        timeout=10,
        examples=(
            "Note that the key is under the mat",
            "Remember to buy milk",
            "Take a note: call Anna tomorrow",
            "Write down that my locker is 42",
            "Make a note of this",
        ),
    )
    async def note(context: ToolContext[None], text: Annotated[str, Role("body")]) -> ToolResult:
        """Takes a note: writes something down and remembers it for later. Gives the note's number.

        Args:
            text: What to write down, in the user's own words.
        """
        return await book.add(context.info, text)

    return note


def _notes(book: Notes) -> Tool:
    @tool(
        writers={"notes.*.text": "principal"},
        timeout=10,
        examples=(
            "Show my notes",
            "List all notes",
            "What did I note about Anna?",
            "Search my notes for locker",
            "What notes do I have?",
            "Read my notes",
        ),
    )
    async def notes(context: ToolContext[None], query: Annotated[str, Role("query")] = "") -> ToolResult:
        """Lists, shows, reads or searches the user's saved notes, the newest first.

        Args:
            query: Words that the notes must hold. Empty lists all notes.
        """
        return await book.find(context.info, query)

    return notes


def _forget_note(book: Notes) -> Tool:
    async def verify(context: ToolContext[None], number: int) -> ToolResult:
        if await book.exists(context.info, number):
            return _did_not_happen(f"note {number} is still there")
        if await book.was_given(context.info, number):
            return removed(number)
        return _did_not_happen(f"there never was a note {number}")

    @tool(
        effects=("write",),
        verify=verify,
        timeout=10,
        examples=("Forget note 3", "Delete note number 2", "Remove note 5", "Erase my note 1"),
    )
    async def forget_note(context: ToolContext[None], number: Annotated[int, Role("reference:note")]) -> ToolResult:
        """Forgets one note: deletes, removes, erases it for good, by its number.

        Args:
            number: The number of the note.
        """
        return await book.remove(context.info, number)

    return forget_note


def _did_not_happen(what: str) -> ToolResult:
    return ToolResult("error", error=ErrorInfo(code="tool", message=what, hint="it can be tried again"))
