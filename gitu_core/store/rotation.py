"""Keys replaced while everything runs on: a new master key, and new keys for people with what they sealed sealed anew.

Both go in small transactions, so that others write in between. Killed anywhere, everything can be read, and the same
call goes on: what is done already is seen by the row itself.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from gitu_core.contracts.host import Entry
from gitu_core.contracts.ports import KeyStatus
from gitu_core.errors import Damaged, InputError
from gitu_core.store.blobs import still, write_blob
from gitu_core.store.check import CheckPart
from gitu_core.store.codec import BOUND, bound
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
_OWNER, _UNDERWAY = "gitu", "keys-renewed-since"
"""Where a renewal that is under way is noted; no plugin may have this id."""

Told = Callable[[str, int, int], None]
"""Told how far it came: a table, how many of its values were looked at and how many sealed anew."""


class RotationPart(CheckPart, PluginStatePart, WorkersPart):
    """New keys in place of old ones."""

    async def key_status(self) -> KeyStatus:
        """Where the master keys are, how many keys each wraps (of all tenants), and which wraps new ones."""
        known = await asyncio.to_thread(self._keys.source.find)
        lead = await self._read(self._script_of("keys_current", self.tenant, "", INDEX))
        renewed = await self.kv_get(_OWNER, _UNDERWAY)
        return KeyStatus(str(self._keys.source), tuple(known), lead[0][2], await self._used(), renewed is not None)

    def add_master(self, key: bytes) -> str:
        """Keeps one more master key, for reading; gives its fingerprint. The store need not be open."""
        self._keys.source.add(key)
        return fingerprint(key)

    async def drop_master(self, name: str) -> None:
        """Forgets a master key. `InputError` if it is not there or a key is still wrapped by it."""
        known = await asyncio.to_thread(self._keys.source.find)
        if name not in known:
            raise InputError(f"there is no master key {name}", hint="list them with: gitu keys")
        if wraps := (await self._used()).get(name):
            raise InputError(f"the master key {name} still wraps {wraps} keys", hint="first run: gitu keys rotate")
        if len(known) == 1 or name == next(iter(known)):
            raise InputError(f"the master key {name} is the one for new keys", hint="first run: gitu keys rotate")
        await asyncio.to_thread(self._keys.source.drop, name)

    async def rotate_master(self, prepare: bool = False) -> tuple[str, int]:
        """Wraps all keys, of all tenants, by the first master key; where they are already, makes a new one first. Gives
        its fingerprint and how many keys were wrapped. With *prepare* it is only made, so that it can be brought to
        other machines."""
        source = self._keys.source
        first = next(iter(await asyncio.to_thread(source.find)), "")
        if set(await self._used()) <= {first}:
            first = next(iter(await asyncio.to_thread(source.add, os.urandom(SIZE), first)))
        count, wrapped, spoilt = 0, -1, list[Damaged]()
        while not prepare and wrapped and set(await self._used()) - {first}:
            # The tenants' own keys before all others: from then on whoever makes a key wraps it by the new one.
            spoilt.clear()
            wrapped = sum([await self._wrap_all(first, lead, spoilt) for lead in (True, False)])
            count += max(wrapped, 0)
        if spoilt:
            raise spoilt[0]  # all others are wrapped
        return first, count

    async def renew_keys(self, told: Told = lambda *_: None) -> int:
        """Gives every person of this tenant a new key and seals anew what their old ones sealed; gives how much. Old
        keys stay: copies of the data need them, and so does what a process that stood still writes late."""
        noted = await self.kv_get(_OWNER, _UNDERWAY)
        since = float(noted.value) if noted is not None else self.clock.now()
        await self.kv_put(_OWNER, Entry(_UNDERWAY, since))
        await self._each_key(lambda row: self._renewed(row, since), [])
        if not all(each.gone for each in await self.others()):
            await self.clock.sleep(REFRESH)  # until all of them have seen the new keys
        count = 0
        for table in SEALED:
            columns, seen = compiled().tables[table], 0
            async for _, rows in self.engine.scan({table: columns}):
                for start in range(0, len(rows), _BATCH):
                    named = [dict(zip(columns, row, strict=True)) for row in rows[start : start + _BATCH]]
                    mine = [row for row in named if row["tenant"] == self.tenant]
                    count, seen = count + await self._sealed_anew(table, mine), seen + len(mine)
                    told(table, seen, count)
        await self.kv_delete(_OWNER, _UNDERWAY)
        return count

    # ---- inside --------------------------------------------------------------------------------------------

    async def _used(self) -> dict[str, int]:
        return {row[0]: row[1] for row in await self._read(self._script_of(_USED))}

    async def _each_key(self, change: Callable[[Any], Script], spoilt: list[Damaged]) -> int:
        """Runs *change* for every row of keys (tenant, ..., created_at), a page a transaction; gives the sum."""
        above, total, rows = ("", b""), 0, [()]

        def script() -> Script:
            found, count = (yield "keys_page", (*above, _BATCH)), 0
            for row in found:
                try:
                    count += yield from change(row)
                except Damaged as error:  # the others are not to wait for it
                    spoilt.append(error)
            return found, count

        while rows:
            rows, count = await self._script(script)
            total += count
            if rows:
                above = rows[-1][0], bytes(rows[-1][1])
                await asyncio.sleep(_PAUSE)
        return total

    async def _wrap_all(self, master: str, lead: bool, spoilt: list[Damaged]) -> int:
        def change(row: Any) -> Script:
            tenant, *key, _ = row
            if key[2] == master or (lead and key[5] != INDEX):
                return 0
            wrapped = self._keys.rewrapped(key, tenant, master)
            return len((yield "key_wrap", (master, wrapped, tenant, key[0], key[2])))

        return await self._each_key(change, spoilt)

    def _renewed(self, row: Any, since: float) -> Script:
        tenant, _, generation, _, _, person, purpose, made_at = row
        if tenant == self.tenant and purpose == DATA and made_at < since:
            yield from self._keys.new(person, DATA, generation + 1)  # unless there is one
            self._keys.forget((person,))
        return 0

    async def _sealed_anew(self, table: str, rows: list[dict[str, Any]]) -> int:
        def script() -> Script:
            count = 0
            for row in rows:
                try:
                    count += yield from self._row_anew(table, row)
                except Damaged as error:  # it stays as it is, for `check` to report
                    self.engine.lost.append(error)
            return count

        done: int = await self._script(script)
        for row in rows if table == "blobs" else ():
            done += await self._file_anew(row)
        await asyncio.sleep(_PAUSE)
        return done

    def _row_anew(self, table: str, row: dict[str, Any]) -> Script:
        """Seals the columns of a row anew, unless somebody writes them meanwhile: that is sealed by a new key."""
        names = SEALED[table].split()
        seal, person, count = bound(table, self.tenant, *(row[name] for name in names)), _whose(row), 0
        place = ["tenant", *(["n"] if "n" in row and "n" not in names else []), *names]
        for column in ("body", "meta"):
            if not row.get(column):
                continue
            envelope = bytes(row[column])
            new = yield from self._envelope_anew(person, envelope, seal + (b"meta" if column == "meta" else b""), table)
            if new is not None:
                statement = self.engine.sql.change(table, column, (*place, column))
                count += len((yield statement, (new, *(row[name] for name in place), envelope)))
        return count

    def _envelope_anew(self, person: str, envelope: bytes, seal: bytes, what: str) -> Script:
        yield from self._keys.load((envelope,))
        if not self._keys.has(envelope):
            return None  # erased
        yield from self._keys.ensure((person,))
        if self._keys.is_current(person, envelope):
            return None
        return self._keys.seal(person, self._keys.opened(envelope, seal, what), seal)

    async def _file_anew(self, row: dict[str, Any]) -> int:
        """The same for a blob that is a file; not while a backup copies it, which has the keys of its beginning."""
        path = self._file_of(row)
        if path is None or self.home is None or not path.is_file():
            return 0
        async with still(self.home):
            envelope = await asyncio.to_thread(path.read_bytes)
            seal = bound("blobs", self.tenant, bytes(row["name"]), row["person"])
            try:
                new = await self._script(lambda: self._envelope_anew(row["person"], envelope, seal, "blobs"))
            except Damaged as error:
                self.engine.lost.append(error)
                return 0
            if new is not None:
                await asyncio.to_thread(write_blob, path, new)
        return int(new is not None)


def _whose(row: dict[str, Any]) -> str:
    found: str = row["person"] if "person" in row else row["id"]
    return found
