"""Looks at everything that is stored: does it open, does it fit together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gitu_core.errors import GituError
from gitu_core.store.audit import AuditPart
from gitu_core.store.blobs import blob_file
from gitu_core.store.codec import BOUND, bound, standing
from gitu_core.store.keys import OVERHEAD
from gitu_core.store.sql import compiled

_GAPS = 'SELECT turn FROM "@steps" GROUP BY tenant, turn HAVING count(*) <> max(n) + 1'


class CheckPart(AuditPart):
    """The self-examination of the store."""

    async def check(self) -> Sequence[str]:
        """What is wrong with the stored data, a sentence each; empty when all is well. Reads and opens
        everything."""
        found = [f"the file: {fault}" for fault in await self.engine.faults()]
        found += [f"not written: {error}" for error in self.engine.lost]
        tables = {name: columns for name, columns in compiled().tables.items() if name in BOUND}
        try:
            async for table, rows in self.engine.scan(tables):
                every = (dict(zip(tables[table], row, strict=True)) for row in rows)
                mine = [row for row in every if row["tenant"] == self.tenant]
                envelopes = [bytes(row[name]) for row in mine for name in ("body", "meta") if row.get(name)]
                files = [self._file_of(row) for row in mine] if table == "blobs" else []
                # A file may be sealed by another key than its row: one of both was sealed anew already.
                envelopes += [_head(file) for file in files if file is not None and file.is_file()]
                await self._read(partial(self._keys.load, envelopes))
                found += [problem for row in mine if (problem := self._problem(table, row))]
            for row in await self._read(self._script_of(_GAPS)):
                found.append(f"turn {row[0]}: a step is missing")
            found += [f"audit: {problem}" for problem in (await self.audit_verify()).problems]
        except GituError as error:
            found.append(str(error))
        return found

    def _problem(self, table: str, row: dict[str, Any]) -> str:
        names = [row[name] for name in BOUND[table].split()]
        what = "the {table} {row} of {person}".format_map({**standing(table, names), "table": table})
        seal = bound(table, self.tenant, *names)
        try:
            if table != "blobs":
                self._keys.opened(row["body"], seal, what)
                return ""
            self._keys.opened(row["meta"], seal + b"meta", what)
            return self._blob_problem(row, seal, what)
        except GituError as error:
            return str(error)

    def _file_of(self, row: dict[str, Any]) -> Path | None:
        if row["body"] is not None or self.home is None:
            return None
        return blob_file(self.home, self.tenant, bytes(row["name"]), row["person"])

    def _blob_problem(self, row: dict[str, Any], seal: bytes, what: str) -> str:
        envelope = row["body"]
        if envelope is None:
            path = self._file_of(row)
            if path is None:
                return f"{what}: its file cannot be found without a home"
            if not path.is_file():
                return f"{what}: its file is gone (next: restore a backup)"
            envelope = path.read_bytes()
        self._keys.opened(envelope, seal, what)
        return ""


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(OVERHEAD)
