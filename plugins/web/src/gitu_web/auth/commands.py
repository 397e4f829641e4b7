"""``gitu auth`` for a terminal that is to be paired, ``gitu web`` for whoever runs the server."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anyio import to_thread

from gitu_core import ToolResult
from gitu_core.contracts import Command, CommandSpec
from gitu_core.errors import AuthFailed, GituError, InputError, NotReady, Rejected
from gitu_web.settings import is_loopback

if TYPE_CHECKING:
    from gitu_core.contracts import Host
    from gitu_web.auth.devices import Pair
    from gitu_web.auth.doors import Doors
    from gitu_web.auth.remote import Remote
    from gitu_web.visitor import Scope

TALK: tuple[Scope, ...] = ("chat",)
EVERYTHING: tuple[Scope, ...] = ("chat", "admin")


def _text(description: str) -> dict[str, str]:
    return {"type": "string", "description": description}


def _spec(command: str, what: str, words: str, /, **more: Any) -> CommandSpec:
    listed = {"type": "array", "items": {"type": "string"}, "description": words}
    return CommandSpec(command, what, {"type": "object", "properties": {"words": listed, **more}})


class AuthCommand:
    """``gitu auth``."""

    spec = _spec(
        "auth", "Pairs this terminal with a server, tells about it, ends it.",
        "CODE from the console of the server; or status, logout, refresh",
        server=_text("the address of the server, https://HOST"), name=_text("what this terminal is called there"),
        qr={"type": "boolean", "description": "show a picture that a signed-in phone or browser lets in"},
        home={"type": "string", "x-gitu": "home"},
    )  # fmt: skip

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Does it; what went wrong is said with the next step."""
        from gitu_web.auth.keep import keep_of
        from gitu_web.auth.remote import Remote, name_of_this

        keep, words = keep_of(Path(arguments["home"])), arguments.get("words", [])
        kept = keep.load() if words != ["logout"] else None
        server = arguments.get("server") or (kept.server if kept else "")
        if words == ["logout"] and not server:
            return await self._logout(keep)
        if not server:
            raise InputError("which server?", hint="say: gitu auth CODE --server https://HOST")
        remote, name = Remote(server, keep), arguments.get("name") or name_of_this()
        if arguments.get("qr"):
            return await self._asks(remote, name)
        if len(words) != 1:
            raise InputError("say one thing", hint="say a code, status, logout or refresh; or --qr")
        if words == ["status"]:
            return await self._status(remote)
        if words == ["refresh"]:
            await remote.refresh()
            return ToolResult(content="The credentials of this terminal are new.")
        return self._paired(remote, await remote.pair(words[0], name))

    async def _asks(self, remote: Remote, name: str) -> ToolResult:
        try:
            pair, why = await remote.ask(name, _show), "Nobody said yes in time."
        except (NotReady, Rejected) as error:
            pair, why = None, f"{error.message[0].upper()}{error.message[1:]}."
        if pair is None:
            code = await to_thread.run_sync(_typed, why, abandon_on_cancel=True)
            if not code:
                said = f"{why} Ask again, or have a code made in the console and say: gitu auth CODE"
                return ToolResult("error", content=said)
            pair = await remote.pair(code, name)
        return self._paired(remote, pair)

    @staticmethod
    def _paired(remote: Remote, pair: Pair) -> ToolResult:
        return ToolResult(content=f"{pair.name} is paired with {remote.server} as {pair.person}; "
                                  f"its credentials are in {remote.keep.place}{_open(remote.server)}")  # fmt: skip

    async def _status(self, remote: Remote) -> ToolResult:
        try:
            told = await remote.status()
        except AuthFailed as error:
            return ToolResult("error", content=f"{remote.server}: {error.message}\nnext: {error.hint}")
        until = time.strftime("%Y-%m-%d", time.localtime(told.ends))
        lines = [f"server   {remote.server}", f"user     {told.person}", f"device   {told.name} ({told.id})",
                 f"may      {', '.join(told.scopes)}", f"until    {until}, a refresh begins anew",
                 f"kept in  {remote.keep.place}"]  # fmt: skip
        return ToolResult(content="\n".join(lines))

    async def _logout(self, keep: Any) -> ToolResult:
        from gitu_web.auth.remote import Remote

        try:
            kept = keep.load()
        except GituError:  # what cannot be read is forgotten all the same
            kept = None
        if kept is None:
            keep.forget()
            return ToolResult(content="This terminal is not paired.")
        if await Remote(kept.server, keep).logout():
            return ToolResult(content=f"This terminal is not paired with {kept.server} any more.")
        return ToolResult(content=f"The credentials are gone from here; {kept.server} could not be told: "
                                  "unlink the device in its console.")  # fmt: skip


