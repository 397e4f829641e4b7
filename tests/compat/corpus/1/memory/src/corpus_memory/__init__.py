"""A memory store in a dictionary."""

from gitu_core.contracts import Hit


class Shelf:
    """Keeps claims in order of their ids."""

    name = "shelf"

    def __init__(self):
        self._claims = {}

    async def put(self, claims):
        """Stores or replaces."""
        self._claims.update((claim.id, claim) for claim in claims)

    async def get(self, ids):
        """Those that are there."""
        return [self._claims[id] for id in ids if id in self._claims]

    async def search(self, query):
        """By words in common."""
        words = set(query.text.lower().split())
        found = [
            Hit(each, float(len(words & set(each.text.lower().split()))))
            for each in self._claims.values()
            if each.person == query.person and (not query.kinds or each.kind in query.kinds)
        ]
        return sorted((hit for hit in found if hit.score or not words), key=lambda hit: -hit.score)[: query.limit]

    async def delete(self, ids):
        """Removes them."""
        return sum(self._claims.pop(id, None) is not None for id in ids)

    async def export(self, person):
        """All of a person."""
        for each in list(self._claims.values()):
            if each.person == person:
                yield each


def gitu_memory_stores(host):
    """Stores that keep claims."""
    return [Shelf()]
