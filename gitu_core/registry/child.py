"""The child side of `jail`: imports one plugin, describes it, and writes the answer to a file of its own."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from gitu_core.errors import LoadError, PluginError
from gitu_core.isolation import blamed
from gitu_core.manifest import Manifest, check
from gitu_core.registry.jail import OUTPUT_LIMIT, Answer
from gitu_core.registry.scan import trouble_of

_MEMORY = 2 << 30
"""Bytes that the child may take, and write to one file."""


def main(task: dict[str, Any]) -> None:
    """Describes the entry point of *task* and ends the process, so that no plugin's thread or exit handler
    goes on.
    """
    os.set_inheritable(task["fd"], False)
    _limit(int(task["seconds"]) + 1)
    data = msgspec.json.encode(_answer(task["name"], task["value"]))[: OUTPUT_LIMIT + 1]
    while data:
        data = data[os.write(task["fd"], data) :]
    os._exit(0)


def _limit(seconds: int) -> None:
    """Bounds processor time, memory and files, where the platform has such limits."""
    try:
        import resource
    except ImportError:
        return
    limits = {resource.RLIMIT_CPU: seconds, resource.RLIMIT_AS: _MEMORY, resource.RLIMIT_FSIZE: _MEMORY,
              resource.RLIMIT_CORE: 0}  # fmt: skip
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        within = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (within, within))


def _answer(name: str, value: str) -> Answer:
    import anyio

    from gitu_core.registry.describe import RecordingHost, describe
    from gitu_core.registry.loading import import_plugin

    async def run() -> Manifest:
        with blamed(LoadError, "its import ", "see what its module does when it is imported"):
            manifest = await describe(import_plugin(name, value), RecordingHost(name.lower()))
            check(manifest, f"the entry point {name}")
            return manifest

    try:
        return Answer(manifest=anyio.run(run))
    except PluginError as error:
        return Answer(trouble=trouble_of(error))
