"""Files beside an index: from a folder, or from a web server over TLS, never more of them than they may have."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from gitu_core.errors import InputError, NotReady, Rejected
from gitu_marketplace.text import interruptible

SECONDS, PATIENCE = 30.0, 600.0
"""Seconds of silence that a server may keep, and seconds that a file may take."""


def located(location: str) -> str:
    """A location as it is kept: an absolute folder, or a URL without a slash at its end. `InputError` if it is neither
    or not safe: only this machine may be asked without TLS."""
    if "://" not in location:
        return str(Path(location).expanduser().resolve())
    _allowed(location)
    return location.rstrip("/")


def _allowed(url: str) -> None:
    parts = urlsplit(url)
    if parts.username or parts.query or parts.fragment or not parts.hostname:
        raise InputError(
            f"{parts.scheme}://{parts.hostname or ''} is no location of an index", hint="write https://..."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _here(parts.hostname)):
        raise InputError(f"{url} is not asked: only https is, or http on this machine", hint="write https://...")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Careful(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to where an index may be."""

    def redirect_request(self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        _allowed(newurl)
        if _here(urlsplit(newurl).hostname or "") and not _here(urlsplit(req.full_url).hostname or ""):
            raise InputError("the server sends us to this machine", hint="tell its operator")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Patient(http.client.HTTPConnection):
    """Hangs up on a server that does not come to the end of its headers: silence alone does not tell, since a byte now
    and then is none."""

    late = False

    def getresponse(self) -> http.client.HTTPResponse:
        timer = threading.Timer(PATIENCE, self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        finally:
            timer.cancel()
        if self.late:  # the end of a connection looks like the end of the headers
            raise TimeoutError(f"no answer after {PATIENCE:g} s")
        return response

    def _hang_up(self) -> None:
        self.late = True
        with suppress(OSError, AttributeError):  # it is gone by now
            self.sock.shutdown(socket.SHUT_RDWR)


class _PatientTLS(_Patient, http.client.HTTPSConnection):
    """The same over TLS."""


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: Any) -> Any:
        return self.do_open(_Patient, req)


class _Sealed(urllib.request.HTTPSHandler):
    def https_open(self, req: Any) -> Any:
        return self.do_open(_PatientTLS, req)


def fetch(location: str, name: str, most: int) -> bytes:
    """A file beside an index, of at most so many bytes. `NotReady` if its place cannot be reached, `Rejected` if there
    is no such file, `InputError` if it is larger."""
    try:
        with interruptible(), _open(location, name) as stream:
            data = _read(stream, most)
    except urllib.error.HTTPError as error:
        kind = NotReady if error.code in (408, 429) or error.code >= 500 else Rejected
        raise kind(f"{location}/{name}: HTTP status {error.code}", hint="see the location of the index") from error
    except FileNotFoundError as error:
        raise Rejected(f"{location} has no {name}", hint="see the location of the index") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"{location}/{name}: {error}", hint="see whether it can be reached, and try again") from error
    if len(data) > most:
        raise InputError(f"{location}/{name} has more than {most} bytes", hint="tell its publisher")
    return data


def _read(stream: Any, most: int) -> bytes:
    data, end = bytearray(), time.monotonic() + PATIENCE
    while len(data) <= most and (part := stream.read1(min(1 << 16, most + 1 - len(data)))):
        data += part
        if time.monotonic() > end:
            raise TimeoutError(f"not complete after {PATIENCE:g} s")
    return bytes(data)


def _open(location: str, name: str) -> Any:
    if "://" not in location:
        file = Path(location, name)
        if not file.is_file():
            raise FileNotFoundError(name)
        return open(file, "rb")
    request = urllib.request.Request(f"{location}/{name}", headers={"User-Agent": "gitu"})
    return urllib.request.build_opener(_Careful, _Plain, _Sealed).open(request, timeout=SECONDS)
