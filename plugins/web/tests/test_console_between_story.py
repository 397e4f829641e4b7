"""What comes between: visits that end, two browsers that answer at once, pages that come without TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .console_world import KEY, ROOT, Installation, Screen, chromium, connected, say, signed_in
from .test_console_story import HOSTILE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium(), reason="there is no Chromium; get one with: sh scripts/browser.sh"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation with tools that ask first."""
    return Installation(tmp_path_factory.mktemp("between"))


@pytest.fixture(scope="module")
def screen(place: Installation) -> Iterator[Screen]:
    """A browser in front of it."""
    place.install("hostile", HOSTILE)
    with place.model.serving():
        key = place.folder / "key"
        key.write_text(KEY)
        key.chmod(0o600)
        place.configure(
            f'model = "openai/test-model"\n[plugins.openai]\nbase_url = "{place.model.url}"\n'
            f'[plugins.hostile]\nenabled = true\n[secrets]\nOPENAI_API_KEY = "file:{key}"\n'
        )
        with signed_in(place, ROOT / ".screens") as found:
            yield found


def another(screen: Screen, place: Installation) -> Any:
    """Another browser of the owner, in the chat."""
    page = screen.page.context.browser.new_context().new_page()
    page.goto(next(each for each in place.run("web", "link")[1].splitlines() if "code=" in each))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/chat")
    connected(page)
    return page


def test_two_browsers_that_answer_at_once_show_the_answer_that_counted(screen: Screen, place: Installation) -> None:
    one, other = screen.page, another(screen, place)
    connected(one)
    say(one, "Write to the shop on that page")
    for page, choice in ((one, "Yes, this once"), (other, "No")):
        page.locator("fieldset.ask").wait_for()
        page.evaluate(  # pressed in a moment, in both of them
            """choice => setTimeout(() => [...document.querySelectorAll("fieldset.ask button")]
              .find((each) => each.textContent === choice).click(), 1000 - Date.now() % 1000)""",
            choice,
        )
    for page in (one, other):
        page.wait_for_selector("li.told:has-text('This question is closed')")
    shown = {page.locator("fieldset.ask .chosen").inner_text() for page in (one, other)}
    assert len(shown) == 1, "one of them shows an answer that did not count"
    other.reload()
    other.locator("fieldset.ask .chosen").wait_for()
    assert {other.locator("fieldset.ask .chosen").inner_text()} == shown
    other.context.close()


def test_a_form_of_a_visit_that_is_over_leads_to_the_sign_in(screen: Screen, place: Installation) -> None:
    page = another(screen, place)
    page.goto(f"{place.url}/settings")
    page.context.clear_cookies()
    page.get_by_role("button", name="Save").first.click()
    page.get_by_role("link", name="Sign in").click()
    page.wait_for_url("**/auth?next=%2Fsettings")
    page.context.close()


def test_what_was_said_before_the_device_was_refused_is_said_after_the_next_sign_in(
    screen: Screen, place: Installation
) -> None:
    page = another(screen, place)
    lost: list[Any] = []

    def nobody(route: Any) -> None:
        lost.append(route)

    page.route_web_socket("**/v1/socket", nobody)
    page.goto(f"{place.url}/chat?chat=trip")
    page.get_by_label("Your message").fill("Tell me a joke in time")
    page.keyboard.press("Enter")
    page.context.clear_cookies()
    lost[-1].close(code=4401)
    page.wait_for_url("**/auth?next=%2Fchat%3Fchat%3Dtrip")
    page.get_by_label("Code").fill(place.run("web", "code")[1].split()[0])
    page.route_web_socket("**/v1/socket", lambda each: each.connect_to_server())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{place.url}/chat?chat=trip")
    page.wait_for_selector(".said:not(.unsent):has-text('Tell me a joke in time')")
    page.context.close()


def test_a_page_without_tls_can_talk_and_says_why_it_has_no_camera(screen: Screen, place: Installation) -> None:
    """Browsers keep some of what they can from pages that come over plain http from another machine."""
    page = screen.page.context.new_page()
    page.add_init_script("delete Crypto.prototype.randomUUID; delete Navigator.prototype.mediaDevices")
    page.goto(f"{place.url}/chat?chat=plain")
    connected(page)
    say(page, "Tell me a joke without TLS")
    page.wait_for_selector(".said:not(.unsent):has-text('Tell me a joke without TLS')")
    page.goto(f"{place.url}/pair")
    page.get_by_role("button", name="Use the camera").click()
    page.wait_for_selector(".note:has-text('Paste the address instead')")
    page.close()
