"""The process border: every contract works through it unchanged, because it is derived from the contracts.

`codec` turns values into bytes and back, `plans` reads what of a contract crosses, `proxies` are the far
side of an object, `peer` is one end of a connection, `loopback` and `pipes` connect two ends. The worker
side needs only msgspec, pydantic and anyio.
"""
