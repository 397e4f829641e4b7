"""What the registry tells about a plugin."""

from __future__ import annotations

from typing import Literal

from gitu_core.model import Value
from gitu_core.registry.scan import Source

State = Literal["enabled", "disabled", "quarantined", "broken", "incompatible", "duplicate"]


class PluginStatus(Value, frozen=True):
    """A plugin as ``gitu plugins --json`` prints it.

    `state` is what may happen to it, `enabled` what the operator wants, `active` whether its code is loaded.
    `reason` and `hint` say why it cannot run and what to do. `contributions` are written ``seam:name``.
    `source` tells where its manifest comes from: ``file``, a ``fenced`` child process, a plain ``child``,
    ``local`` (the embedder's own), or nothing yet. `isolation` is how its code really runs,
    `walls` what stands around its process. `notes` are
    smaller troubles; `faults` how often it failed lately.
    """

    id: str
    state: State
    enabled: bool
    active: bool
    isolation: Literal["host", "process"]
    title: str = ""
    distribution: str = ""
    version: str = ""
    reason: str = ""
    hint: str = ""
    contributions: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    source: Source = ""
    file: str = ""
    notes: tuple[str, ...] = ()
    faults: int = 0
    walls: tuple[str, ...] = ()
