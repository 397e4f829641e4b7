"""What the plugin is told, and the names that follow from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import urlsplit

CONSUMER = "workers"
"""The durable consumer that all workers of one prefix share."""

_PLAIN = re.compile(r"[A-Za-z0-9_:-]{1,128}")


@dataclass(frozen=True)
class Settings:
    """The plugin's configuration; its schema in ``gitu-plugin.toml`` says what each value means."""

    servers: tuple[str, ...] = ("nats://127.0.0.1:4222",)
    prefix: str = "gitu"
    user: str = ""
    storage: Literal["file", "memory"] = "file"
    replicas: int = 1
    ack_wait: float = 30.0
    max_turns: int = 512
    max_ack_pending: int = 20_000

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """The settings that a plugin's checked configuration holds."""
        given = {each.name: config[each.name] for each in fields(cls) if each.name in config}
        return cls(**{**given, "servers": tuple(with_port(url) for url in given.get("servers", cls.servers))})

    @property
    def lanes(self) -> str:
        """The subjects that the stream keeps."""
        return f"{self.prefix}.lane.*"

    @property
    def notices(self) -> str:
        """The subject of notices, which nothing keeps."""
        return f"{self.prefix}.notice"

    def subject(self, lane: str) -> str:
        """The subject of a lane."""
        return f"{self.prefix}.lane.{token(lane)}"


def with_port(url: str) -> str:
    """An address with a port, the usual one where it names none. The client would take ``tls`` off one without."""
    return url if urlsplit(url).port else f"{url.rstrip('/')}:4222"


def token(lane: str) -> str:
    """A lane's name as one token of a subject. A name that cannot stand there itself is a digest, marked so that no
    plain name is ever taken for one. The name is read from the message, never from its subject."""
    return lane if _PLAIN.fullmatch(lane) else f"={sha256(encode(lane)).hexdigest()}"


def encode(lane: str) -> bytes:
    """A lane's name as the content of a message, whatever characters it has."""
    return lane.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """The name again."""
    return data.decode("utf-8", "surrogatepass")
