"""Gitu, measured as the peers are. It has no turn that is not stored."""

from contextlib import AsyncExitStack
from pathlib import Path

from tests.benchmarks.measure import Send
from tests.benchmarks.variants import gitu

DISTRIBUTION = "gitu-core"
IMPORTS = "from gitu_core import Gitu, tool; Gitu(model='openai/bench'); import aiohttp, pydantic, sqlalchemy"
"""With what the first turn imports: the import of Gitu alone loads nothing."""


async def make(url: str, folder: Path, closing: AsyncExitStack) -> dict[str, Send]:
    """Its turns."""
    return {f"{kind} stored": await gitu(url, folder / kind, kind, closing) for kind in ("plain", "tool")}
