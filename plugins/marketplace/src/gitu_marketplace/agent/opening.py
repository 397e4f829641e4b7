"""How a server is reached: the program to start, or the address to ask, with places and secrets put in."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitu_marketplace.agent.agreed import Server
from gitu_marketplace.agent.pipes import Program

if TYPE_CHECKING:
    from gitu_core import Host
    from gitu_marketplace.agent.web import Through

_SECRET = re.compile(r"\$\{([A-Z][A-Z0-9_]{0,63})\}")


async def program(server: Server, root: Path, data: str, host: Host) -> Program:
    """The program of a server, not started yet. *root* and *data* are the places that it may name."""
    places = {"PLUGIN_ROOT": str(root), "PLUGIN_DATA": data}

    def expanded(text: str) -> str:
        return re.sub(r"\$\{(PLUGIN_ROOT|PLUGIN_DATA)\}", lambda found: places[found[1]], text)

    async def filled(text: str) -> str:
        """Every part is put in once: what a secret holds is not looked into."""
        values = {name: places.get(name) or await host.secrets.reveal(name) for name in _SECRET.findall(text)}
        return _SECRET.sub(lambda found: values[found[1]], text)

    command = str(root / server.command) if server.command.startswith("./") else server.command
    env = {name: await filled(value) for name, value in server.env.items()}
    cwd = root / expanded(server.cwd)  # an absolute path counts alone
    return Program([command, *map(expanded, server.args)], env | places, str(cwd))


async def address(server: Server, host: Host, stack: AsyncExitStack) -> tuple[Through, Any]:
    """The transport of the library for an address, and what sends its requests; both end with *stack*."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    from gitu_marketplace.agent.web import Through

    headers = {name: _SECRET.sub(r"{secret:\1}", value) for name, value in server.headers.items()}
    through = Through(host, headers)
    client = await stack.enter_async_context(httpx2.AsyncClient(transport=through, timeout=None, trust_env=False))
    return through, streamable_http_client(server.url, http_client=client)
