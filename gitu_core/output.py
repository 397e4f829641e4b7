"""Structured output: a type that pydantic can check, as JSON Schema and as the check itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def output_of(kind: Any) -> tuple[dict[str, Any], Callable[[Any], Any]]:
    """The JSON Schema of *kind*, and what makes an instance of JSON data (`ValueError` if it does not fit)."""
    from pydantic import TypeAdapter

    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return adapter.json_schema(), adapter.validate_python
