"""Notices a hook that blocks the event loop, while it still does: nothing inside the loop could."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gitu_core.registry.manager import Implementation


class Watchdog:
    """A thread that looks every *interval* seconds at what `running` says and reports what takes too long,
    once.
    """

    def __init__(
        self,
        running: Callable[[], tuple[Implementation, float] | None],
        report: Callable[[Implementation, float], None],
        interval: float = 0.5,
    ) -> None:
        self._running, self._report, self._interval = running, report, interval
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to watch; again is harmless."""
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._watch, name="gitu-watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends watching; again is harmless."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self) -> None:
        reported: tuple[Implementation, float] | None = None
        while not self._ended.wait(self._interval):
            running = self._running()
            if running is None or running is reported:
                continue
            took = time.monotonic() - running[1]
            if took > running[0].timeout:
                reported = running
                self._report(running[0], took)
