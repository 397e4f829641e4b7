"""The connection to the servers: made, watched, and made again for ever.

The client library can reconnect by itself, but gives up for good after some errors of a server. So it is told not to,
and each connection is a client of its own: whatever happened to the last one, the next begins from nothing.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import anyio
from nats.errors import Error

from gitu_core.contracts import Health
from gitu_core.errors import NotReady
from gitu_nats.client import Client, SafeClient, close
from gitu_nats.settings import Settings
from gitu_nats.troubles import advice, in_words

log = logging.getLogger("gitu.plugins.nats")

CONNECT_WITHIN = 3.0
"""Seconds that one server gets to answer."""

PING_EVERY = 5
"""Seconds between two looks whether the server is still there; after two without an answer it is not."""

STEADY = 5.0
"""Seconds after which a connection counts as a good one: when it breaks, the next is tried at once."""

AT_ONCE = 1.5
"""Seconds that this may take before it is told that there is none."""

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds between two rounds through all servers; doubles, and is shortened by chance so that not all come at once."""

Work = Callable[[Client], Awaitable[None]]


class Link:
    """Keeps one connection. `run` makes it, does *prepare*, then all *works* while it lasts. *secrets* gives what the
    client needs to log in; *told* hears of every outage, and None when there is a connection again."""

    def __init__(self, settings: Settings, prepare: Work, works: Sequence[Work],
                 secrets: Callable[[], Awaitable[dict[str, Any]]],
                 told: Callable[[Health | None], Awaitable[None]]) -> None:  # fmt: skip
        self._settings = settings
        self._prepare = prepare
        self._works = works
        self._secrets = secrets
        self._told = told
        self._servers: dict[str, str | None] = dict.fromkeys(random.sample(settings.servers, len(settings.servers)))
        self._url = ""
        self._client: Client | None = None
        self._lost = anyio.Event()
        self._why = NotReady("not connected yet")
        self.up = False

    async def run(self) -> None:
        """Connects, works, and does so again when the connection is lost, until cancelled."""
        tries, quick = 1, False
        while True:
            try:
                with anyio.move_on_after(AT_ONCE if quick else float("inf")) as limit:
                    await self._open()
                if limit.cancelled_caught:
                    raise self._why
                quick = await self._hold() > STEADY
                trouble: Exception = self._why
            except Exception as error:  # noqa: BLE001 - whatever a server sent, the next try may do better
                trouble, quick = error, False
            await self._end_client()
            tries = 0 if quick else tries + 1
            if tries:
                await self._told(in_words(trouble, self._settings.prefix))
                await anyio.sleep(min(FIRST_PAUSE * 2.0 ** (tries - 1), LONGEST_PAUSE) * random.uniform(0.5, 1))

    def renew(self, why: NotReady) -> None:
        """Ends the connection, so that the next one is made."""
        self._why = why
        self._lost.set()

    async def tell(self, subject: str, data: bytes) -> None:
        """Sends a message that may get lost."""
        if self._client is not None and not self._client.is_closed:
            with suppress(Error, OSError):
                await self._client.publish(subject, data)

    async def end(self) -> None:
        """Closes the connection with everything that was sent over it delivered, or after a second without."""
        self.up = False
        with anyio.CancelScope(shield=True):
            if self._client is not None and not self._client.is_closed:
                with suppress(Error, OSError, TimeoutError):
                    await self._client.flush(1)
            await self._end_client()

    # ---- inside ---------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Makes a connection that can be used. What kept it from being made is raised."""
        self._why = NotReady("the connection was lost")
        self._client = await self._connect()
        await self._prepare(self._client)

    async def _hold(self) -> float:
        """Works over the connection until it is lost; gives for how many seconds it was there."""
        assert self._client is not None
        began = anyio.current_time()
        try:
            async with anyio.create_task_group() as group:
                for work in self._works:
                    group.start_soon(self._work, work, self._client)
                self.up = True
                await self._told(None)
                await self._lost.wait()
                group.cancel_scope.cancel()
        finally:
            self.up = False
        return anyio.current_time() - began

    async def _work(self, work: Work, client: Client) -> None:
        try:
            await work(client)
        except (Error, OSError) as error:
            self.renew(NotReady(str(error) or type(error).__name__))
        except NotReady as error:
            self.renew(error)
        except Exception as error:  # a defect of ours ends this connection and no more
            log.exception("a task of the connection failed")
            self.renew(NotReady(f"{type(error).__name__}: {error}", hint="report it"))

    async def _connect(self) -> Client:
        """A connection to the first server that answers; the one that was there last is asked last."""
        secrets, refusals = await self._secrets(), []
        for url, name in list(self._servers.items()):
            self._servers[url] = self._servers.pop(url)
            client, troubles, self._lost = SafeClient(), list[Exception](), anyio.Event()
            try:
                with anyio.fail_after(CONNECT_WITHIN):
                    await client.connect([url], **self._options(url, name, troubles), **secrets)
                self._url = url
                return client
            except (Error, OSError, TimeoutError, ValueError) as error:
                trouble = troubles[-1] if troubles else error
                refusals.append((url, trouble))
                await close(client)
            except BaseException:  # cancelled on the way: nothing of it stays
                await close(client)
                raise
        told = "; ".join(f"{url}: {str(trouble) or type(trouble).__name__}" for url, trouble in refusals)
        raise NotReady(f"no server can be used ({told})", hint=advice(refusals[0][1]))

    def _options(self, url: str, name: str | None, troubles: list[Exception]) -> dict[str, Any]:
        lost = self._lost

        async def note(error: Exception) -> None:
            troubles.append(error)
            log.debug("connection to %s: %r", url, error)

        async def closed() -> None:
            lost.set()

        named = {"tls_hostname": name} if name else {}
        return {
            "name": f"gitu {self._settings.prefix}", "error_cb": note, "closed_cb": closed, "allow_reconnect": False,
            "max_reconnect_attempts": 1, "reconnect_time_wait": 0, "connect_timeout": CONNECT_WITHIN, "no_echo": True,
            "ping_interval": PING_EVERY, "max_outstanding_pings": 2, **named,
        }  # fmt: skip

    def _learn(self, client: Client) -> None:
        """Takes in the other servers of the cluster, as the last one named them. Where connections are encrypted, one
        that is named by its address has to prove the name of the server that named it."""
        through = self._servers.get(self._url) or urlsplit(self._url).hostname
        found = {f"{each.scheme}://{each.netloc}": each.hostname or "" for each in client.discovered_servers}
        named = {url: through if url.startswith("tls:") and _is_address(host) else None for url, host in found.items()}
        wanted = {**named, **dict.fromkeys(self._settings.servers)}
        order = [url for url in self._servers if url in wanted]
        self._servers = {url: wanted[url] for url in dict.fromkeys([*order, *wanted])}

    async def _end_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._learn(client)
            await close(client)


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
