"""The store: tables, migrations, the writer, journal, people, sessions, plugin state, blobs, sealing, backup.

`Store` fulfils the port `gitu_core.contracts.ports.Store`; `restore` takes what `Store.backup` wrote.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core.store.store import Store, restore

__all__ = ["Store", "restore"]


def __getattr__(name: str) -> object:
    # Late, so that the compiler of SQL runs without what it compiles.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gitu_core.store import store

    return getattr(store, name)
