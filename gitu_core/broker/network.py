"""Requests for plugins, to the hosts that they declare."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from gitu_core.contracts.host import HttpRequest, HttpResponse
from gitu_core.errors import Denied, GituError, InputError, NotReady, Rejected, Unknown
from gitu_core.manifest import Manifest
from gitu_core.secrecy import spellings

LARGEST = 8 << 20
"""Bytes that an answer may have."""

LONGEST, HOPS = 120.0, 5
"""Seconds that a request may take at most, and how often it is sent on to another address."""

_SAFE, _MOVED = ("GET", "HEAD"), (301, 302, 303, 307, 308)
_SECRET = re.compile(r"\{secret:([A-Za-z0-9_.-]+)\}")
_PORTS = {"https": 443, "http": 80}

_CARRIERS = tuple(map(ipaddress.IPv6Network, ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")))
"""Networks whose addresses end with an address of the older kind."""

Reveal = Callable[[str], str]


class Network:
    """Sends requests for one plugin. Blocks: call it in a thread. *reveal* gives a secret by its name.

    A host is declared as ``api.example.org``, ``*.example.org`` (every name below) or ``*`` (any), with a port where it
    is not 443, and ``http://`` before it where it has no TLS. Addresses of this machine and of private networks are
    reached only where they are declared themselves: ``localhost:8080``, ``http://192.168.1.10``.
    """

    def __init__(self, manifest: Manifest, reveal: Reveal) -> None:
        self._plugin, self._reveal = manifest.id, reveal
        self._declared = manifest.capabilities.network
        self._needs = {each.name: each for each in manifest.capabilities.secrets if each.mode == "injected"}

    def request(self, request: HttpRequest) -> HttpResponse:
        """Sends a request, and sends it on where that is safe. Every address on the way is checked. Neither the answer
        nor an error repeats a secret that was filled in: some servers say back what they were sent."""
        shown: dict[str, str] = {}
        try:
            answer = self._follow(request, shown)
        except GituError as error:
            error.message = _without(error.message.encode(), shown).decode()
            raise
        if shown and answer.headers.get("content-encoding", "identity").lower() != "identity":
            raise Rejected("the answer is packed, which hides whether it repeats a secret", hint="ask another way")
        headers = {_without(name.encode("latin-1"), shown).decode("latin-1"):
                   _without(value.encode("latin-1"), shown).decode("latin-1")
                   for name, value in answer.headers.items()}  # fmt: skip
        return HttpResponse(answer.status, headers, _without(answer.body, shown))

    def _follow(self, request: HttpRequest, shown: dict[str, str]) -> HttpResponse:
        url, method, headers = request.url, request.method.upper(), dict(request.headers)
        for _ in range(HOPS + 1):
            parts = self._split(url)
            filled = {name: self._filled(value, parts, shown) for name, value in headers.items()}
            if shown:  # what is packed would hide them from whoever takes them out
                filled = {name: value for name, value in filled.items() if name.lower() != "accept-encoding"}
            answer = self._send(parts, method, filled, request)
            onward = answer.headers.get("location", "")
            if method not in _SAFE or answer.status not in _MOVED or not onward:
                return answer
            before, url = url, urljoin(url, onward)
            if urlsplit(before)[:2] != urlsplit(url)[:2]:  # scheme and host
                headers = {name: value for name, value in headers.items() if not _personal(name, value)}
        raise Rejected(f"{request.url} sent the request on more than {HOPS} times", hint="ask for where it leads to")

    def _split(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise InputError(f"{url[:200]!r} is no URL: {error}", hint="correct it") from error
        if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or re.search(r"[\s\x00]", url):
            raise InputError(f"{url[:200]!r} is no URL that may be asked", hint="write https://HOST/PATH")
        if not any(self._fits(entry, parts, port) for entry in self._declared):
            raise Denied(f"plugin {self._plugin} does not declare {parts.scheme}://{parts.netloc}",
                         hint="add it to network in gitu-plugin.toml", host=parts.netloc)  # fmt: skip
        return parts

    @staticmethod
    def _fits(entry: str, parts: SplitResult, port: int | None) -> bool:
        scheme, _, rest = entry.rpartition("://")
        declared = urlsplit(f"{scheme or 'https'}://{rest}")
        if (declared.scheme, declared.port or _PORTS[declared.scheme]) != (parts.scheme, port or _PORTS[parts.scheme]):
            return False
        name, host = (declared.hostname or "").rstrip("."), (parts.hostname or "").rstrip(".")
        return name in ("*", host) or (name.startswith("*.") and host.endswith(name[1:]))

    def _addresses(self, parts: SplitResult) -> list[str]:
        """The addresses of a host that may be asked, looked up once: what is connected to is what was checked."""
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        try:
            found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError as error:
            raise NotReady(f"{host} could not be looked up: {error}", hint="try again later") from error
        usable = [each for each in dict.fromkeys(found) if self._named(host) or _public(each)]
        if not usable:
            raise Denied(f"{host} leads to {found[0]}, an address inside of this network or machine",
                         hint="declare that address itself if the plugin is meant to reach it", host=host)  # fmt: skip
        return usable

    def _named(self, host: str) -> bool:
        """True for an address, or this machine, that is declared itself."""
        named = any(host == urlsplit(f"//{entry.rpartition('://')[2]}").hostname for entry in self._declared)
        return named and bool(re.fullmatch(r"localhost|[0-9.]+|.*:.*", host))

    def _filled(self, value: str, parts: SplitResult, shown: dict[str, str]) -> str:
        def fill(found: re.Match[str]) -> str:
            need = self._needs.get(found[1])
            if need is None:
                raise Denied(f"plugin {self._plugin} does not declare the secret {found[1]!r} as injected",
                             hint="declare it under [[capabilities.secrets]]")  # fmt: skip
            if need.audience and not any(self._fits(each, parts, parts.port) for each in need.audience):
                raise Denied(f"the secret {found[1]} is not meant for {parts.netloc}", hint="add it to its audience")
            if parts.scheme != "https" and not self._named(parts.hostname or ""):
                raise Denied(f"the secret {found[1]} would go to {parts.netloc} unencrypted", hint="use https")
            shown[found[1]] = secret = self._reveal(found[1])
            return secret

        return _SECRET.sub(fill, value)

    def _send(self, parts: SplitResult, method: str, headers: Mapping[str, str], request: HttpRequest) -> HttpResponse:
        seconds = min(max(request.timeout, 0.1), LONGEST)
        connection = _connection(parts, self._addresses(parts), seconds)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            try:
                connection.connect()
            except OSError as error:
                raise NotReady(f"{parts.netloc} cannot be reached: {error}", hint="try again later") from error
            # The socket's own limit begins anew with every byte.
            late = threading.Timer(seconds, _cut, (connection.sock,))
            late.daemon = True
            late.start()
            try:
                connection.request(method, target, request.body or None, dict(headers))
                answer = connection.getresponse()
                body = answer.read(LARGEST + 1)
                if answer.length and len(body) <= LARGEST:
                    raise http.client.IncompleteRead(body, answer.length)
            except (OSError, http.client.HTTPException) as error:
                what = f"{parts.netloc} did not answer: {type(error).__name__}: {error}"
                kind: type[GituError] = NotReady if method in _SAFE else Unknown
                raise kind(what, hint="find out what happened before trying again") from error
            except ValueError as error:  # a header or method that HTTP does not have
                raise InputError(f"this is no HTTP request: {error}", hint="correct its headers") from error
            finally:
                late.cancel()
        finally:
            connection.close()
        if len(body) > LARGEST:
            raise Rejected(f"the answer has more than {LARGEST >> 20} MiB", hint="ask for a part of it")
        return HttpResponse(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


def _connection(parts: SplitResult, addresses: Sequence[str], seconds: float) -> http.client.HTTPConnection:
    """A connection that goes to one of *addresses*, whatever the name means by the time it is made."""
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]

    def connect(*_: Any) -> socket.socket:
        last: OSError | None = None
        for address in addresses:
            try:
                return socket.create_connection((address, port), seconds)
            except OSError as error:
                last = error
        raise last or OSError("there is no address")

    if parts.scheme == "https":
        import ssl

        made: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=seconds, context=ssl.create_default_context()
        )
    else:
        made = http.client.HTTPConnection(host, port, timeout=seconds)
    made._create_connection = connect  # type: ignore[attr-defined]
    return made


def _cut(connected: socket.socket) -> None:
    """Ends a connection, so that whoever waits for it goes on."""
    with suppress(OSError):  # it has ended by itself
        connected.shutdown(socket.SHUT_RDWR)


def _public(address: str) -> bool:
    """True for an address of the public network; one that carries an older address inside is as public as that."""
    found = ipaddress.ip_address(address.split("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1])
        if any(found in net for net in _CARRIERS):
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside:
            return inside.is_global and not inside.is_multicast
    return found.is_global and not found.is_multicast


def _personal(name: str, value: str) -> bool:
    """True for a header that another host must not see."""
    return name.lower() in ("authorization", "cookie", "proxy-authorization") or bool(_SECRET.search(value))


def _without(data: bytes, shown: Mapping[str, str]) -> bytes:
    for name, secret in shown.items():
        for form in (each.encode() for each in spellings(secret)):
            if form.lower() in data.lower():
                data = re.sub(re.escape(form), f"[{name}]".encode(), data, flags=re.IGNORECASE)
    return data
