"""From the bytes of a connection to an answer of HTTP/1.1: status, headers, and the body in the pieces it came in."""

from __future__ import annotations

HEAD_LIMIT = 1 << 16
"""The longest head, and the longest line inside a body, in bytes."""

HIGH = 1 << 20
"""Bytes of a body that may wait to be read before the connection is told to pause."""

_HEAD, _CHUNKS, _TRAILER, _LENGTH, _ALL = range(5)


class Broken(Exception):
    """The connection was lost, or what came is no answer."""


class Answer:
    """One answer. `status` is 0 until the head is there; header names are in lower case; `keeps` tells whether the
    connection may be used again, `done` that the body is complete."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.keeps = False
        self.done = False
        self._part = _HEAD
        self._rest = b""
        self._left = 0
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """True if so much waits to be read that no more should come."""
        return self._size > HIGH

    def take(self) -> bytes:
        """What came of the body since it was asked last."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return data

    def ended(self) -> bool:
        """The connection ended; True if nothing is missing."""
        self.done = self.done or self._part == _ALL
        return self.done

    def feed(self, data: bytes) -> None:
        """Takes what came. `ValueError` if it is no answer."""
        if self.done:
            self.keeps = False  # nobody asked for this: what follows cannot be trusted
            return
        data, at = (self._rest + data if self._rest else data), 0
        while self._part == _HEAD:
            end = _find(data, b"\r\n\r\n", at)
            if end < 0:
                self._rest = data[at:]
                return
            self._begin(data[at:end])
            at = end + 4
        if self._part in (_CHUNKS, _TRAILER):
            at = self._chunks(data, at)
        elif self._part == _LENGTH:
            piece = data[at : at + self._left]
            self._left, at = self._left - len(piece), at + len(piece)
            self._keep(piece)
            self.done = not self._left
        else:
            self._keep(data[at:])
            at = len(data)
        self._rest = data[at:]
        if self.done and self._rest:
            self.keeps = False

    def _begin(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise ValueError("this is not HTTP/1.1")
        status = int(rest[:3])
        if status < 200:
            return  # an interim answer; the real one follows
        for line in lines:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        get = self.headers.get
        self.keeps = version == "HTTP/1.1" and "close" not in get("connection", "").lower()
        if get("content-encoding", "identity").lower() != "identity":
            raise ValueError("the answer is compressed, which nobody asked for")
        if status in (204, 304):
            self._part, self.done = _LENGTH, True
        elif "chunked" in get("transfer-encoding", "").lower():
            self._part = _CHUNKS
        elif (length := get("content-length", "")).isdecimal():
            self._part, self._left = _LENGTH, int(length)
            self.done = not self._left
        elif length or get("transfer-encoding"):
            raise ValueError("nobody knows where this answer ends")
        else:
            self._part, self.keeps = _ALL, False
        self.status = status

    def _chunks(self, data: bytes, at: int) -> int:
        """Takes chunks from *at* on; gives where what is not complete begins."""
        while not self.done:
            if self._left:
                piece = data[at : at + self._left]
                if not piece:
                    break
                self._left, at = self._left - len(piece), at + len(piece)
                self._keep(piece)
                continue
            end = _find(data, b"\r\n", at)
            if end < 0:
                break
            line, at = data[at:end], end + 2
            if self._part == _TRAILER:
                self.done = not line
            elif line:  # an empty one ends the chunk before
                self._left = int(line.partition(b";")[0], 16)
                if self._left < 0:
                    raise ValueError("a chunk has no size")
                if not self._left:
                    self._part = _TRAILER
        return at

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)


def _find(data: bytes, mark: bytes, at: int) -> int:
    end = data.find(mark, at)
    if end < 0 and len(data) - at > HEAD_LIMIT:
        raise ValueError("a line is too long")
    return end
