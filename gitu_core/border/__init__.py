"""The process border: every contract works through it unchanged, because it is derived from the contracts.

`codec` turns values into bytes and back, `plans` reads what of a contract crosses, `proxies` are the far
side of an object, `peer` is one end of a connection, `sockets` carries it (and for tests `gitu_core.testing.loopback`,
inside one process). The worker side needs only msgspec, pydantic and anyio.
"""
