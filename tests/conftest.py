"""What all tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.stories import pytest_xdist_make_scheduler as pytest_xdist_make_scheduler


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that asynchronous tests run in."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _plugins_written_for_a_test_are_forgotten() -> Iterator[None]:
    """A module that one test wrote and imported (`x_<id>`) never stands in for that of another with the same name."""
    yield
    for name in [each for each in sys.modules if each.startswith("x_")]:
        del sys.modules[name]
