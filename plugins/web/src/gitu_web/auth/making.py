"""The doors of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gitu_web.auth.doors import Doors, origin_of
from gitu_web.settings import Settings

if TYPE_CHECKING:
    from gitu_core.contracts import Host


def doors_of(host: Host) -> Doors:
    """The doors of the server that *host*'s configuration describes."""
    settings = Settings.of(host.config)
    # What listens everywhere has no address of its own; who is shown this one sits at the machine.
    home = settings.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    here = [f"http://{name}:{settings.port}" for name in ("127.0.0.1", "localhost", "[::1]") if settings.loopback]
    return Doors(host, dict.fromkeys([origin_of(home), *here]), settings.owner, own=settings.own_origin)
