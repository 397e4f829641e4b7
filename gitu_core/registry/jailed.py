"""Keeps what the jail says about plugins without a manifest, by the content of their code."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitu_core.registry.index import Index
from gitu_core.registry.scan import Found


class Jailed:
    """Descriptions made in a child process, in the index. *limit* is how many seconds a child may take."""

    def __init__(self, index: Index, home: Path, limit: float) -> None:
        self._index, self._home, self._limit = index, home, limit

    def describe(self, found: Found) -> Found:
        """*found* with its manifest or its trouble. Blocks while a child runs, once a version of the code."""
        from gitu_core.registry import jail

        digest, failed = self._keys(found)
        known = self._index.described(digest) or self._index.described(failed)
        if known is None:
            known = jail.describe_in_child(found, self._index.path, self._home, self._limit)
            self._index.keep(failed if known.trouble else digest, known)
        return msgspec.structs.replace(found, manifest=known.manifest, trouble=known.trouble, source=known.source)

    def forget(self, found: Found) -> None:
        """Lets the plugin be described again, if it ever was."""
        if self.bare(found) is not found:
            for key in self._keys(found):
                self._index.forget(key)

    def bare(self, found: Found) -> Found:
        """*found* as it lies on disk, without what a jail said."""
        if found.source not in ("child", "bubblewrap"):
            return found
        return msgspec.structs.replace(found, manifest=None, trouble=None, source="")

    def _keys(self, found: Found) -> tuple[str, str]:
        """Where a description is kept, and where a failure is: that one is looked at again after the next
        install, because a missing dependency may be there by then.
        """
        from gitu_core.registry import jail

        digest = jail.digest_of(found)
        return digest, f"{digest} {self._index.generation}"
