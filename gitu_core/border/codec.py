"""Values as bytes, typed by hints. What cannot cross is a `BorderError` that says what and where.

Two ways lead through. The fast one lets msgspec do the work and proves by reading back that nothing was
lost; it serves nearly every value. The careful one, in `shapes`, serves values with unknown fields and
finds what is wrong.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect as shape

from gitu_core.border.shapes import clear, lift, lower
from gitu_core.errors import BorderError

T = TypeVar("T")

FRAME_LIMIT = 16 << 20
"""The largest encoded value or frame, in bytes, unless a connection says otherwise."""

_ENCODER = msgspec.json.Encoder()
_PLAIN = msgspec.json.Decoder()
_FAILURES = (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, ValueError, OverflowError)


class Codec(Generic[T]):
    """Encodes and decodes values of one type hint. Get it from `codec_for`, which keeps it."""

    __slots__ = ("_decoder", "_node", "hint")

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        try:
            self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(hint)
            self._node = shape.type_info(hint)
        except TypeError as error:
            raise BorderError(f"{hint!r} cannot cross: {error}", hint="use values and JSON types") from error

    def encode(self, value: T, limit: int = FRAME_LIMIT) -> bytes:
        """*value* as JSON of at most *limit* bytes. What comes out is what `decode` takes."""
        try:
            data = _ENCODER.encode(value)
            # A NaN becomes `null`; unknown fields and parts must be unwrapped: these three need the careful
            # way.
            if b"null" in data or b'"extra"' in data or b'"opaque"' in data or self._decoder.decode(data) != value:
                data = self._encode_carefully(value)
        except _FAILURES:
            data = self._encode_carefully(value)
        if len(data) > limit:
            what = f"{len(data)} bytes are more than the {limit} that may cross at once"
            raise BorderError(what, hint="hand large content over as a BlobRef", size=len(data), limit=limit)
        return data

    def _encode_carefully(self, value: T) -> bytes:
        try:
            data = _ENCODER.encode(lower(self._node, value))
        except _FAILURES as error:
            raise _failed(error, "cannot be encoded", "hand over JSON data") from None
        self._decode_carefully(data)
        return data

    def decode(self, data: bytes | msgspec.Raw) -> T:
        """The value that *data* holds. `BorderError` if it does not fit the hint."""
        data = bytes(data)
        try:
            value: T = self._decoder.decode(data)
            # The same bytes again prove that no field was unknown; a field called "extra" would look like
            # ours.
            if _ENCODER.encode(value) == data and b'"extra"' not in data and b'"opaque"' not in data:
                return value
        except _FAILURES:
            pass  # an unknown part, or wrong altogether: the careful way tells which
        return self._decode_carefully(data)

    def _decode_carefully(self, data: bytes) -> T:
        try:
            value: T = msgspec.convert(lift(self._node, _PLAIN.decode(data)), self.hint)
        except _FAILURES as error:
            raise _failed(error, "does not fit its type", "both sides must speak the same contract version") from None
        return value


def _failed(error: Exception, what: str, hint: str) -> BorderError:
    if isinstance(error, RecursionError):
        return BorderError("nested too deep to cross", hint="flatten the value")
    return BorderError(f"{what}: {clear(error)}", hint=hint)


@cache
def codec_for(hint: Any) -> Codec[Any]:
    """The codec of a hint. `BorderError` if values of that type cannot cross."""
    return Codec(hint)
