"""The library's client, with what it lacks."""

from __future__ import annotations

import logging

import anyio
from nats.aio.client import Client
from nats.errors import Error

__all__ = ["Client", "SafeClient", "close"]

log = logging.getLogger("gitu.plugins.nats")


class SafeClient(Client):
    """Never logs in unencrypted where ``tls://`` was asked for, and always tells that it was closed."""

    def _connect_command(self) -> bytes:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise Error("the server offers no TLS")
        return super()._connect_command()

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        # What is left to be sent is dropped. Sent over a connection that is gone it would raise out of the middle of
        # closing, and nobody would be told. Who closes in order has flushed before.
        self._pending, self._pending_data_size = [], 0
        await super()._close(status, do_cbs)


async def close(client: Client) -> None:
    """Closes a connection, whatever state it is in, within a second."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(1):
        try:
            await client.close()
        except Exception as error:  # noqa: BLE001 - one that cannot even be closed is left to the collector
            log.debug("closing a connection: %r", error)
