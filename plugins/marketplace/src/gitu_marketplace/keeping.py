"""``gitu plugins index``: the indexes that the operator added, and one of the operator's own."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from gitu_core.errors import AuthFailed, ConfigError
from gitu_marketplace.index import fingerprint
from gitu_marketplace.publish import load_key, make_key, publish
from gitu_marketplace.sources import Sources
from gitu_marketplace.text import clean, consent


def listed(home: Path) -> str:
    """The indexes that were added."""
    places = Sources(home).places()
    return "\n".join(
        f"{clean(each.location)}  number {each.serial}, key {fingerprint(each.key)}" for each in places
    ) or ("no index was added; add one with: gitu plugins index add LOCATION")


def add(home: Path, location: str, given: dict[str, Any]) -> str:
    """Adds an index, with the key that it is signed with from then on."""
    sources = Sources(home)
    place, index = sources.meet(location)
    mark = fingerprint(place.key)
    if (wanted := given.get("fingerprint")) and wanted.lower() != mark:
        hint = "compare it with what the publisher says; use nothing of this index"
        raise AuthFailed(f"{place.location} is signed by {mark}, not by {wanted[:80]}", hint=hint)
    name = f" ({clean(index.name)})" if index.name else ""
    shown = [f"the index {place.location}{name}, number {index.serial}, with {len(index.plugins)} plugins",
             f"is signed by the key {mark}", "from now on only what this key signed counts"]  # fmt: skip
    consent(shown, "Trust this key?", bool(given.get("yes") or wanted))
    sources.add(place, index)
    return f"{place.location} was added"


def remove(home: Path, location: str, given: dict[str, Any]) -> str:
    """Forgets an index with its key; what was installed from it stays."""
    Sources(home).remove(location)
    return f"{location} was removed; what was installed from it stays"


def key(home: Path, location: str, given: dict[str, Any]) -> str:
    """Makes a key to sign with."""
    public = make_key(Path(location)).public_key().public_bytes_raw()
    mark = fingerprint(base64.b64encode(public).decode())
    return f"written: {location}\nfingerprint: {mark}\nkeep the file to yourself; tell the fingerprint to everybody"


def build(home: Path, location: str, given: dict[str, Any]) -> str:
    """Makes the index of a folder of wheels."""
    if not given.get("key"):
        raise ConfigError(
            "an index is signed", hint="name a key with --key FILE; make one: gitu plugins index key FILE"
        )
    days = max(1, min(int(given.get("days") or 90), 3_650))
    signing = load_key(Path(given["key"]))
    index = publish(Path(location), signing, days=days, name=given.get("name", ""))
    versions = sum(len(each.versions) for each in index.plugins)
    return f"written: index number {index.serial}, {len(index.plugins)} plugins, {versions} wheels, for {days} days"
