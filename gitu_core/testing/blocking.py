"""The switch that keeps tests away from real models: the environment variable ``GITU_BLOCK_MODELS``.

While it is set to anything but ``0``, ``false`` or nothing, Gitu refuses every provider that would leave this
machine. The pytest plugin sets it for the whole run; child processes inherit it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gitu_core.blocking import BLOCK, models_blocked

VARIABLE = BLOCK
"""The name of the environment variable."""


def blocked() -> bool:
    """True while real models must not be called."""
    return models_blocked()


@contextmanager
def blocking(on: bool) -> Iterator[None]:
    """Sets the switch, and puts it back as it was at the end."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1" if on else "0"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before
