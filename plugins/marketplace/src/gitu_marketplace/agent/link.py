"""The connection to one server: made when it is first needed, kept by one task, made again with growing waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from gitu_core.errors import AuthFailed, Denied, GituError, NotReady, Rejected, ToolError, Unknown
from gitu_marketplace.agent import lent
from gitu_marketplace.agent.agreed import Agreed, digest_of

if TYPE_CHECKING:
    from mcp import Client

    from gitu_core import Host
    from gitu_marketplace.agent.pipes import Program
    from gitu_marketplace.agent.web import Through

CONNECT, FIRST, LONGEST = 30.0, 1.0, 60.0
"""Seconds that a server may take to answer at first, and seconds before it is tried again: the first time, at most."""

KEY = "gitu/key"
"""Under which the key of a call stands in its ``_meta``."""

SPARE = 5.0
"""Seconds of a call's time that are left for ending what did not answer."""

FIND_OUT = "find out what was done before trying again"

MOST, LARGEST, PAGES = 128, 16 << 10, 20
"""Tools of one server, bytes of what it says of one, and pages of its list."""


class Said(msgspec.Struct, frozen=True):
    """What a server says of a tool."""

    name: str
    description: str
    schema: Any
    digest: str


class Link:
    """The server *name* of a package whose files lie in *root*."""

    def __init__(self, name: str, agreed: Agreed, root: Path, host: Host) -> None:
        self.name, self.agree = name, f"gitu plugins tools {agreed.id}"
        self._server, self._data, self._root, self._host = agreed.servers[name], agreed.data, root, host
        self._lock = anyio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._said: dict[str, Said] | None = None
        self._program: Program | None = None
        self._through: Through | None = None
        self._why, self._failures, self._again, self._counted = "", 0, 0.0, False

    async def listed(self) -> dict[str, Said]:
        """The tools that it has now, asked for once a connection and whenever it says that they changed."""
        client = await self._ready()
        if self._said is not None:
            return self._said
        from mcp import MCPError

        try:
            with anyio.fail_after(CONNECT):
                self._said = found = await self._list(client)
        except TimeoutError:
            self._fail("it did not tell its tools in time")
        except (MCPError, RuntimeError, ValueError) as error:  # it refuses, or what it says is no list
            self._fail(f"it did not tell its tools: {str(error)[:300]}")
        else:
            return found
        raise NotReady(f"{self._place} {self._why}", hint="try again later")

    async def call(self, name: str, arguments: dict[str, Any], seconds: float, key: str) -> Any:
        """Calls a tool. `Unknown` where it may have begun and nobody knows how it ended. The protocol has no key that
        makes an effect happen once; *key* goes along for servers that know it."""
        meta: Any = {KEY: key}
        client, limit = await self._ready(), max(1.0, seconds - SPARE)
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        try:
            with anyio.fail_after(limit):
                answer = await client.call_tool(name, arguments, read_timeout_seconds=limit, meta=meta)
        except (TimeoutError, MCPError) as error:
            code = error.code if isinstance(error, MCPError) else REQUEST_TIMEOUT
            if self._through is not None and self._through.gone:
                await self._broken("it forgot the session")
            elif self._through is not None and self._through.unread(code):
                await self._broken(f"it answered with what cannot be read: {str(error)[:300]}")
                raise Unknown(f"{self._place} {self._why}", hint=FIND_OUT) from error
            if code in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
                late = code == REQUEST_TIMEOUT
                refused = self._through.failed if self._through else None
                await self._broken(f"it did not answer within {limit:g} s" if late else "")
                if isinstance(refused, NotReady | AuthFailed | Denied):  # the host did not get as far as to send it
                    raise type(refused)(f"{self._place} {self._why}", hint=refused.hint) from None
                raise Unknown(f"{self._place} {self._why}", hint=FIND_OUT) from None
            raise ToolError(f"{self._place} refused: {str(error)[:500]}", hint="see its description") from error
        except (RuntimeError, ValueError) as error:  # what came back does not fit the protocol or its own schema
            what = f"{self._place} answered with what cannot be read: {str(error)[:300]}"
            raise Unknown(what, hint=FIND_OUT) from error
        self._failures = 0
        return answer

    async def close(self) -> None:
        """Ends the connection, and with it a program that was started."""
        task, self._task, self._client, self._said = self._task, None, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    @property
    def _place(self) -> str:
        return f"the server {self.name}:"

    @property
    def _ended(self) -> str:
        """How the connection ended, as far as our side of it knows."""
        if self._program is not None:
            return self._program.why
        return self._through.failed.message if self._through and self._through.failed else ""

    async def _ready(self) -> Client:
        async with self._lock:
            if self._client is not None and self._task is not None and not self._task.done():
                return self._client
            await self.close()
            wait = self._again - time.monotonic()
            if wait > 0:
                what = f"{self._place} {self._why}; it is tried again in {wait:.1f} s"
                raise NotReady(what, hint="try again then")
            return await self._connect()

    async def _connect(self) -> Client:
        ready = anyio.Event()
        self._why, self._counted, self._program, self._through = "", False, None, None
        self._task = asyncio.get_running_loop().create_task(self._live(ready))
        try:
            with anyio.move_on_after(CONNECT):
                await ready.wait()
        finally:
            if self._client is None:
                self._fail(self._why or f"it did not answer within {CONNECT:g} s")
                with anyio.CancelScope(shield=True):
                    await self.close()
        if self._client is None:
            raise NotReady(f"{self._place} {self._why}", hint="see the log and what its package says")
        return self._client

    async def _live(self, ready: anyio.Event) -> None:
        """Enters the connection, keeps it until it ends or is to end, and leaves it, all in one task."""
        try:
            async with self._opened() as (client, over):
                self._client = client
                ready.set()
                await over.wait()
            self._fail("")
        except Exception as error:  # noqa: BLE001 - whatever a server does to the library ends this connection only
            self._why = self._why or self._ended or _words(error)
        finally:
            self._client = None
            ready.set()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[Client, anyio.Event]]:
        lent.prepare()
        from mcp import Client

        async with AsyncExitStack() as stack:
            transport, over = await self._transport(stack)
            client = Client(transport, message_handler=self._heard, cache=None, read_timeout_seconds=CONNECT)
            entered = await stack.enter_async_context(client)
            # Results go to models as text from outside, whatever their shape. A server's own schema for them would only
            # let it keep this process busy: a pattern can take for ever.
            entered.session.validate_tool_result = _unchecked  # type: ignore[method-assign]
            yield entered, over

    async def _transport(self, stack: AsyncExitStack) -> tuple[Any, anyio.Event]:
        """What the library speaks over, and what tells that it ended."""
        from gitu_marketplace.agent import opening

        if self._server.kind == "stdio":
            self._program = await opening.program(self._server, self._root, self._data, self._host)
            return self._program.streams(), self._program.over
        self._through, transport = await opening.address(self._server, self._host, stack)
        return transport, anyio.Event()

    async def _list(self, client: Client) -> dict[str, Said]:
        found: dict[str, Said] = {}
        cursor = None
        for _ in range(PAGES):
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                found[tool.name] = said(tool.name, tool.description or "", tool.input_schema)
            cursor = page.next_cursor
            if len(found) > MOST:
                raise Rejected(f"{self._place} it has more than {MOST} tools", hint="none of them is offered")
            if cursor is None:
                return found
        raise Rejected(f"{self._place} its list of tools does not end", hint="none of them is offered")

    async def _heard(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self._said = None

    async def _broken(self, why: str) -> None:
        self._fail(why)
        wait = self._again - time.monotonic()
        await self.close()
        self._again = time.monotonic() + wait

    def _fail(self, why: str) -> None:
        """The connection failed: the next one waits longer, once for each."""
        self._why = why or self._ended or "the connection ended"
        if self._counted:
            return
        self._counted = True
        self._failures += 1
        self._again = time.monotonic() + min(FIRST * 2 ** (self._failures - 1), LONGEST)


async def _unchecked(name: str, result: Any) -> None:
    """Takes a result as it is."""


def said(name: str, description: str, schema: Any) -> Said:
    """What a server says of a tool; where that is too large, its digest alone."""
    digest = digest_of(description, schema)
    large = len(msgspec.json.encode(schema)) + len(description.encode()) > LARGEST
    return Said(name, "" if large else description, None if large else schema, digest)


def _words(error: BaseException) -> str:
    """The first error of a group that says something."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.message if isinstance(error, GituError) else f"{type(error).__name__}: {str(error)[:300]}"