def _typed(why: str) -> str:
    """The code that somebody types in place of it; empty where nobody sits there."""
    if not sys.stdin.isatty():
        return ""
    print(f"{why} Have a code made in the console, and type it here, or nothing to stop.", file=sys.stderr)
    try:
        return input("Code: ").strip()
    except EOFError:
        return ""


def _open(server: str) -> str:
    """What is to be said of a connection that others can read."""
    parts = urlsplit(server)
    plain = parts.scheme == "http" and not is_loopback(parts.hostname or "")
    return ". The connection is not encrypted: others on the way can read it" if plain else ""


def _show(url: str, words: str, seconds: float) -> None:
    """Shows what is asked, as a picture and in words."""
    import segno

    out = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(out, compact=True, border=2)
    print(f"{out.getvalue()}\nOpen it with a phone or browser that is signed in: {url}\nIt shows: {words}\n"
          f"Waiting for a yes, {seconds:.0f} seconds ...", file=sys.stderr, flush=True)  # fmt: skip


class WebCommand:
    """``gitu web``."""

    spec = _spec(
        "web", "Lets people and programs in to the web server, and tells who is.",
        "link, code, key NAME, devices, or unlink DEVICE", user=_text("for this user (default: the owner)"),
        admin={"type": "boolean", "description": "with code and key: it may look after the whole installation"},
    )  # fmt: skip

    def __init__(self, host: Host) -> None:
        self._host = host

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Does it."""
        from gitu_web.auth.making import doors_of

        doors, words = doors_of(self._host), list(arguments.get("words", []))
        person, admin = arguments.get("user") or doors.owner, bool(arguments.get("admin"))
        match words:
            case ["link"]:
                url = await doors.link(person, EVERYTHING if admin or person == doors.owner else TALK)
                said = f"Open this within 15 minutes; it counts once:\n{url}"
            case ["code"]:
                code = await doors.codes.make(person, EVERYTHING if admin else TALK)
                said = f"{code}\nWithin 5 minutes, on the other device: gitu auth {code} --server {doors.origins[0]}"
            case ["key", name]:
                said = await doors.key(person, name, EVERYTHING if admin else TALK)
            case ["devices"]:
                said = await self._devices(doors, arguments.get("user") or "")
            case ["unlink", id]:
                if not await doors.devices.unlink(id):
                    raise InputError(f"there is no device {id}", hint="list them with: gitu web devices")
                said = f"{id} is unlinked"
            case _:
                raise InputError("this was not understood", hint="see: gitu web --help")
        return ToolResult(content=said)

    @staticmethod
    async def _devices(doors: Doors, person: str) -> str:
        rows: list[Sequence[str]] = [("device", "user", "name", "kind", "may", "last used", "from")]
        for each in await doors.devices.all(person):
            seen = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.seen))
            rows.append((each.id, each.person, each.name, each.kind, "+".join(each.scopes), seen, each.address))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)


def make_commands(host: Host) -> list[Command]:
    """Both."""
    return [AuthCommand(), WebCommand(host)]
