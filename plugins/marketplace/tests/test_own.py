"""The plugins of this repository can be published as an index; the marketplace understands each of their manifests."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitu_core.errors import InputError
from gitu_marketplace import tools
from gitu_marketplace.deal import Dealer
from gitu_marketplace.listing import search, show
from gitu_marketplace.offers import Market
from gitu_marketplace.publish import publish
from gitu_marketplace.sources import Sources

PLUGINS = Path(__file__).parents[2]


def test_an_index_of_our_own_plugins(tmp_path: Path, key: Ed25519PrivateKey, sources: Sources, dealer: Dealer) -> None:
    folders = sorted(each.parent for each in PLUGINS.glob("*/pyproject.toml"))
    place = tmp_path / "index"
    place.mkdir()
    for each in folders:
        into = tmp_path / each.name
        into.mkdir()
        wheel = tools.build(each, into)
        wheel.rename(place / wheel.name)
    index = publish(place, key, name="Gitu's own")
    names = {tomllib.loads((each / "pyproject.toml").read_text("utf-8"))["project"]["name"] for each in folders}
    assert {each.distribution for each in index.plugins} == names
    assert all(f"gitu-{each.id}" == each.distribution for each in index.plugins)
    sources.add(*sources.meet(str(place)))
    assert "nats" in search(Market(sources), [])
    assert "contributes: tool" in show(Market(sources), dealer.shelf, "basics")
    with pytest.raises(InputError, match="part of this installation of Gitu"):
        dealer.install("basics", yes=True)
