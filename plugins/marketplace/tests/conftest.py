"""A home to install into, wheels, and a key to sign with."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitu_marketplace.deal import Dealer
from gitu_marketplace.offers import Market
from gitu_marketplace.sources import Sources


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of an assistant."""
    return tmp_path / "home"


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that the installer looks into."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, value in (("NO_INDEX", "1"), ("FIND_LINKS", str(folder))):
        monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv(f"UV_{name}", value)
    return folder


@pytest.fixture
def sources(home: Path) -> Sources:
    """The indexes of the home."""
    return Sources(home)


@pytest.fixture
def dealer(home: Path, sources: Sources) -> Dealer:
    """Who installs into the home."""
    return Dealer(home, Market(sources))


@pytest.fixture
def key() -> Ed25519PrivateKey:
    """A publisher's key."""
    return Ed25519PrivateKey.generate()


@pytest.fixture
def anyio_backend() -> str:
    """Servers are connected to on asyncio only, as isolated plugins run."""
    return "asyncio"
