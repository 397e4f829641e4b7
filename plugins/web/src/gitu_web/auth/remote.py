"""A terminal's side of pairing: talks to a server about this device's credentials."""

from __future__ import annotations

import json
import platform
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from gitu_core.errors import AuthFailed, GituError, InputError, NotReady, RateLimited, Rejected
from gitu_web.auth.devices import Pair
from gitu_web.auth.keep import Keep, Kept

SECONDS, EARLY = 15.0, 60.0
"""How long an answer may take; how long before its end an access credential is replaced."""


def name_of_this() -> str:
    """What this device is called where nobody says another name."""
    return socket.gethostname()[:80] or "terminal"


class Remote:
    """One server. *keep* holds the credentials of this device."""

    def __init__(self, server: str, keep: Keep) -> None:
        self.server, self.keep = server.rstrip("/"), keep
        if not self.server.startswith(("https://", "http://")):
            raise InputError(f"{server!r} is not the address of a server", hint="write --server https://HOST")

    async def pair(self, code: str, name: str) -> Pair:
        """Shows a code, keeps what it is good for."""
        told = await self._ask("POST", "/v1/auth/pair", {"code": code, "name": name, "kind": "terminal"})
        return self._keep(told)

    async def ask(self, name: str, show: Callable[[str, str, float], None]) -> Pair | None:
        """Asks to be let in: *show* is given the address, the words to compare and the seconds; then waits. None where
        nobody said yes in time. `Rejected` where somebody said no."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        asked = await self._ask("POST", "/v1/pairings", {"name": name, "system": platform.platform(terse=True)})
        show(asked["url"], asked["words"], asked["expires_in"])
        address = f"ws{self.server.removeprefix('http')}/v1/pairings/{asked['id']}/wait"
        try:
            async with connect(address, open_timeout=SECONDS, proxy=None) as wire:
                await wire.send(json.dumps({"secret": asked["secret"]}))
                told = json.loads(await wire.recv())
        except (OSError, WebSocketException, ValueError, TimeoutError) as error:
            raise NotReady(f"the server ended the connection: {error}", hint="use a code: gitu auth CODE") from error
        if told.get("state") == "refused":
            raise Rejected("somebody said no", hint="ask again when they are ready, or use a code: gitu auth CODE")
        return self._keep(told["credentials"]) if told.get("state") == "accepted" else None

    async def refresh(self) -> Pair:
        """The next pair."""
        kept = self._kept()
        return self._keep(await self._ask("POST", "/v1/auth/refresh", {"refresh": kept.pair.refresh}))

    async def token(self) -> str:
        """An access credential that counts for a while."""
        kept = self._kept()
        return kept.pair.access if kept.access_until - EARLY > time.time() else (await self.refresh()).access

    async def status(self) -> dict[str, Any]:
        """What the server knows of this device."""
        told: dict[str, Any] = await self._ask("GET", "/v1/auth/status", token=await self.token())
        return told

    async def logout(self) -> bool:
        """Unlinks this device and forgets its credentials; False where the server could not be told."""
        try:
            await self._ask("POST", "/v1/auth/logout", token=await self.token())
        except AuthFailed:
            pass
        except GituError:
            return False
        finally:
            self.keep.forget()
        return True

    def _kept(self) -> Kept:
        kept = self.keep.load()
        if kept is None or kept.server != self.server:
            raise AuthFailed(
                "this terminal is not paired", hint="have a code made in the console, then: gitu auth CODE"
            )
        return kept

    def _keep(self, told: Any) -> Pair:
        pair = msgspec.convert(told, Pair)
        self.keep.save(Kept(self.server, pair, time.time() + pair.expires_in))
        return pair

    async def _ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
                found = await client.request(method, self.server + path, json=body, headers=headers)
        except httpx.HTTPError as error:
            what = f"{self.server} does not answer: {str(error) or type(error).__name__}"
            raise NotReady(what, hint="see whether it runs, and under which address") from error
        if found.is_success:
            return found.json() if found.content else {}
        raise _problem(found)


def _problem(found: httpx.Response) -> GituError:
    """What a server says went wrong, as our own error."""
    try:
        told = found.json()
        detail, hint = str(told["detail"])[:300], str(told.get("hint", ""))[:300]
    except (ValueError, KeyError, TypeError):
        detail, hint = f"the server answered with {found.status_code}", "see whether this is a Gitu server"
    kind = {401: AuthFailed, 403: AuthFailed, 503: NotReady}.get(found.status_code, Rejected)
    if found.status_code == 429:
        return RateLimited(detail, hint=hint, retry_after=float(found.headers.get("retry-after", 60)))
    return kind(detail, hint=hint)
