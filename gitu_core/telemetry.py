"""Spans through OpenTelemetry where the host uses it, nothing at all where it does not. Content never goes into one.

The names follow OpenTelemetry's conventions for generative AI, which may still change: this is the only place they
are written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

_NOTHING: AbstractContextManager[None] = nullcontext()


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """A span around a piece of work. *attributes* whose value is None are left out; ``__`` in a name becomes ``.``."""
    if "opentelemetry.trace" not in sys.modules:
        return _NOTHING
    return _span(name, {key.replace("__", "."): value for key, value in attributes.items() if value is not None})


@contextmanager
def _span(name: str, attributes: Mapping[str, Any]) -> Iterator[Any]:
    from opentelemetry import trace

    # OpenTelemetry would put the text of an exception into the status, and its text may hold content.
    with trace.get_tracer("gitu").start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as error:  # whatever it is: it is noted by its class and raised on
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
