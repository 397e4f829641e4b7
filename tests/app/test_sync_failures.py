"""The synchronous twin where something fails: the error comes out as it is, and no thread stays behind."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from gitu_core import SyncGitu
from gitu_core.errors import ConfigError, InputError, StoreError
from gitu_core.testing import ScriptedModel


def portals() -> list[threading.Thread]:
    """The threads that run an event loop of ours, after those that are about to end did."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        found = [each for each in threading.enumerate() if "portal" in each.name.lower()]
        if not found:
            break
        time.sleep(0.01)
    return found


def test_one_that_cannot_open_leaves_no_thread_behind(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database, whatever its name says" * 200)
    with pytest.raises(StoreError), SyncGitu(model=ScriptedModel(), database=f"sqlite:///{broken}"):
        pytest.fail("it opened")
    assert portals() == []


def test_a_stream_that_cannot_begin_raises_where_it_is_read() -> None:
    with SyncGitu(model=ScriptedModel()) as gitu:
        with pytest.raises(InputError, match="empty"):
            list(gitu.stream(" ", user="u"))
        with pytest.raises(ConfigError, match="no profile"):
            list(gitu.stream("hello", user="u", profile="nobody"))
    assert portals() == []
