"""Requests made from the OpenAPI document itself, good ones and bad ones: nothing is answered with a 5xx, and every
answer is as described."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from .whole import whole

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LEFT_OUT = "/v1/stream"
"""It does not end."""


def asked(url: str, keys: list[str], examples: int) -> dict[str, Counter[int]]:
    """Asks everything that the document describes, each operation with a key of its own, for some end it; gives the
    statuses by operation."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    schema = schemathesis.openapi.from_url(f"{url}/v1/openapi.json").exclude(path=LEFT_OUT)
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    statuses: dict[str, Counter[int]] = {}
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)

    def ask(operation: Any, mode: Any, key: str) -> None:
        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def one(case: schemathesis.Case) -> None:
            if isinstance(case.query, dict):
                case.query.pop("wait", None)  # two minutes are right as well
            answer = case.call(headers={"authorization": f"Bearer {key}"}, timeout=30)
            statuses[operation.label][answer.status_code] += 1
            case.validate_response(answer, checks=checks)

        one()

    for found in schema.get_all_operations():
        operation, key = found.ok(), keys.pop()
        statuses[operation.label] = Counter()
        for mode in modes:
            try:
                ask(operation, mode, key)
            except Unsatisfiable:  # nothing can be wrong about it
                continue
            except Exception as error:  # whatever a check raises, the operation has to be named
                raise AssertionError(f"{operation.label}: {error}") from error
    return statuses


async def test_whatever_is_asked_is_answered_as_described(tmp_path: Path) -> None:
    async with whole(tmp_path) as place:
        keys = [await place.doors.key("local", f"program {n}", ("chat", "admin")) for n in range(100)]
        statuses = await anyio.to_thread.run_sync(asked, place.url, keys, 15)
    assert sum(each.total() for each in statuses.values()) > 400
    good = [label for label, each in statuses.items() if any(200 <= status < 300 for status in each)]
    assert len(good) > 20, statuses
