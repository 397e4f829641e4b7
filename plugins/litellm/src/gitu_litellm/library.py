"""Imports LiteLLM, in a worker thread: it takes seconds, and the event loop has other things to do."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

import anyio
import anyio.to_thread

_library: ModuleType | None = None


async def litellm() -> ModuleType:
    """The library, quiet and without any network of its own."""
    if _library is not None:
        return _library
    return await anyio.to_thread.run_sync(_load)


def _load() -> ModuleType:
    global _library
    # Without it the import fetches a price list from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    library = importlib.import_module("litellm")
    # Nothing is reported home, nothing is printed, and what a model does not take is left out. An answer that says the
    # same a hundred times, a line of dashes for instance, is an answer.
    settings = {"telemetry": False, "suppress_debug_info": True, "drop_params": True,
                "REPEATED_STREAMING_CHUNK_LIMIT": sys.maxsize}  # fmt: skip
    for name, value in settings.items():
        setattr(library, name, value)
    _library = library
    return library
