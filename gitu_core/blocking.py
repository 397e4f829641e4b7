"""The switch that keeps tests away from real models."""

from __future__ import annotations

import os
from collections.abc import Mapping

BLOCK = "GITU_BLOCK_MODELS"
"""While this environment variable is on, no model provider is asked that would leave this machine."""


def models_blocked(environ: Mapping[str, str] = os.environ) -> bool:
    """True while real models must not be called."""
    return environ.get(BLOCK, "").strip().lower() not in {"", "0", "false", "no", "off"}
