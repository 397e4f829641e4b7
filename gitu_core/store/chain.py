"""The audit's chain: each entry carries a keyed digest of itself and of the entry before it, so that none can be
changed, moved or taken out by somebody who has the database and not the master key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gitu_core.store.codec import bound
from gitu_core.store.keys import Keyring, Script

if TYPE_CHECKING:
    from gitu_core.store.writer import Row

START = b""
"""What the first entry follows."""


def link(
    keys: Keyring, before: bytes, n: int, columns: Sequence[Any], digest: bytes, kind: str = "audit entry"
) -> bytes:  # fmt: skip
    """The digest of entry *n*: of its *columns*, its body's *digest* and the end of the chain *before* it."""
    return keys.mac(kind, before + bound(n, *columns, digest))


def end(keys: Keyring, hash: bytes) -> bytes:
    """The end of a chain whose last entry has the digest *hash*. It stands nowhere else, so that nobody can take the
    end back to an earlier entry who did not keep a copy from then."""
    return keys.mac("audit end", hash)


def follows(keys: Keyring, before: bytes, hash: bytes, n: int, columns: Sequence[Any], digest: bytes) -> str:
    """How entry *n* follows the one with the digest *before*: ``now``, ``once`` (as written when the end was no more
    than the last digest), or not at all."""
    if hash in [link(keys, each, n, columns, digest) for each in (end(keys, before), before)]:
        return "now"
    return "once" if hash == link(keys, before, n, columns, digest, "audit") else ""


def sealed_digest(keys: Keyring, body: bytes) -> bytes:
    """The digest that stands for a body in the chain: it stays when the body is erased."""
    return keys.mac("audit body", body)


def chained(rows: Sequence[Row], keys: Keyring) -> Script:
    """Adds entries to the end of their tenant's chain; part of a script. One that is there already is left out: what
    a process did and could not learn the fate of is recorded again."""
    tenant = rows[0].params[0]
    yield "audit_begin", (tenant, 0, START)
    # The row is the lock: other processes add their entries behind ours.
    ((n, before),) = yield "audit_head", (tenant,)
    before, first = bytes(before), n
    for row in {row.params[1]: row for row in rows}.values():
        if (yield "audit_known", row.params[:2]):
            continue
        n, digest = n + 1, sealed_digest(keys, row.body or b"")
        hash = link(keys, before, n, row.params, digest)
        body = keys.seal(row.person, row.body or b"", row.bound)
        yield "audit_add", (tenant, n, *row.params[1:], digest, hash, body)
        before = end(keys, hash)
    if n > first:
        yield "audit_move", (n, before, tenant)
