"""What enabled, healthy plugins contribute, by seam and name."""

from __future__ import annotations

from collections.abc import Iterable

from gitu_core.contracts.ports import Offer
from gitu_core.registry.census import Record


class Catalogue:
    """Offers by seam, in order: the embedder's own first, then by priority, then by id.

    Where two plugins contribute the same name, the first keeps it and the other is told in its notes. Pages
    are unique within a plugin only. ``plugin:name`` names a contribution of one plugin, whoever keeps the
    name.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._offers: dict[str, tuple[Offer, ...]] = {}
        self._holders: dict[tuple[str, str], tuple[Record, str]] = {}
        for record in sorted(records, key=lambda record: record.order):
            record.notes.clear()
            if record.state == "enabled":
                self._take(record)

    def _take(self, record: Record) -> None:
        for each in record.manifest.contributes:
            full = f"{record.id}:{each.name}"
            if (each.seam, full) in self._holders:
                record.notes.append(f"it contributes the {each.seam} {each.name!r} twice; the first counts")
                continue
            self._holders[each.seam, full] = (record, each.name)
            holder, _ = self._holders.setdefault((each.seam, each.name), (record, each.name))
            if holder is record or each.seam == "page":
                offer = Offer(plugin=record.id, contribution=each)
                self._offers[each.seam] = (*self._offers.get(each.seam, ()), offer)
            else:
                note = f"the {each.seam} {each.name!r} comes from {holder.id}; this one is reached as {full!r}"
                record.notes.append(note)

    def offers(self, seam: str) -> tuple[Offer, ...]:
        """The contributions to a seam; the same tuple each time."""
        return self._offers.get(seam, ())

    def find(self, seam: str, name: str) -> tuple[Record, str] | None:
        """Who contributes a name, and the name that the plugin itself gives it."""
        return self._holders.get((seam, name))
