"""What the plugin is told."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from gitu_core.errors import ConfigError

MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """The plugin's configuration; its schema in ``gitu-plugin.toml`` says what each value means."""

    host: str = "127.0.0.1"
    port: int = 8765
    public_url: str = ""
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    owner: str = "local"
    max_body: int = 1
    max_file: int = 20
    visitor_rate: int = 600
    address_rate: int = 60
    connections: int = 4096
    kept: int = 500
    kept_days: int = 90

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """The settings that a plugin's checked configuration holds. `ConfigError` where they do not go together."""
        given = {each.name: config[each.name] for each in fields(cls) if each.name in config}
        for name in ("origins", "proxies"):
            given[name] = tuple(str(each).rstrip("/") for each in given.get(name, ()))
        made = cls(**{**given, "public_url": str(given.get("public_url", "")).rstrip("/")})
        if made.public_url and not made.loopback and not made.public_url.startswith("https://"):
            raise ConfigError(f"public_url is {made.public_url}, and host {made.host} can be reached from outside",
                              hint="put a proxy with a certificate before it and write its https:// address",
                              field="public_url")  # fmt: skip
        return made

    @property
    def loopback(self) -> bool:
        """True if only this machine reaches the server."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """The address under which people reach the server, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    def own_origin(self, origin: str, host: str) -> bool:
        """True if a page of *origin* is ours, in a request that is for *host* (its header)."""
        return origin in (self.public_url, f"http://{host}", f"https://{host}") and self.known_host(host)

    def welcome_origin(self, origin: str, host: str) -> bool:
        """True if a page of *origin* may connect."""
        return origin in self.origins or self.own_origin(origin, host)

    def known_host(self, host: str) -> bool:
        """True if a request that names *host* is meant for us: a page that calls itself otherwise and leads here is one
        of somebody else."""
        name = urlsplit(f"//{host}").hostname or ""
        return name in (self.host, urlsplit(self.public_url).hostname) or (
            is_loopback(name) if self.loopback else not self.public_url and _is_address(name)
        )


def is_loopback(name: str) -> bool:
    """True if *name* stands for this machine only."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
