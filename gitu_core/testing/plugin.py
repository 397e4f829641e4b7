"""The pytest plugin: blocks real models, and offers these fixtures. Projects that do not use it pay nothing.

``gitu_home``       a fresh home folder, also in the environment
``fake_clock``      a `FakeClock`
``scripted_model``  a `ScriptedModel` without replies; ``scripted_model.add(…)`` adds some, and all must be
used ``model_server``    a `ModelServer` that repeats what it is told, running beside the test
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gitu_core.testing.blocking import blocking

if TYPE_CHECKING:
    from gitu_core.testing.clock import FakeClock
    from gitu_core.testing.model_server import ModelServer
    from gitu_core.testing.models import ScriptedModel

MARKER = "real_models"
_BLOCK = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--gitu-allow-models``."""
    parser.getgroup("gitu").addoption(
        "--gitu-allow-models", action="store_true", default=False, help="let tests of Gitu call real models"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Blocks real models for the run, unless the command line allows them."""
    config.addinivalue_line("markers", f"{MARKER}: this test may call real models of Gitu")
    stack = config.stash.setdefault(_BLOCK, ExitStack())
    stack.enter_context(blocking(not config.getoption("--gitu-allow-models")))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Puts the environment back as it was."""
    config.stash.setdefault(_BLOCK, ExitStack()).close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lets a marked test through, its fixtures included."""
    if item.get_closest_marker(MARKER) is None:
        return (yield)
    with blocking(False):
        return (yield)


@pytest.fixture
def gitu_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home folder; ``GITU_HOME`` names it, and no configuration from outside is seen."""
    home = tmp_path / "gitu"
    home.mkdir()
    monkeypatch.setenv("GITU_HOME", str(home))
    for name in ("GITU_CONFIG", "GITU_DATABASE", "GITU_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that stands still until the test moves it."""
    from gitu_core.testing.clock import FakeClock

    return FakeClock()


@pytest.fixture
def scripted_model() -> Iterator[ScriptedModel]:
    """A model without replies yet; fails the test if it leaves some unused."""
    from gitu_core.testing.models import ScriptedModel

    model = ScriptedModel()
    yield model
    model.assert_complete()


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A model server on this machine, in a thread of its own: it serves sync and async tests alike."""
    from anyio.from_thread import start_blocking_portal

    from gitu_core.testing.model_server import ModelServer

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(ModelServer()) as server:
        yield server
