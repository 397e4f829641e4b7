"""The port `BlobStore`: bytes named by their content, sealed, kept once a person.

A blob's storage name is a keyed digest: who reads the disk cannot test whether a known file is there. Small
ones stay in the table; larger ones become files below ``<home>/blobs`` where the database is a file itself.
On PostgreSQL all stay in the table, so that every machine sees them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gitu_core.errors import Damaged, InputError, StoreError
from gitu_core.locks import lock
from gitu_core.model import UNLABELLED, BlobRef, Label, Value
from gitu_core.store.base import Base
from gitu_core.store.codec import bound, encoded
from gitu_core.store.files import write_whole
from gitu_core.store.keys import LOST, Script

SMALL = 64 * 1024
"""Blobs below this many bytes stay in the table."""

FOLDER = "blobs"


class BlobMeta(Value, frozen=True):
    """What is known about a blob besides its bytes."""

    digest: str
    media_type: str
    name: str = ""
    label: Label = UNLABELLED


class BlobsPart(Base):
    """Sealed bytes."""

    async def put_blob(
        self, data: bytes, media_type: str, name: str = "", person: str = "", label: Label | None = None
    ) -> BlobRef:
        """Keeps *data* and gives its name. The same bytes of the same person are kept once."""
        data = bytes(data)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        meta = encoded(BlobMeta(digest=digest, media_type=media_type, name=name, label=label or UNLABELLED))
        stored = self._keys.digest("blob", digest)
        seal = bound("blobs", self.tenant, stored, person)
        await self._script(lambda: self._keys.ensure((person,)), person)
        path = self._blob_path(stored, person) if len(data) >= SMALL else None
        body = self._keys.seal(person, data, seal) if path is None else None
        if path is not None and not path.exists():
            # On disk before the row that speaks of it; without a row, a file is only waste.
            await asyncio.to_thread(lambda: write_whole(path, self._keys.seal(person, data, seal)))

        def script() -> Script:
            info = self._keys.seal(person, meta, seal + b"meta")
            yield "blob_add", (self.tenant, stored, person, len(data), self.clock.now(), info, body)

        await self._script(script, person)
        return BlobRef(digest=digest, size=len(data), media_type=media_type, name=name)

    async def read_blob(self, blob: BlobRef, offset: int = 0, size: int = -1) -> bytes:
        """A piece of a blob, or all of it. `Damaged` if its bytes are not what its name says, `InputError` if
        there is no such blob. All of it is read and verified each time."""
        if offset < 0:
            raise InputError("an offset is not negative", hint="count from the beginning", field="offset")
        stored = self._keys.digest("blob", blob.digest)
        rows = await self._read(self._script_of("blob", self.tenant, stored, bodies=(2,)))
        problem: Exception = InputError(f"there is no blob {blob.digest}", hint="store it first", blob=blob.digest)
        for row in rows:
            try:
                data = await self._blob_bytes(row, stored, blob.digest)
                return data[offset:] if size < 0 else data[offset : offset + size]
            except Damaged as error:
                problem = error  # the same bytes may be there on behalf of somebody else
        raise problem

    async def _blob_bytes(self, row: Any, stored: bytes, digest: str) -> bytes:
        person, _, envelope = row
        what = f"the blob {digest} (table blobs, row {stored.hex()}, of {person or 'nobody'})"
        if envelope is None:
            path = self._blob_path(stored, person)
            if path is None or not path.exists():
                raise Damaged(f"the file of {what} is gone", hint=LOST, what=what)
            try:
                envelope = await asyncio.to_thread(path.read_bytes)
            except OSError as error:
                raise StoreError(f"{what} cannot be read: {error}", hint="look at the disk") from error
            await self._read(lambda: self._keys.load([envelope]))
        data = self._keys.opened(envelope, bound("blobs", self.tenant, stored, person), what)
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise Damaged(f"{what} holds other bytes than its name says", hint=LOST, what=what)
        return data

    def _blob_path(self, stored: bytes, person: str) -> Path | None:
        """The file of a blob; None where blobs stay in the table."""
        if not self.engine.file or self.home is None:
            return None
        return blob_file(self.home, self.tenant, stored, person)


@asynccontextmanager
async def still(home: Path) -> AsyncIterator[None]:
    """Inside, no other process replaces the files of blobs below *home*."""
    while (held := lock(home / f"{FOLDER}.lock")) is None:  # noqa: ASYNC110 - the lock is between processes
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        os.close(held)


def blob_file(home: Path, tenant: str, stored: bytes, person: str) -> Path:
    """Where a large blob is, from what its row says: found without any key, so that a backup can carry it."""
    name = hashlib.blake2b(bound(tenant, stored, person), digest_size=20).hexdigest()
    return home / FOLDER / name[:2] / name
