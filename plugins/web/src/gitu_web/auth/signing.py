"""Credentials as text: signed ones that expire soon, and secrets of which the server keeps a digest alone.

    ga1.<what it says>.<signature>     access: names a device and its generation, until a time
    gr1.<device>.<number>.<secret>.<signature>   refresh: is exchanged for the next pair, once
    gk1.<device>.<secret>              key: for programs, until it is unlinked
    gb1.<device>.<secret>              the cookie of a browser

The number belongs to the format: a server that does not know it refuses the credential.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Literal

import msgspec

Kind = Literal["gr1", "gk1", "gb1"]


class Access(msgspec.Struct, frozen=True):
    """What an access credential says; `ends` is in seconds since 1970, UTC."""

    device: str
    generation: int
    ends: float


class Signer:
    """Signs and checks with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def access(self, device: str, generation: int, ends: float) -> str:
        """An access credential."""
        body = _packed(msgspec.json.encode(Access(device, generation, ends)))
        return f"ga1.{body}.{self._mark('access', body)}"

    def read(self, text: str) -> Access | None:
        """What an access credential says, whether it is over or not; None where it is none of ours."""
        kind, _, rest = text.partition(".")
        body, _, mark = rest.partition(".")
        if kind != "ga1" or not same(mark, self._mark("access", body)):
            return None
        return msgspec.json.decode(_unpacked(body), type=Access)

    def first(self, device: str) -> str:
        """The secret of a device's first refresh credential."""
        return self._numbered(device, 1, new_secret())

    def next(self, device: str, generation: int, secret: str) -> str:
        """The secret that follows *secret*, as number *generation*: always the same, so that an answer which was lost
        can be given again, and made by nobody who lacks the server's key."""
        return self._numbered(device, generation, self._mark("next", f"{device}\0{secret}"))

    def number(self, device: str, secret: str) -> int | None:
        """The generation of a secret that this server gave the device once; None where it never did."""
        number, _, rest = secret.partition(".")
        body, _, mark = rest.partition(".")
        return int(number) if same(mark, self._numbered_mark(device, number, body)) else None

    def _numbered(self, device: str, generation: int, body: str) -> str:
        return f"{generation}.{body}.{self._numbered_mark(device, str(generation), body)}"

    def _numbered_mark(self, device: str, number: str, body: str) -> str:
        return self._mark("refresh", f"{device}\0{number}\0{body}")

    def csrf(self, cookie: str) -> str:
        """What a form has to carry beside the cookie: whoever cannot read the cookie cannot make it."""
        return self._mark("csrf", cookie)

    def _mark(self, use: str, text: str) -> str:
        return _packed(hmac.digest(self._key, f"{use}\0{text}".encode("utf-8", "surrogatepass"), "sha256"))


def new_secret() -> str:
    """256 bits that nobody guesses."""
    return secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """What the server keeps of a secret. It is random, so that no salt and no slow function are needed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def same(one: str, other: str) -> bool:
    """Compares without telling by time how much is equal."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def held(kind: Kind, device: str, secret: str) -> str:
    """A secret credential as text."""
    return f"{kind}.{device}.{secret}"


def parted(text: str) -> tuple[str, str, str]:
    """The kind, the device and the secret of a credential; empty where there are none."""
    kind, _, rest = text.partition(".")
    device, _, secret = rest.partition(".")
    return kind, device, secret


def _packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
