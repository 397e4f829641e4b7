"""Checks JSON data against JSON Schemas; compiles each schema once."""

from __future__ import annotations

from typing import Any

from gitu_core.errors import ToolInputError


class Validators:
    """Compiled schemas by owner. *owner* names a schema for good: a schema that changes gets another owner."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, int], tuple[Any, dict[str, Any]]] = {}

    def check(self, owner: str, schema: dict[str, Any], value: Any) -> None:
        """`ToolInputError` says where *value* does not fit, or that checking it takes too long; `ConfigError` if the
        schema itself is wrong."""
        compiled, _ = self._compiled.get((owner, id(schema))) or self._compile(owner, schema)
        for each in compiled.problems(value):
            path, message = ".".join(map(str, each.absolute_path)), each.message[:300] + "…" * (len(each.message) > 300)
            raise ToolInputError(f"{path}: {message}" if path else message, hint="correct the arguments", path=path)

    def _compile(self, owner: str, schema: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        from gitu_core.schemas import Schema

        if len(self._compiled) >= 2_000:  # of servers that come and go
            self._compiled.clear()
        # The schema is kept beside what was made of it, so that its id() stays taken.
        return self._compiled.setdefault((owner, id(schema)), (Schema(schema, owner), schema))
