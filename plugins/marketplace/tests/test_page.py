"""The marketplace in the console: what a plugin wants is shown first, and a yes counts for exactly that."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitu_core.contracts import Block
from gitu_marketplace.deal import Dealer
from gitu_marketplace.page import Shop
from gitu_marketplace.publish import publish
from gitu_marketplace.sources import Sources
from tests.wheels import write_plugin

pytestmark = pytest.mark.anyio
ME = "user:local"
NETWORK = 'network = ["lamps.example.org"]'


class Admin:
    """The facet, as far as the page uses it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.begun: list[str] = []

    async def overview(self) -> dict[str, Any]:
        """Where the assistant lives."""
        return {"home": str(self._home), "settings": {"file": ""}}

    async def begin_anew(self, by: str = "") -> None:
        """Remembers who asked."""
        self.begun.append(by)


@pytest.fixture
def folder(tmp_path: Path, key: Ed25519PrivateKey, sources: Sources) -> Path:
    """An index of one plugin, which the home believes."""
    place = tmp_path / "index"
    write_plugin(place, "lamp", title="<b>Lamps</b>")
    publish(place, key)
    sources.add(*sources.meet(str(place)))
    return place


@pytest.fixture
def shop(home: Path) -> Shop:
    """The page."""
    return Shop(SimpleNamespace(admin=Admin(home)))  # type: ignore[arg-type]


async def rows(shop: Shop, title: str, principal: str = ME) -> list[dict[str, Any]]:
    """The rows of one of its tables."""
    blocks: dict[str, Block] = {block.title: block for block in await shop.blocks(principal)}
    found: list[dict[str, Any]] = blocks[title].data["rows"] if title in blocks else []
    return found


async def asked(shop: Shop, deed: str) -> str:
    """What is to be said yes to, on lines."""
    return "\n".join(each["line"] for each in await rows(shop, deed))


async def test_a_plugin_is_found_shown_and_installed_after_a_yes(shop: Shop, folder: Path, dealer: Dealer) -> None:
    assert await rows(shop, "Found") == []
    await shop.act(ME, "search", {"words": "lamps"})
    (found,) = await rows(shop, "Found")
    values = found["actions"][0]["values"]
    assert (found["id"], found["version"]) == ("lamp", "1.0")
    assert (await shop.act(ME, "yes", {})).status == "error"
    assert dealer.shelf.ids() == []
    result = await shop.act(ME, "install", values)
    assert "before you say yes" in result.text
    assert "lamp" in await asked(shop, "Install lamp?")
    assert await rows(shop, "Install lamp?", "user:anna") == []
    assert dealer.shelf.ids() == []
    assert (await shop.act(ME, "yes", {})).status == "ok"
    assert dealer.shelf.installed("lamp").version == "1.0"
    assert [each["id"] for each in await rows(shop, "Installed from here")] == ["lamp"]
    assert (await shop.act(ME, "yes", {})).status == "error"  # a yes is used up


async def test_a_no_and_a_path_install_nothing(shop: Shop, folder: Path, dealer: Dealer, tmp_path: Path) -> None:
    await shop.act(ME, "install", {"id": "lamp", "index": str(folder)})
    await shop.act(ME, "no", {})
    assert (await shop.act(ME, "yes", {})).status == "error"
    wheel = write_plugin(tmp_path / "elsewhere", "lamp")
    for values in ({"id": str(wheel)}, {"id": str(wheel), "index": ""}, {"id": str(wheel), "index": str(folder)}):
        result = await shop.act(ME, "install", values)
        assert result.status == "error", result.text
    assert dealer.shelf.ids() == []


async def test_an_update_shows_what_it_wants_more_and_can_be_taken_back(
    shop: Shop, folder: Path, dealer: Dealer, key: Ed25519PrivateKey
) -> None:
    await shop.act(ME, "install", {"id": "lamp", "index": str(folder)})
    await shop.act(ME, "yes", {})
    write_plugin(folder, "lamp", "2.0", capabilities=NETWORK)
    publish(folder, key)
    await shop.act(ME, "update", {"id": "lamp"})
    assert "lamps.example.org" in await asked(shop, "Update lamp?")
    assert dealer.shelf.installed("lamp").version == "1.0"
    await shop.act(ME, "yes", {})
    assert dealer.shelf.installed("lamp").version == "2.0"
    result = await shop.act(ME, "rollback", {"id": "lamp"})
    assert "back from 2.0 to 1.0" in result.text
    assert dealer.shelf.installed("lamp").version == "1.0"


async def test_a_yes_does_not_count_for_what_was_put_there_since(
    shop: Shop, folder: Path, dealer: Dealer, key: Ed25519PrivateKey
) -> None:
    await shop.act(ME, "install", {"id": "lamp", "index": str(folder)})
    write_plugin(folder, "lamp", "2.0", capabilities=NETWORK)
    publish(folder, key)
    await shop.act(ME, "yes", {})
    assert dealer.shelf.ids() == []
    assert "lamps.example.org" in await asked(shop, "Install lamp?")


async def test_it_begins_anew_in_the_name_of_who_asked_and_knows_nothing_else(shop: Shop, folder: Path) -> None:
    await shop.act(ME, "anew", {})
    assert shop._host.admin.begun == [ME]  # type: ignore[attr-defined]
    assert (await shop.act(ME, "remove", {"id": "lamp"})).status == "error"
