"""Finds known secrets in a text, in whatever form they stand there."""

from __future__ import annotations

import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

Span = tuple[int, int, str]
"""Where a secret stands, and its name."""

SHORTEST = 4
"""Characters that a secret has at least: what is shorter stands everywhere by chance."""

_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")

_IN_JSON = re.compile(
    r"(?:\\\\)+|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}"
    r"|\\[\"'/bfnrt]"
)
"""What JSON and Python write instead of a character; a row of backslashes counts as one."""

_IN_URL = re.compile(r"%[0-7][0-9a-fA-F]|(?:%[89a-fA-F][0-9a-fA-F])+|(?<=[\w+/-]{16})\r?\n")
"""What a URL writes instead of a character, and where a long line was broken to make it fit."""

_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LEVELS = 3
"""How often JSON may stand in JSON."""


class Known:
    """Secrets, by name."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms: dict[str, tuple[str, bool, bool]] = {}
        for name, secret in secrets.items():
            for form, before, after in _forms(secret.strip()):
                self._forms.setdefault(form, (name, before, after))

    def __call__(self, text: str) -> list[Span]:
        """Where secrets stand in *text*, in order; none of the places touches another."""
        if not self._forms:
            return []
        found = [span for view in _views(text) for span in self._in(view)]
        joined: list[Span] = []
        for start, end, name in sorted(found, key=lambda span: (span[0], -span[1])):
            if joined and start < joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]), joined[-1][2])
            else:
                joined.append((start, end, name))
        return joined

    def _in(self, view: _View) -> Iterator[Span]:
        text = view.text
        for form, (name, before, after) in self._forms.items():
            start = text.find(form)
            while start >= 0:
                first, end = start, start + len(form)
                if before and first and text[first - 1] in _ALPHABET:
                    first -= 1
                if after and end < len(text) and text[end] in _ALPHABET:
                    end += 1
                    end += 2 if text.startswith("==", end) else text.startswith("=", end)
                yield (*view.source(first, end), name)
                start = text.find(form, start + len(form))


def _forms(secret: str) -> Iterator[tuple[str, bool, bool]]:
    """A secret as it is, with ``+`` for spaces, in hex and in Base64; the flags tell whether the character before and
    the one after are made of it as well, in part."""
    if len(secret) < SHORTEST:
        return
    data = secret.encode("utf-8", "replace")
    for form in (secret, secret.replace(" ", "+"), data.hex(), data.hex().upper()):
        yield form, False, False
    for shift in range(3):  # whatever stands before it
        coded = b64encode(bytes(shift) + data).decode()
        part = (shift + len(data)) % 3 != 0
        core = coded[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
        if len(core) >= SHORTEST:
            yield core, shift > 0, part
            yield core.translate({ord("+"): "-", ord("/"): "_"}), shift > 0, part


class _View:
    """A text without its escapes, which knows what each of its characters was made of."""

    def __init__(self, text: str, of: _View | None = None) -> None:
        self.text, self._of = text, of
        self._units: list[tuple[int, int, int, int]] = []
        self._starts: list[int] = []

    def read(self, escapes: re.Pattern[str], meaning: Callable[[str], str]) -> _View | None:
        """This text with *escapes* replaced by their meaning; None if it has none."""
        view, pieces, there, here = _View("", self), list[str](), 0, 0
        for found in escapes.finditer(self.text):
            start, end = found.span()
            plain = meaning(found[0])
            here += start - there
            pieces += self.text[there:start], plain
            view._units.append((here, here + len(plain), start, end))
            here, there = here + len(plain), end
        if not there:
            return None
        view.text = "".join((*pieces, self.text[there:]))
        return view

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Where in the first text that stands which is here from *start* to *end*."""
        if self._of is None:
            return start, end
        self._starts = self._starts or [unit[0] for unit in self._units]
        return self._of.source(self._place(start)[0], self._place(end - 1)[1])

    def _place(self, at: int) -> tuple[int, int]:
        n = bisect_right(self._starts, at) - 1
        if n < 0:
            return at, at + 1
        _, stop, first, last = self._units[n]
        return (first, last) if at < stop else (last + at - stop, last + at - stop + 1)


def _views(text: str) -> Iterator[_View]:
    """The text as it is, and as it reads where it is taken for JSON (in JSON), for a URL, or for both."""
    view: _View | None = _View(text)
    for level in range(_LEVELS + 1):
        if view is None:
            return
        yield view
        if (url := view.read(_IN_URL, _from_url)) is not None:
            yield url
            more = ((_IN_JSON, _from_json), (_IN_URL, _from_url)) if not level else ()
            yield from filter(None, (url.read(*way) for way in more))
        view = view.read(_IN_JSON, _from_json) if level < _LEVELS else None


@lru_cache(1024)
def _from_json(escape: str) -> str:
    kind = escape[1]
    if kind == "\\":
        return escape[: len(escape) // 2]
    if kind == "u" and len(escape) > 6:
        return chr(0x10000 + ((int(escape[2:6], 16) & 0x3FF) << 10) + (int(escape[8:], 16) & 0x3FF))
    return chr(int(escape[2:], 16)) if kind in "ux" else _SHORT.get(kind, kind)


@lru_cache(1024)
def _from_url(escape: str) -> str:
    if escape[0] != "%":
        return ""
    return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")
