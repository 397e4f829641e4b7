"""The port `PluginState`: the small store of each plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitu_core.contracts.host import Entry
from gitu_core.errors import InputError
from gitu_core.model import clean_text
from gitu_core.store.base import Base
from gitu_core.store.codec import bound, encoded, unsealed
from gitu_core.store.writer import Row

_LAST = "\U0010ffff"


class PluginStatePart(Base):
    """Entries of plugins by key. Keys are stored as they are: ranges need them; values are sealed."""

    async def kv_get(self, plugin: str, key: str) -> Entry | None:
        """The entry, or None. `Damaged` if it cannot be read."""
        rows = await self._read(self._script_of("kv_get", self.tenant, plugin, clean(key), bodies=(2,)))
        return self._entry(plugin, rows[0]) if rows else None

    async def kv_put(self, plugin: str, entry: Entry) -> None:
        """Stores or replaces an entry. `InputError` if its value is not plain JSON."""
        key = clean(entry.key)
        columns = (self.tenant, plugin, key, entry.person)
        body, seal = encoded(entry, Entry), bound("plugin_state", *columns)
        await self._rows((Row("kv_put", (*columns, self.clock.now()), entry.person, body, seal),))

    async def kv_delete(self, plugin: str, key: str) -> bool:
        """Removes an entry; tells whether there was one."""
        return bool(await self._script(self._script_of("kv_delete", self.tenant, plugin, clean(key))))

    async def kv_list(self, plugin: str, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """The entries whose key begins with *prefix*, by key."""
        statement, who = ("kv_list_of", (person,)) if person else ("kv_list", ())
        params = (self.tenant, *who, plugin, clean(prefix), _after(prefix))
        rows = await self._read(self._script_of(statement, *params, bodies=(2,)))
        return [self._entry(plugin, row) for row in rows]

    def _entry(self, plugin: str, row: Any) -> Entry:
        key, person, body = row
        seal = ("plugin_state", self.tenant, plugin, key, person)
        return unsealed(self._keys, body, Entry, f"the entry {key!r} of {plugin}", *seal)


def clean(key: str) -> str:
    """A key that both engines can store: PostgreSQL has no NUL in text, and none has lone surrogates."""
    if clean_text(key) != key:
        raise InputError(f"the key {key!r} holds NUL or is not Unicode", hint="use another key", field="key")
    return key


def _after(prefix: str) -> str:
    """The first text, in code point order, that comes after everything that begins with *prefix*."""
    prefix = prefix.rstrip(_LAST)
    if not prefix:
        return _LAST * 600
    following = ord(prefix[-1]) + 1
    # Surrogates are no characters: the next one after them.
    return prefix[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)
