"""Everyday tools for Gitu: the time anywhere, a calculator, units, and notes.

None of them needs a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitu_core import Host, Tool


def gitu_tools(host: Host) -> Sequence[Tool]:
    """The tools ``clock``, ``calculate``, ``convert``, ``note``, ``notes`` and ``forget_note``."""
    from gitu_basics.tools import make_tools

    return make_tools(host)
