"""Takes secrets out of values: those that are known by their value, and what looks like one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_origin, get_type_hints

import msgspec

from gitu_core.model import Opaque
from gitu_core.testing.replay.forms import Known
from gitu_core.testing.replay.looks import MARK, NAMED, is_secret, without_shapes


class Redactor:
    """Replaces secrets by ``[secret NAME]``. *secrets* are values by name; `counts` tells how often each was found."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self._known = Known(secrets)

    def __call__(self, value: Any, loose: bool = False) -> Any:
        """*value* without secrets, wherever in it they stand; where it is *loose*, names in it tell what is secret."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Opaque):
            return Opaque(self(value.data, True), extra=self(value.extra, True))
        if isinstance(value, msgspec.Struct):
            changed = {name: self(getattr(value, name), loose) for name, loose in _free(type(value))}
            return msgspec.structs.replace(value, **changed)
        if isinstance(value, dict):
            return {self(key): self._named(key, item, loose) for key, item in value.items()}
        if isinstance(value, list | tuple | frozenset):
            return type(value)(self(item, loose) for item in value)
        return value

    def _named(self, key: Any, value: Any, loose: bool) -> Any:
        """A value under its name."""
        clean = self(value, loose)
        hides = loose and isinstance(key, str) and isinstance(clean, str) and NAMED.search(key) and is_secret(clean)
        return self._mark("named value") if hides else clean

    def _text(self, text: str) -> str:
        pieces, done = list[str](), 0
        for start, end, name in self._known(text):
            pieces += text[done:start], self._mark(name)
            done = end
        return without_shapes("".join((*pieces, text[done:])), self._mark)

    def _mark(self, name: str) -> str:
        self.counts[name] += 1
        return f"{MARK}{name}]"


@cache
def _free(kind: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    """The fields of a value that can hold any text, not those whose words are fixed; and whether names in them are
    somebody else's."""
    hints = get_type_hints(kind)
    free = (name for name in kind.__struct_fields__ if get_origin(hints[name]) is not Literal)
    return tuple((name, "Any" in str(hints[name])) for name in free)
