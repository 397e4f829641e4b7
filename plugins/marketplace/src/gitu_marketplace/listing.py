"""What `gitu plugins search` and `show` print."""

from __future__ import annotations

import time

from gitu_core.errors import InputError
from gitu_marketplace.index import Entry
from gitu_marketplace.offers import Market
from gitu_marketplace.shelf import Shelf
from gitu_marketplace.sources import Place, tier_of
from gitu_marketplace.text import clean
from gitu_marketplace.wants import Wants


def search(market: Market, words: list[str], at: str = "") -> str:
    """The plugins of the indexes that have all the words in what they say of themselves."""
    found = []
    for place, entry in market.listed(at=at):
        text = " ".join((entry.id, entry.distribution, entry.title, entry.summary, entry.author)).casefold()
        if all(word.casefold() in text for word in words):
            found.append((place, entry))
    if not found:
        hint = "use other words" if market.listed(at=at) else "add an index with: gitu plugins index add LOCATION"
        raise InputError(f"no plugin was found with {' '.join(words)!r}", hint=hint)
    wide = max(len(entry.id) for _, entry in found)
    return "\n".join(
        f"{entry.id.ljust(wide)}  {clean(entry.versions[0].version, 20)}  {clean(entry.title or entry.summary, 90)}"
        for _, entry in found
    )


def show(market: Market, shelf: Shelf, id: str, at: str = "") -> str:
    """Everything that is known of a plugin: what is installed, and what the indexes have."""
    release = shelf.current(id) if id in shelf.ids() else None
    lines = []
    if release is not None:
        source = " ".join(release.source.values())
        lines = [f"{id} {release.version} ({release.distribution}) is installed, from {clean(source)}",
                 f"  {release.wheel}", f"  sha256 {release.sha256}",
                 *([f"  quality: {release.tier}"] if release.tier else []), *_wants(release.wants),
                 *(f"  with {each.name} {each.version}" for each in release.parts)]  # fmt: skip
    for place, entry in market.listed(at=at):
        if entry.id == id:
            lines += _entry(place, entry)
    if not lines:
        raise InputError(f"no plugin {id[:80]!r} is known", hint="look for one with: gitu plugins search WORDS")
    return "\n".join(lines)


def _entry(place: Place, entry: Entry) -> list[str]:
    newest = entry.versions[0]
    lines = [f"{entry.id} ({clean(entry.distribution)}) of the index {clean(place.location)}"]
    lines += [f"  {clean(each)}" for each in (entry.title, entry.summary, entry.author) if each]
    for each in entry.versions[:20]:
        day = time.strftime("%Y-%m-%d", time.gmtime(each.date))
        lines.append(f"  {clean(each.version)}  {day}  {each.size:,} bytes  sha256 {each.sha256}")
    tier = tier_of(place.location, entry.id, newest)
    return [*lines, *([f"  quality of {newest.version}: {tier}"] if tier else []), *_wants(newest.wants)]


def _wants(wants: Wants) -> list[str]:
    return ["  it wants:", *(f"    {clean(each, 4_000)}" for each in wants.permissions or ("nothing",))]
