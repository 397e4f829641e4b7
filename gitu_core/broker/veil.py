"""Takes secrets out of what a server says back, however it spells them."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping

from gitu_core.errors import Rejected
from gitu_core.secrecy import SHORTEST

LEVELS = 3
"""How often a text may be escaped, one way inside of another."""

LONGEST = 1 << 20
"""Bytes in which escaped characters are looked for one by one: that takes a second for eight times as many."""

_ESCAPED = re.compile(
    rb"%([0-9a-f]{2})|\\(?:u([0-9a-f]{4})|x([0-9a-f]{2}))|&(?:#x?[0-9a-f]{1,9}|amp|lt|gt|quot|apos);?", re.IGNORECASE
)
_TWINS = bytes.maketrans(b"-_ ", b"+/+")
"""What Base64 and URLs write instead of a character."""

_BETWEEN = rb"(?:\\[nr]|[\r\n]){0,4}+"
"""Where a long line was broken. Every repetition is bounded and never taken back, so that no answer takes long."""


class Veil:
    """Hides secrets, given by name: as they are, in hex and in Base64, be it as a part of something longer, in upper or
    lower case, with any of their characters escaped as URLs, JSON and HTML do. What is packed, encrypted, cut into
    pieces or coded otherwise is not seen. What would show one all the same is `Rejected`."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = [(name, secret.encode(), _forms(secret)) for name, secret in secrets.items() if secret]

    def __call__(self, data: bytes) -> bytes:
        """*data* with the name of each secret in its place."""
        for name, secret, forms in self._secrets:
            data = data.replace(secret, f"[{name}]".encode())
            folded = {_folded(form.encode(coding, "replace")) for form in forms for coding in ("utf-8", "latin-1")}
            if _shows(data, folded):
                data = _pattern(forms).sub(f"[{name}]".encode(), data) if len(data) <= LONGEST else data
                if _shows(data, folded):
                    raise Rejected(f"the answer repeats the secret {name} in a way that cannot be taken out of it",
                                   hint="ask for something that does not repeat it")  # fmt: skip
        return data

    def words(self, text: str, coding: str = "utf-8") -> str:
        """The same for a text."""
        return self(text.encode(coding, "replace")).decode(coding, "replace")


def _forms(secret: str) -> list[str]:
    forms, data = [secret], secret.encode()
    if len(secret) >= SHORTEST:
        forms.append(data.hex())
        for before in range(3):  # bytes that stand before it; a character that it shares with others is left out
            coded = base64.b64encode(bytes(before) + data).decode()
            forms.append(coded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6])
    return forms


def _folded(data: bytes) -> bytes:
    """What is the same in all spellings without escapes."""
    return data.lower().replace(rb"\n", b"").replace(rb"\r", b"").translate(_TWINS, b"\\\r\n")


def _shows(data: bytes, forms: set[bytes]) -> bool:
    for _ in range(LEVELS + 1):
        folded = _folded(data)
        if any(form in folded for form in forms):
            return True
        before, data = data, _ESCAPED.sub(_plain, data)
        if data == before:
            break
    return False


def _plain(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes.fromhex(found[1].decode())
    if code := found[2] or found[3]:
        return chr(int(code, 16)).encode("utf-8", "replace")
    return html.unescape(found[0].decode()).encode("utf-8", "replace")


def _pattern(forms: list[str]) -> re.Pattern[bytes]:
    """Finds the forms, their characters escaped or not."""
    return re.compile(b"|".join(_BETWEEN.join(map(_spelt, form)) for form in forms), re.IGNORECASE)


def _spelt(char: str) -> bytes:
    if char == "\\":
        return rb"(?:\\{1,15}+|%(?:25){0,3}5c)"
    data, code = char.encode(), ord(char)
    twins = next((each for each in ("+- ", "/_") if char in each), char)
    escaped = [b"".join(b"%%(?:25){0,3}%02x" % each for each in data)]
    escaped.append(b"&(?:amp;){0,3}#(?:x0{0,6}%x|0{0,6}%d);?" % (code, code))
    plain = [b"u%04x" % code, b"x%02x" % code, *(re.escape(each.encode()) for each in (html.escape(char), *twins))]
    plain.append(re.escape(char.encode("latin-1", "ignore") or data))
    # The longest way first, none twice and none taken back: else what nearly fits would be tried in all combinations.
    return rb"(?>" + b"|".join(escaped) + rb"|\\{0,15}+(?:" + b"|".join(dict.fromkeys(plain)) + b"))"
