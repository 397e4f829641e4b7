"""Claims and people for the kit of memory stores."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from gitu_core.model import Claim
from gitu_core.model.base import clean_text

NOW = 1_800_000_000.0
_numbers = itertools.count(1)


def serial() -> int:
    """A number that no other claim or person has."""
    return next(_numbers)


def claim(person: str, text: str = "", **fields: Any) -> Claim:
    """A claim with an id of its own; its text is like nobody else's unless given."""
    own = serial()
    return Claim(f"claim-{own}", person, text or f"fact number{own}", **{"created_at": NOW, **fields})


def somebody() -> str:
    """A person whom no other test knows."""
    return f"person-{serial()}"


def cleaned(kept: Claim) -> Claim:
    """All fields, as far as any store and any wire can carry them."""
    return msgspec.convert(_clean(msgspec.to_builtins(kept)), Claim)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {_clean(key): _clean(each) for key, each in value.items()}
    return [_clean(each) for each in value] if isinstance(value, list | tuple) else value
