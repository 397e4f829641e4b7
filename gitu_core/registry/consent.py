"""What the operator switched on and off, in ``plugins.json``. Installed is not enabled."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gitu_core.errors import ConfigError
from gitu_core.registry.index import write_whole


class _File(msgspec.Struct):
    """`enabled` maps the id of a plugin to the distribution that it was enabled from."""

    enabled: dict[str, str] = {}
    disabled: set[str] = set()


class Consent:
    """The operator's word. A plugin is enabled together with its distribution, so that no other may use its
    id.
    """

    def __init__(self, home: Path) -> None:
        self.file = Path(home, "plugins.json")
        self._word: _File | None = None

    def says(self, id: str, distribution: str) -> bool | None:
        """True or False where the operator decided about the plugin of this distribution, else None."""
        word = self._read()
        if id in word.enabled:
            return word.enabled[id] == distribution
        return False if id in word.disabled else None

    def enabled_from(self, id: str) -> str | None:
        """The distribution from which the plugin was enabled."""
        return self._read().enabled.get(id)

    def enable(self, id: str, distribution: str) -> None:
        """Switches a plugin on, for good. `ConfigError` if it cannot be written."""
        word = self._read(again=True)
        word.enabled[id] = distribution
        word.disabled.discard(id)
        self._write(word)

    def disable(self, id: str) -> None:
        """Switches a plugin off, for good. `ConfigError` if it cannot be written."""
        word = self._read(again=True)
        word.enabled.pop(id, None)
        word.disabled.add(id)
        self._write(word)

    def _read(self, again: bool = False) -> _File:
        if self._word is None or again:
            try:
                self._word = msgspec.json.decode(self.file.read_bytes(), type=_File)
            except FileNotFoundError:
                self._word = _File()
            except (OSError, msgspec.MsgspecError, ValueError) as error:
                hint = "correct it, or delete it and enable what you use with: gitu plugins enable ID"
                raise ConfigError(f"{self.file}: {error}", hint=hint, field="plugins") from error
        return self._word

    def _write(self, word: _File) -> None:
        try:
            write_whole(self.file, msgspec.json.encode(word, order="deterministic"))
        except OSError as error:
            raise ConfigError(f"{self.file}: {error}", hint="make the folder writable", field="plugins") from error
