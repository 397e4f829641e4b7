"""Structured output: finds the JSON in a model's words and checks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gitu_core.errors import ModelError, ToolInputError
from gitu_core.runtime.validate import Validators

_validators = Validators()


def read_data(text: str, schema: dict[str, Any], check: Callable[[Any], Any] | None) -> Any:
    """The value in *text*, checked against *schema* and then by *check*. `ModelError` says what does not fit."""
    body = text.strip()
    if body.startswith("```"):
        body = body.strip("`").removeprefix("json").strip()
    try:
        value = msgspec.json.decode(body.encode())
        _validators.check("output", schema, value)
        return value if check is None else check(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelError(f"the answer is no JSON: {error}", hint="answer with JSON only") from error
    except ToolInputError as error:
        raise ModelError(f"the answer does not fit the schema: {error.message}", hint="correct it") from error
    except ValueError as error:
        raise ModelError(f"the answer does not fit: {error}", hint="correct it") from error
