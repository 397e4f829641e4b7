"""A host that holds what the doors ask for, and a site on it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from gitu_core.contracts import Account, Conversation, Entry
from gitu_core.contracts.people import Linking, Person, Speaker
from gitu_core.errors import GituError, NotReady
from gitu_web.auth import browser, rest
from gitu_web.auth.doors import Doors
from gitu_web.problems import on_crash, on_gitu_error, on_http_error
from gitu_web.site import Site

HOME = "http://127.0.0.1:8765"


class Store:
    """Small values, in memory; each call lets others run, as a database does."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    async def get(self, key: str) -> Entry | None:
        """One of them."""
        await asyncio.sleep(0)
        return self.entries.get(key)

    async def put(self, entry: Entry) -> None:
        """Keeps one."""
        await asyncio.sleep(0)
        self.entries[entry.key] = msgspec.structs.replace(entry, value=msgspec.to_builtins(entry.value))

    async def delete(self, key: str) -> bool:
        """Removes one."""
        await asyncio.sleep(0)
        return self.entries.pop(key, None) is not None

    async def list(self, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """Some of them."""
        await asyncio.sleep(0)
        found = sorted(self.entries.items())
        return [each for key, each in found if key.startswith(prefix) and person in ("", each.person)]


class People:
    """Users and their accounts."""

    def __init__(self) -> None:
        self.all = {"local": Person("local")}
        self.accounts: dict[str, str] = {}

    async def person(self, id: str) -> Person | None:
        """One of them."""
        return self.all.get(id)

    async def known(self, account: Account) -> Speaker | None:
        """Whose an account is."""
        owner = self.accounts.get(account.id)
        return Speaker(self.all[owner]) if owner else None

    async def link(self, account: Account, person: str, new: bool = False) -> Linking:
        """Gives an account to a person."""
        if new:
            self.all[person] = Person(person)
        self.accounts[account.id] = person
        return Linking(account, self.all[person])

    async def disabled(self) -> Sequence[str]:
        """Who is switched off."""
        return [each.id for each in self.all.values() if not each.enabled]

    def disable(self, person: str) -> None:
        """Switches one of them off."""
        self.all[person] = msgspec.structs.replace(self.all[person], enabled=False)


class Admin:
    """The facet, as far as the doors use it."""

    def __init__(self) -> None:
        self.people = People()
        self.said: list[tuple[str, str]] = []

    async def say(self, person: str, text: str, where: Conversation | None = None, by: str = "") -> str:
        """Says something to a person, who never spoke anywhere before."""
        if where is None:
            raise NotReady(f"{person} never spoke in private")
        self.said.append((person, text))
        return "said"


class HostHere:
    """The facets that the plugin declares."""

    plugin = "web"

    def __init__(self, **config: Any) -> None:
        self.config = config
        self.kv, self.admin = Store(), Admin()


class Watch:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        """Now."""
        return self.at


class House:
    """The doors, their site, and whoever talks to it."""

    def __init__(self, origins: Sequence[str] = (HOME,)) -> None:
        self.host, self.now = HostHere(), Watch()
        self.doors = Doors(cast(Any, self.host), origins, now=self.now)
        self.app = Starlette(
            routes=[*rest.routes(), *browser.routes()],
            exception_handlers={GituError: on_gitu_error, HTTPException: on_http_error, Exception: on_crash},
        )
        self.app.state.site = Site(
            cast(Any, self.host), cast(Any, None), cast(Any, None), self.doors, cast(Any, None), self.doors
        )

    def client(self, token: str = "", address: str = "10.0.0.1", **headers: str) -> httpx.AsyncClient:
        """Somebody who talks to the site."""
        if token:
            headers["authorization"] = f"Bearer {token}"
        transport = httpx.ASGITransport(self.app, client=(address, 1), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=self.doors.origins[0], headers=headers)

    async def paired(self, person: str = "local", scopes: tuple[Any, ...] = ("chat",), name: str = "phone") -> Any:
        """The credentials of a new device."""
        code = await self.doors.codes.make(person, scopes)
        async with self.client() as client:
            return (await client.post("/v1/auth/pair", json={"code": code, "name": name})).json()

    async def signed_in(self, person: str = "local") -> tuple[httpx.AsyncClient, str]:
        """A browser that is signed in, and its CSRF token."""
        url = await self.doors.link(person)
        async with self.client() as client:
            done = await client.post("/auth/sign-in", data={"code": url.partition("code=")[2]})
            assert done.status_code == 303, done.text
            cookie = client.cookies[self.doors.cookie]
        browser = self.client()
        browser.cookies.set(self.doors.cookie, cookie)
        return browser, (await self.doors.devices.signer()).csrf(cookie)


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The site on a real server; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        house.doors.origins = (url,)
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="error", lifespan="off"))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server.serve([listening]))
        while not server.started:  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.01)
        try:
            yield url
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await task
