"""Notes of each person, kept in the plugin's own store. Numbers are given out once and never again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio

from gitu_core import Host, Label, ToolError, ToolResult
from gitu_core.contracts import CallInfo, Entry, join_all

MAX_TEXT = 10_000
"""The longest note, in characters."""


@dataclass(frozen=True)
class Note:
    """One note; `label` says who influenced it and who may see it."""

    number: int
    text: str
    written: str
    call: str
    label: Label


class Notes:
    """The notes of all people. `now` gives the time in seconds since 1970, UTC."""

    def __init__(self, host: Host, now: Callable[[], float]) -> None:
        self._kv = host.kv
        self._now = now
        self._lock = anyio.Lock()  # two notes at once must not get one number

    async def add(self, info: CallInfo, text: str) -> ToolResult:
        """Keeps *text*.

        The same call again finds the note that it wrote. `ToolError` if there is nothing to keep.
        """
        text = text.strip()
        if not text:
            raise ToolError("the note is empty", hint="pass the words to keep")
        if len(text) > MAX_TEXT:
            raise ToolError(f"the note is longer than {MAX_TEXT} characters", hint="keep it in several notes")
        person = person_of(info)
        async with self._lock:
            found = await self.written_by(info)
            if found is None:
                number = await self._next_number(person)
                written = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
                value = {"text": text, "written": written, "call": info.key}
                await self._kv.put(Entry(key=_key(person, number), value=value, person=person, label=info.label))
                found = Note(number, text, written, info.key, info.label)
        return added(found)

    async def find(self, info: CallInfo, query: str) -> ToolResult:
        """The notes that hold every word of *query*, the newest first."""
        everything = await self._all(person_of(info))
        words = query.casefold().split()
        hits = [each for each in reversed(everything) if all(word in each.text.casefold() for word in words)]
        listed = [{"number": each.number, "text": each.text, "written": each.written} for each in hits]
        label = join_all(each.label for each in hits)
        fields = {f"notes.{n}": each.label for n, each in enumerate(hits) if each.label != label}
        about = f" about {query.strip()!r}" if words else ""
        if not hits:
            text = f"There are no notes{about}."
        else:
            lines = "\n".join(f"{each.number}. {each.text}" for each in hits)
            text = f"{len(hits)} note{'s' if len(hits) > 1 else ''}{about}:\n{lines}"
        return ToolResult(content={"notes": listed, "text": text}, label=label, fields=fields)

    async def remove(self, info: CallInfo, number: int) -> ToolResult:
        """Erases a note. `ToolError` names the numbers there are, if there is no such note."""
        person = person_of(info)
        if await self._kv.delete(_key(person, number)):
            return removed(number)
        numbers = [each.number for each in await self._all(person)]
        known = f"the notes are {', '.join(map(str, numbers[-20:]))}" if numbers else "there are no notes"
        raise ToolError(f"there is no note {number}", hint=known)

    async def exists(self, info: CallInfo, number: int) -> bool:
        """True if the person has a note with this number."""
        return await self._kv.get(_key(person_of(info), number)) is not None

    async def was_given(self, info: CallInfo, number: int) -> bool:
        """True if there is or was a note with this number."""
        last = await self._kv.get(_counter(person_of(info)))
        return last is not None and 0 < number <= int(last.value)

    async def written_by(self, info: CallInfo) -> Note | None:
        """The note that an earlier try of the same call wrote, or None."""
        notes = await self._all(person_of(info))
        return next((each for each in reversed(notes) if info.key and each.call == info.key), None)

    async def _all(self, person: str) -> list[Note]:
        entries = await self._kv.list(f"note/{person}/", person)
        return [_note(each) for each in entries]

    async def _next_number(self, person: str) -> int:
        """Counts before the note is written: a crash in between leaves a gap, never a number twice."""
        last = await self._kv.get(_counter(person))
        number = int(last.value) + 1 if last is not None else 1
        await self._kv.put(Entry(key=_counter(person), value=number, person=person))
        return number


def added(note: Note) -> ToolResult:
    """The result of writing *note*."""
    return ToolResult(content={"number": note.number, "text": f"Noted as number {note.number}: {note.text}"})


def removed(number: int) -> ToolResult:
    """The result of erasing a note."""
    return ToolResult(content={"number": number, "text": f"Note {number} is gone."})


def person_of(info: CallInfo) -> str:
    """The person on whose behalf a call runs. `ToolError` if it runs for nobody."""
    kind, _, person = info.principal.partition(":")
    if kind != "user" or not person:
        raise ToolError("notes belong to a person, and this call has none", hint="ask in a conversation of a person")
    return person


def _key(person: str, number: int) -> str:
    # Padded, so that the store's order by key is the order of the numbers.
    return f"note/{person}/{number:09}"


def _counter(person: str) -> str:
    return f"last/{person}"


def _note(entry: Entry) -> Note:
    value: dict[str, Any] = entry.value
    number = int(entry.key.rpartition("/")[2])
    return Note(number, value["text"], value["written"], value.get("call", ""), entry.label)
