"""The store: tables, migrations, the writer, journal, people, sessions, plugin state, blobs, sealing, backup.

`Store` fulfils the port `gitu_core.contracts.ports.Store`; `restore` takes what `Store.backup` wrote.
"""

from gitu_core.store.store import Store, restore

__all__ = ["Store", "restore"]
