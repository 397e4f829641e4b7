"""Takes secrets out of values: those that are known by their value, and what looks like one."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Literal, get_origin, get_type_hints
from urllib.parse import quote, urlsplit

import msgspec

from gitu_core.errors import GituError
from gitu_core.model import Opaque
from gitu_core.wiring import House

SHORTEST = 4
"""Characters that a secret has at least: what is shorter stands everywhere by chance."""

_SUSPECT = re.compile(r"key|token|secret|passw|pwd", re.IGNORECASE)

_GENERIC: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("PEM block", re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)),
    ("bearer token", re.compile(r"(?<=\bbearer )(?=[^\s\"']*\d)[\w.~+/=-]{12,}", re.IGNORECASE)),
    ("basic token", re.compile(r"(?<=\bbasic )(?=[^\s\"']*[\d=])[\w+/=-]{12,}", re.IGNORECASE)),
    ("key", re.compile(r"\b(?:sk|pk|rk)-(?=[\w-]*\d)[\w-]{12,}")),
    ("key", re.compile(r"\b(?:gh[pousr]_\w{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16})")),
    ("web token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    ("password in a URL", re.compile(r"(?<=://)([^\s/:@\"'\\]*):(?!\[secret )[^\s/@\"'\\]+(?=@)")),
    ("key in a URL", re.compile(
        r"([?&;][\w.-]*(?:key|token|secret|passw(?:or)?d|signature)=)(?!\[secret )[^\s&;#\"'<>\\]+", re.IGNORECASE
    )),
)  # fmt: skip
"""What looks like a secret, by what it is called in its place."""


class Redactor:
    """Replaces secrets by ``[secret NAME]``. *secrets* are values by name; `counts` tells how often each was found."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        for name, secret in secrets.items():
            for form in _forms(secret):
                self._names.setdefault(form, name)
        longest_first = sorted(self._names, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def __call__(self, value: Any) -> Any:
        """*value* without secrets, wherever in it they stand."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Opaque):
            return Opaque(self(value.data), extra=self(value.extra))
        if isinstance(value, msgspec.Struct):
            names = _free(type(value))
            changed = {name: self(getattr(value, name)) for name in names}
            return msgspec.structs.replace(value, **changed)
        if isinstance(value, dict):
            return {self(key): self(item) for key, item in value.items()}
        if isinstance(value, list | tuple | frozenset):
            return type(value)(self(item) for item in value)
        return value

    def _text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(lambda found: self._mark(self._names[found[0]]), text)
        for name, pattern in _GENERIC:
            text = pattern.sub(lambda found, name=name: self._in_place(name, found), text)  # type: ignore[misc]
        return text

    def _in_place(self, name: str, found: re.Match[str]) -> str:
        """The mark, with what stands before the secret where that is part of what was looked for."""
        if name == "key in a URL":
            return found[1] + self._mark(name)
        return f"{found[1]}:{self._mark(name)}" if name == "password in a URL" else self._mark(name)

    def _mark(self, name: str) -> str:
        self.counts[name] += 1
        return f"[secret {name}]"


def _forms(secret: str) -> set[str]:
    """A secret as it may stand in a text: as it is, in Python, in JSON, in JSON in JSON, in a URL, in Base64."""
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return set()
    forms = {secret, repr(secret)[1:-1], *_in_json(secret)}
    forms |= {twice for once in forms for twice in _in_json(once)}
    return {*forms, quote(secret, safe=""), b64encode(secret.encode("utf-8", "replace")).decode()}


def _in_json(text: str) -> set[str]:
    return {json.dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (True, False)}


@cache
def _free(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a value that can hold any text: not those whose words are fixed."""
    hints = get_type_hints(kind)
    return tuple(name for name in kind.__struct_fields__ if get_origin(hints[name]) is not Literal)


def known_secrets(house: House) -> dict[str, str]:
    """Every secret that settings and manifests name and that is set, by name."""
    settings, found = house.settings, dict[str, str]()
    references = {name: name for name in settings.secrets}
    for person, words in settings.people.items():
        references |= {f"personal:{person}:{name}": name for name in words.get("secrets", {})}
    for plugin in house.registry.plugins():
        manifest = house.registry.manifest(plugin.id)
        references |= {need.name: need.name for need in manifest.capabilities.secrets}
    for reference, name in references.items():
        with suppress(GituError):  # what is not set cannot stand anywhere
            found.setdefault(name if name not in found else reference, house.secrets.reveal(reference))
    for plugin_id, values in settings.plugins.items():
        found |= {f"{plugin_id}.{key}": value for key, value in values.items() if isinstance(value, str)
                  and _SUSPECT.search(key)}  # fmt: skip
    given = {"GITU_MASTER_KEY": os.environ.get("GITU_MASTER_KEY", ""), "database": _password(settings.database)}
    return {**found, **{name: value for name, value in given.items() if value}}


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:  # a URL that is wrong holds nothing that the store could have used
        return ""
