"""Spans through OpenTelemetry where the host uses it, nothing at all where it does not. Content never goes into one.

The names follow OpenTelemetry's conventions for generative AI, which may still change: this is the only place they
are written.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

_NOTHING: AbstractContextManager[None] = nullcontext()


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """A span around a piece of work. *attributes* whose value is None are left out; ``__`` in a name becomes ``.``."""
    if "opentelemetry.trace" not in sys.modules:
        return _NOTHING
    from opentelemetry import trace

    known = {key.replace("__", "."): value for key, value in attributes.items() if value is not None}
    # The status carries only the class of an exception: its text may hold content.
    return trace.get_tracer("gitu").start_as_current_span(name, attributes=known, record_exception=False)
