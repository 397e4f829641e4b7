"""Keys replaced while everything runs on: a new master key, and new keys for people with what they sealed sealed anew.

Both go in small transactions, so that others write in between. Killed anywhere, everything can be read, and the same
call goes on: what is done already is seen by the row itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Any

from gitu_core.contracts.host import Entry
from gitu_core.contracts.ports import CORE, KeyStatus
from gitu_core.errors import Damaged, InputError
from gitu_core.store.blobs import still
from gitu_core.store.check import CheckPart
from gitu_core.store.codec import BOUND, bound
from gitu_core.store.files import write_whole
from gitu_core.store.keys import DATA, INDEX, REFRESH, Script
from gitu_core.store.master import SIZE, fingerprint
from gitu_core.store.plugin_state import PluginStatePart
from gitu_core.store.sql import compiled
from gitu_core.store.workers import WorkersPart

SEALED = {**BOUND, "audit": "id person"}
"""The tables with sealed columns, and what their seals are bound to."""

_BATCH = 200
_PAUSE = 0.005
"""Seconds between two transactions, for others to write."""

_USED = 'SELECT master, count(*) FROM "@keys" GROUP BY master'
_UNDERWAY = "keys-renewed-since"
"""Where a renewal that is under way is noted."""

Told = Callable[[str, int, int], None]
"""Told how far it came: a table, how many of its values were looked at and how many sealed anew."""


class RotationPart(CheckPart, PluginStatePart, WorkersPart):
    """New keys in place of old ones."""

    async def key_status(self) -> KeyStatus:
        """Where the master keys are, how many keys each wraps (of all tenants), and which wraps new ones."""
        known = await asyncio.to_thread(self._keys.source.find)
        lead = await self._read(self._script_of("keys_current", self.tenant, "", INDEX))
        renewed = await self.kv_get(CORE, _UNDERWAY)
        return KeyStatus(str(self._keys.source), tuple(known), lead[0][2], await self._used(), renewed is not None)

    def add_master(self, key: bytes) -> str:
        """Keeps one more master key, for reading; gives its fingerprint. The store need not be open."""
        self._keys.source.add(key)
        return fingerprint(key)

    async def drop_master(self, name: str) -> None:
        """Forgets a master key. `InputError` if it is not there, a key is still wrapped by it, or new ones will be."""
        known = await asyncio.to_thread(self._keys.source.find)
        if name not in known:
            raise InputError(f"there is no master key {name}", hint="list them with: gitu keys")
        if name in await self._used() or name == next(iter(known)):
            raise InputError(f"the master key {name} still wraps keys", hint="first run: gitu keys rotate")
        await asyncio.to_thread(self._keys.source.drop, name)

    async def rotate_master(self, prepare: bool = False) -> tuple[str, int]:
        """Wraps all keys, of all tenants, by the first master key; where they are already, makes a new one first. Gives
        its fingerprint and how many keys were wrapped. With *prepare* it is only made, so that it can be brought to
        other machines. `Damaged` if a key was changed; all others are wrapped then."""
        source = self._keys.source
        first = next(iter(await asyncio.to_thread(source.find)), "")
        if set(await self._used()) <= {first}:
            first = next(iter(await asyncio.to_thread(source.add, os.urandom(SIZE), first)))
        count, wrapped, spoilt = 0, 1, list[Damaged]()
        while not prepare and wrapped and set(await self._used()) - {first}:
            spoilt.clear()
            # The tenants' own keys before all others: from then on whoever makes a key wraps it by the new one.
            changes = [partial(self._wrapped, first, lead) for lead in (True, False)]
            wrapped = sum([await self._each_key(change, spoilt) for change in changes])
            count += wrapped
        if spoilt:
            raise spoilt[0]
        return first, count

    async def renew_keys(self, told: Told = lambda *_: None) -> int:
        """Gives every person of this tenant a new key and seals anew what their old ones sealed; gives how much. Old
        keys stay: copies of the data need them, and so does what a process that stood still writes late. What is
        damaged stays as it is, for `check` to report."""
        noted = await self.kv_get(CORE, _UNDERWAY)
        since = float(noted.value) if noted is not None else self.clock.now()
        await self.kv_put(CORE, Entry(_UNDERWAY, since))
        await self._each_key(partial(self._renewed, since), [])
        if not all(each.gone for each in await self.others()):
            await self.clock.sleep(REFRESH + 1)  # until all of them have seen the new keys
        count = 0
        for table in SEALED:
            columns, seen = compiled().tables[table], 0
            async for _, rows in self.engine.scan({table: columns}):
                for start in range(0, len(rows), _BATCH):
                    named = [dict(zip(columns, row, strict=True)) for row in rows[start : start + _BATCH]]
                    mine = [row for row in named if row["tenant"] == self.tenant]
                    count += await self._script(partial(self._rows_anew, table, mine))
                    count += sum([await self._file_anew(row) for row in mine if table == "blobs"])
                    seen += len(mine)
                    told(table, seen, count)
                    await asyncio.sleep(_PAUSE)
        await self.kv_delete(CORE, _UNDERWAY)
        return count

    # ---- inside --------------------------------------------------------------------------------------------

    async def _used(self) -> dict[str, int]:
        return {row[0]: row[1] for row in await self._read(self._script_of(_USED))}

    async def _each_key(self, change: Callable[..., Script], spoilt: list[Damaged]) -> int:
        """Runs *change* for every row of keys (tenant, ..., created_at), a page a transaction; gives the sum."""
        above: tuple[str, bytes] | None = ("", b"")
        total = 0

        def script() -> Script:
            count, rows = 0, (yield "keys_page", (*(above or ()), _BATCH))
            for row in rows:
                try:
                    count += yield from change(*row)
                except Damaged as error:  # the others are not to wait for it
                    spoilt.append(error)
            return count, (rows[-1][0], bytes(rows[-1][1])) if rows else None

        while above:
            count, above = await self._script(script)
            total += count
            await asyncio.sleep(_PAUSE)
        return total

    def _wrapped(self, master: str, lead: bool, tenant: str, *row: Any) -> Script:
        *key, _ = row
        if key[2] == master or (lead and key[5] != INDEX):
            return 0
        return len((yield "key_wrap", (master, self._keys.rewrapped(key, tenant, master), tenant, key[0], key[2])))

    def _renewed(self, since: float, tenant: str, *row: Any) -> Script:
        _, generation, _, _, person, purpose, made_at = row
        if tenant == self.tenant and purpose == DATA and made_at < since:
            yield from self._keys.new(person, DATA, generation + 1)  # unless there is one
            self._keys.forget((person,))
        return 0

    def _rows_anew(self, table: str, rows: list[dict[str, Any]]) -> Script:
        """Seals rows anew, but what somebody writes meanwhile: that is sealed by a new key."""
        count, names = 0, SEALED[table].split()
        for row, column in product(rows, ("body", "meta")):
            if row.get(column):
                envelope, place = row[column], ["tenant", "n", *names] if "n" in row else ["tenant", *names]
                if new := (yield from self._anew(table, row, bytes(envelope), b"meta" * (column == "meta"))):
                    statement = self.engine.sql.change(table, column, (*place, column))
                    count += len((yield statement, (new, *(row[name] for name in place), envelope)))
        return count

    def _anew(self, table: str, row: dict[str, Any], envelope: bytes, more: bytes = b"") -> Script:
        """An envelope sealed by the newest key of its person; None where it is, or cannot be opened."""
        person = str(row["person"] if "person" in row else row["id"])
        seal = bound(table, self.tenant, *(row[name] for name in SEALED[table].split())) + more
        yield from self._keys.load((envelope,))
        if not self._keys.has(envelope):
            return None  # the person was erased
        yield from self._keys.ensure((person,))
        with suppress(Damaged):
            if not self._keys.is_current(person, envelope):
                return self._keys.seal(person, self._keys.opened(envelope, seal, table), seal)
        return None

    async def _file_anew(self, row: dict[str, Any]) -> bool:
        """The same for a blob that is a file; not while a backup copies it, which has the keys of its beginning."""
        path = self._file_of(row)
        if path is None or self.home is None or not path.is_file():
            return False
        async with still(self.home):
            envelope = await asyncio.to_thread(path.read_bytes)
            new = await self._script(lambda: self._anew("blobs", row, envelope))
            if new is not None:
                await asyncio.to_thread(write_whole, path, new)
        return new is not None
