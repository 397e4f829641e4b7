"""The doors of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitu_web.auth.doors import Doors, origin_of

if TYPE_CHECKING:
    from gitu_core.contracts import Host

PORT = 8765


def doors_of(host: Host) -> Doors:
    """The doors of the server that *host*'s configuration describes."""
    config = host.config
    port = config.get("port", PORT)
    here = [f"http://{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")]
    public = config.get("public_url", "")
    return Doors(host, [*([origin_of(public)] if public else []), *here], config.get("owner", "local"))
