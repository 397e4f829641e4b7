"""The marketplace in the console, in a real browser before a real server, with an index that its publisher signed: what
is found, what it wants, an update that wants more, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

for each in ("gitu_web", "gitu_marketplace"):
    pytest.importorskip(each, reason="it needs the plugins web and marketplace: make setup with both in plugins/")

from gitu_marketplace.publish import publish  # noqa: E402 - only where it is there
from gitu_marketplace.sources import Sources  # noqa: E402
from plugins.web.tests.console_world import (  # noqa: E402
    ROOT,
    Installation,
    Screen,
    chromium,
    connected,
    nothing_wrong,
    signed_in,
)  # fmt: skip
from tests.wheels import write_plugin  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium(), reason="there is no Chromium; get one with: sh scripts/browser.sh"),
]

NETWORK = 'network = ["lamps.example.org"]'
TITLE = "<b>Lamps</b>"


class Index:
    """A folder of releases, and the key that signs them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._key = folder, Ed25519PrivateKey.generate()

    def publish(self, version: str, **manifest: str) -> None:
        """One more release of the plugin `lamp`."""
        write_plugin(self.folder, "lamp", version, title=TITLE, **manifest)
        publish(self.folder, self._key)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """An index with one plugin."""
    made = Index(tmp_path_factory.mktemp("index"))
    made.publish("1.0")
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, index: Index) -> Iterator[Installation]:
    """An installation that believes the index; its installer looks nowhere else."""
    with pytest.MonkeyPatch.context() as patch:
        for tool in ("PIP", "UV"):
            patch.setenv(f"{tool}_NO_INDEX", "1")
            patch.setenv(f"{tool}_FIND_LINKS", str(index.folder))
        made = Installation(tmp_path_factory.mktemp("shop"))
        made.configure('model = "offline"\n')
        sources = Sources(made.folder / "home")
        sources.add(*sources.meet(str(index.folder)))
        yield made


@pytest.fixture(scope="module")
def screen(place: Installation) -> Iterator[Screen]:
    """A browser in front of it."""
    with signed_in(place, ROOT / ".screens") as found:
        yield found


def shop(screen: Screen, place: Installation) -> Any:
    """The page, opened."""
    screen.page.goto(f"{place.url}/p/marketplace/admin/marketplace")
    return screen.page


def table(page: Any, title: str) -> Any:
    """A table of the page, by its title."""
    return page.locator("section.block.table").filter(has=page.get_by_role("heading", name=title, exact=True))


def begin_anew(screen: Screen, place: Installation) -> None:
    """Has what was changed count."""
    page = shop(screen, place)
    with screen.forgiving("ERR_CONNECTION_REFUSED", "WebSocket connection to"):
        page.locator("summary", has_text="Begin anew").click()
        page.locator(".sure[open]").get_by_role("button", name="Yes, do it").click()
        page.wait_for_selector("[role=status]:has-text('It begins anew')")
        page.wait_for_timeout(1_000)
        page.goto(f"{place.url}/chat")
        connected(page)


def test_a_plugin_is_found_and_installed_after_a_look_at_what_it_wants(screen: Screen, place: Installation) -> None:
    page = shop(screen, place)
    assert "Nothing was installed" in page.locator("main").inner_text()
    page.get_by_label("Words").fill("no such thing")
    page.get_by_role("button", name="Search").click()
    assert "Nothing was found." in page.locator("main").inner_text()
    page.get_by_label("Words").fill("lamps")
    page.get_by_role("button", name="Search").click()
    row = table(page, "Found").locator("tbody tr")
    assert (row.count(), TITLE in row.inner_text(), "1.0" in row.inner_text()) == (1, True, True)
    screen.look("marketplace-found")
    row.get_by_role("button", name="Install").click()
    asked = table(page, "Install lamp?")
    assert "lamp" in asked.inner_text()
    screen.look("marketplace-install")
    page.get_by_role("button", name="No", exact=True).click()
    page.wait_for_selector("[role=status]:has-text('Nothing was changed.')")
    assert (
        not (place.folder / "home" / "plugins").exists()
        or "lamp" not in table(page, "Installed from here").inner_text()
    )
    row.get_by_role("button", name="Install").click()
    page.get_by_role("button", name="Yes, do it").click()
    table(page, "Installed from here").locator("tbody tr", has_text="1.0").wait_for()
    nothing_wrong(screen)


def test_what_was_installed_is_there_after_a_new_beginning(screen: Screen, place: Installation) -> None:
    begin_anew(screen, place)
    screen.page.goto(f"{place.url}/plugins")
    row = screen.page.get_by_role("row").filter(has_text=TITLE)
    assert "1.0" in row.inner_text()
    nothing_wrong(screen)


def test_an_update_shows_what_it_wants_more_and_is_taken_back(
    screen: Screen, place: Installation, index: Index
) -> None:
    index.publish("2.0", capabilities=NETWORK)
    page = shop(screen, place)
    installed = table(page, "Installed from here").locator("tbody tr")
    installed.get_by_role("button", name="Update").click()
    asked = table(page, "Update lamp?")
    assert "lamps.example.org" in asked.inner_text()
    screen.look("marketplace-update")
    assert "1.0" in installed.inner_text(), "nothing happens before the yes"
    page.locator("section.block.action").get_by_role("button", name="Yes, do it").first.click()
    installed.filter(has_text="2.0").wait_for()
    screen.look("marketplace-installed")
    installed.locator("summary", has_text="Go back").click()
    installed.get_by_role("button", name="Yes, do it").click()
    page.wait_for_selector("[role=status]:has-text('back from 2.0 to 1.0')")
    assert "1.0" in installed.inner_text()
    begin_anew(screen, place)
    page.goto(f"{place.url}/plugins")
    assert "1.0" in page.get_by_role("row").filter(has_text=TITLE).inner_text()
    nothing_wrong(screen)
