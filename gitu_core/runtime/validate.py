"""Checks JSON data against JSON Schemas; compiles each schema once."""

from __future__ import annotations

from typing import Any

from gitu_core.errors import ConfigError, ToolInputError

_MAX_VALIDATORS = 2_000


class Validators:
    """Compiled schemas by owner. *owner* names a schema for good: a schema that changes gets another owner."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, int], Any] = {}

    def check(self, owner: str, schema: dict[str, Any], value: Any) -> None:
        """`ToolInputError` says where *value* does not fit; `ConfigError` if the schema itself is wrong."""
        validator = self._compiled.get((owner, id(schema))) or self._compile(owner, schema)
        error: Any
        try:
            error = next(validator.iter_errors(value), None)
        except RecursionError:
            raise ToolInputError("the arguments are nested too deeply", hint="send a flatter value") from None
        except Exception as error:  # a reference or pattern that cannot be followed, of whatever class
            raise ConfigError(f"{owner}: its JSON Schema cannot be used: {type(error).__name__}: {error}",
                              hint="correct the schema", field=owner) from error  # fmt: skip
        if error is not None:
            path = ".".join(str(part) for part in error.absolute_path)
            message = error.message if len(error.message) <= 300 else error.message[:300] + "…"
            raise ToolInputError(f"{path}: {message}" if path else message, hint="correct the arguments", path=path)

    def _compile(self, owner: str, schema: dict[str, Any]) -> Any:
        from jsonschema import Draft202012Validator, SchemaError
        from referencing import Registry

        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ConfigError(f"{owner}: its JSON Schema is wrong: {error.message}", hint="correct the schema",
                              field=owner) from error  # fmt: skip
        if len(self._compiled) >= _MAX_VALIDATORS:
            self._compiled.clear()
        # An empty registry: a schema refers to itself only, and never to the network. The schema is kept beside its
        # validator, so that its id() stays taken.
        self._compiled[owner, id(schema)] = validator = Draft202012Validator(schema, registry=Registry())
        return validator
