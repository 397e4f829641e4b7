"""A terminal's side of pairing: talks to a server about this device's credentials."""

from __future__ import annotations

import json
import platform
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import httpx
import msgspec

from gitu_core.errors import AuthFailed, GituError, NotReady, RateLimited, Rejected
from gitu_web.auth.devices import Pair
from gitu_web.auth.doors import origin_of
from gitu_web.auth.keep import Keep, Kept, alone

SECONDS, EARLY = 15.0, 60.0
"""How long an answer may take; how long before its end an access credential is replaced."""


TRIES, AGAIN, REFUSED = 3, 1.0, 1008
"""How often to try to wait on a connection, seconds in between, and how the server closes one that it does not want."""

SEE = "see whether this is a Gitu server"


def name_of_this() -> str:
    """What this device is called where nobody says another name."""
    return socket.gethostname()[:80] or "terminal"


class Question(msgspec.Struct):
    """What the server says to a device that asks: see `MadeAsk`."""

    id: str
    secret: str
    words: str
    url: str
    expires_in: float


class Told(msgspec.Struct):
    """What the server knows of this device."""

    id: str
    person: str
    name: str
    scopes: tuple[str, ...]
    ends: float


Answer = TypeVar("Answer")


class Remote:
    """One server. *keep* holds the credentials of this device. `InputError` where *server* is no address."""

    def __init__(self, server: str, keep: Keep) -> None:
        self.server, self.keep = origin_of(server.rstrip("/")), keep

    async def pair(self, code: str, name: str) -> Pair:
        """Shows a code, keeps what it is good for."""
        body = {"code": code, "name": name, "kind": "terminal"}
        return self._keep(await self._ask("POST", "/v1/auth/pair", Pair, body))

    async def ask(self, name: str, show: Callable[[str, str, float], None]) -> Pair | None:
        """Asks to be let in: *show* is given the address, the words to compare and the seconds; then waits. None where
        nobody said yes in time. `Rejected` where somebody said no, `NotReady` where waiting does not work."""
        body = {"name": name, "system": platform.platform(terse=True)}
        asked = await self._ask("POST", "/v1/pairings", Question, body)
        show(asked.url, asked.words, asked.expires_in)
        told = await self._answer(asked)
        if told.get("state") == "refused":
            raise Rejected("somebody said no", hint="ask again when they are ready, or use a code: gitu auth CODE")
        return self._keep(_read(told.get("credentials"), Pair)) if told.get("state") == "accepted" else None

    async def _answer(self, asked: Question) -> dict[str, Any]:
        """Waits for the answer; a connection that breaks meanwhile is made again."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, WebSocketException

        address = f"ws{self.server.removeprefix('http')}/v1/pairings/{asked.id}/wait"
        ends, tries, error = time.monotonic() + asked.expires_in, TRIES, Exception("it took too long")
        while tries and time.monotonic() < ends:
            try:
                async with connect(address, open_timeout=SECONDS, proxy=None) as wire:
                    await wire.send(json.dumps({"secret": asked.secret}))
                    tries = TRIES
                    told = json.loads(await wire.recv())
                    return told if isinstance(told, dict) else {}
            except (OSError, WebSocketException, ValueError, TimeoutError) as raised:
                error = raised
                if isinstance(raised, ConnectionClosed) and raised.rcvd is not None and raised.rcvd.code == REFUSED:
                    break
            tries -= 1
            await anyio.sleep(AGAIN)
        what = f"the connection on which to wait does not work: {error}"
        raise NotReady(what, hint="use a code: gitu auth CODE") from error

    async def refresh(self, used: str = "") -> Pair:
        """The next pair; where another process got one after the access credential *used*, that."""
        async with alone(self.keep.home):
            kept = self._kept()
            if used and kept.pair.access != used:
                return kept.pair
            return self._keep(await self._ask("POST", "/v1/auth/refresh", Pair, {"refresh": kept.pair.refresh}))

    async def token(self) -> str:
        """An access credential that counts for a while."""
        kept = self._kept()
        fresh = kept.access_until - EARLY > time.time()
        return kept.pair.access if fresh else (await self.refresh(kept.pair.access)).access

    async def status(self) -> Told:
        """What the server knows of this device."""
        return await self._signed_in("GET", "/v1/auth/status", Told)

    async def logout(self) -> bool:
        """Unlinks this device and forgets its credentials; False where the server could not be told."""
        try:
            await self._signed_in("POST", "/v1/auth/logout", dict)
        except AuthFailed:
            pass
        except GituError:
            return False
        finally:
            self.keep.forget()
        return True

    async def _signed_in(self, method: str, path: str, kind: type[Answer]) -> Answer:
        """Asks with the access credential; one that is over, whatever the clock here says, is replaced once."""
        token = await self.token()
        try:
            return await self._ask(method, path, kind, token=token)
        except AuthFailed:
            return await self._ask(method, path, kind, token=(await self.refresh(token)).access)

    def _kept(self) -> Kept:
        kept = self.keep.load()
        if kept is None or kept.server != self.server:
            raise AuthFailed(
                "this terminal is not paired", hint="have a code made in the console, then: gitu auth CODE"
            )
        return kept

    def _keep(self, pair: Pair) -> Pair:
        self.keep.save(Kept(self.server, pair, time.time() + pair.expires_in))
        return pair

    async def _ask(self, method: str, path: str, kind: type[Answer], body: Any = None, token: str = "") -> Answer:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
                found = await client.request(method, self.server + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            what = f"{self.server} does not answer: {str(error) or type(error).__name__}"
            raise NotReady(what, hint="see whether it runs, and under which address") from error
        if not found.is_success:
            raise _problem(found)
        try:
            return _read(found.json() if found.content else {}, kind)
        except ValueError as error:
            raise Rejected(f"{self.server} does not answer as a Gitu server does", hint=SEE) from error


def _read(value: Any, kind: type[Answer]) -> Answer:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Rejected(f"the server does not answer as a Gitu server does: {error}", hint=SEE) from error


def _problem(found: httpx.Response) -> GituError:
    """What a server says went wrong, as our own error."""
    try:
        told = found.json()
        detail, hint = _line(str(told["detail"])), _line(str(told.get("hint", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        detail, hint = f"the server answered with {found.status_code}", SEE
    kind = {401: AuthFailed, 403: AuthFailed, 503: NotReady}.get(found.status_code, Rejected)
    if found.status_code == 429:
        wait = found.headers.get("retry-after", "")
        return RateLimited(detail, hint=hint, retry_after=float(wait) if wait.isdecimal() else 60.0)
    return kind(detail, hint=hint)


def _line(text: str) -> str:
    """What a server said, without anything that would steer a terminal."""
    return "".join(filter(str.isprintable, text))[:300]
