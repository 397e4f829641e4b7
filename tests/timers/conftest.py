"""A store on both engines, whose clock the test owns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gitu_core.store import Store
from tests.store.conftest import opened, postgres, url  # noqa: F401 - the fixtures
from tests.timers.around import JumpingClock


@pytest.fixture
def clock() -> JumpingClock:
    """Time, as the test moves it."""
    return JumpingClock()


@pytest.fixture
async def store(opened: Callable[..., Any], clock: JumpingClock) -> Store:  # noqa: F811 - the fixture
    """The store of a worker."""
    store: Store = await opened(clock=clock)
    await store.join("first")
    return store


@pytest.fixture
async def other(opened: Callable[..., Any], store: Store, clock: JumpingClock) -> Store:  # noqa: F811 - the fixture
    """The store of another worker on the same database."""
    other: Store = await opened(clock=clock)
    await other.join("second")
    return other
