"""The console in a real browser, with a server that is a process of its own: from the first sign-in to a device that is
refused. Pictures of every page are kept in ``.screens``."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .console_world import (
    AXE,
    KEY,
    ROOT,
    Installation,
    Screen,
    chromium,
    connected,
    film,
    nothing_wrong,
    say,
    signed_in,
    until,
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium(), reason="there is no Chromium; get one with: sh scripts/browser.sh"),
]
SCREENS = ROOT / ".screens"

HOSTILE = '''
from gitu_core import ToolResult, tool
from gitu_core.contracts import Block

EVIL = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


class Evil:
    path, title, icon = "evil", EVIL, EVIL

    async def blocks(self, principal):
        row = {"a": EVIL, "b": {"state": EVIL}, "actions": [
            {"action": EVIL, "title": EVIL, "values": {EVIL: EVIL}, "confirm": EVIL, "href": "javascript:alert(1)"}]}
        schema = {"type": "object", "properties": {
            "\\"><script>": {"type": "string", "title": EVIL, "description": EVIL, "default": EVIL},
            "slow": {"type": "string", "pattern": "^(a+)+$"},
            "pick": {"enum": [EVIL, "b"]}}}
        return [
            Block("text", EVIL, {"text": EVIL, "tone": EVIL}),
            Block("html", EVIL, {"html": EVIL}),
            Block("table", EVIL, {"columns": [{"key": each, "title": EVIL} for each in "ab"], "rows": [row]}),
            Block("form", EVIL, {"schema": schema, "values": {}, "submit": EVIL}, "save"),
            Block("action", EVIL, {"title": EVIL, "values": {"x": EVIL}}, "go"),
            Block("chart", EVIL, {"labels": [EVIL], "series": [{"name": EVIL, "values": [1]}], "unit": EVIL}),
        ]

    async def act(self, principal, action, values):
        return ToolResult(content=f"{action} {principal} {sorted(values)} {EVIL}")


def gitu_pages(host):
    return [Evil()]


@tool(writers={"": "outside"})
def read_page(url: str) -> str:
    """Reads a page."""
    return "The shop is at shop@example.org."


@tool(effects=["send"], roles={"to": "recipient", "text": "body"})
def send_mail(to: str, text: str) -> str:
    """Sends a mail."""
    return "sent to " + to.partition("@")[0]


def gitu_tools(host):
    return [read_page, send_mail]
'''


TRUSTED = """
from gitu_core import ToolResult
from gitu_core.contracts import Block


class Leaflet:
    path, title, icon = "leaflet", "Leaflet", "dot"

    async def blocks(self, principal):
        markup = "<p>Of a <em>template</em></p><script>document.title='owned'</script>"
        return [Block("html", "", {"html": markup})]

    async def act(self, principal, action, values):
        return ToolResult(content="")


def gitu_pages(host):
    return [Leaflet()]
"""


CONFIG = """{"type": "object", "properties": {
  "max_file": {"type": "integer", "minimum": 1, "maximum": 2000, "default": 20, "description": "MiB of a file."},
  "groups": {"enum": ["mentioned", "all"], "default": "mentioned"}, "allow": {"type": "array"}}}"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that nobody has signed in to."""
    return Installation(tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def screen(place: Installation) -> Iterator[Screen]:
    """A browser in front of a server, signed in by the link that the server printed."""
    place.install("hostile", HOSTILE, CONFIG)
    with place.model.serving():
        place.install("leaflet", TRUSTED)
        place.configure(f'[plugins.openai]\nbase_url = "{place.model.url}"\n[plugins.hostile]\nenabled = true\n'
                        "[plugins.leaflet]\nenabled = true\ntrusted = true\n")  # fmt: skip
        with signed_in(place, SCREENS) as found:
            yield found


def press(page: Any, row: str, name: str) -> None:
    """Presses a button in a row of a table, and says yes to what is asked then."""
    found = page.get_by_role("row").filter(has_text=row)
    found.locator("summary", has_text=name).click()
    found.get_by_role("button", name="Yes, do it").click()


def test_first_steps_then_an_answer_that_can_be_watched(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/setup")
    screen.look("setup")
    page.locator("select").select_option(label="openai")
    page.get_by_label("Model", exact=True).fill("test-model")
    page.get_by_label("Its key", exact=True).fill("sk-wrong-word")
    settings, attempt = place.folder / "gitu.toml", page.get_by_role("button", name="Try it, and save it")
    with screen.forgiving("status of 422"):
        attempt.click()
        page.wait_for_selector(".field.wrong [role=alert]:has-text('openai refused this key')")
        assert page.get_by_label("Its key", exact=True).input_value() == ""
        assert "sk-wrong-word" not in page.content()
        assert page.get_by_role("button", name="Save it all the same").count() == 0
        screen.look("setup-refused")
        place.model.out = True
        page.get_by_label("Its key", exact=True).fill(KEY)
        attempt.click()
        page.wait_for_selector("[role=alert]:has-text('openai did not answer: we are out for lunch')")
        assert page.get_by_role("button", name="Save it all the same").count() == 1
        assert KEY not in page.content()
        screen.look("setup-silent")
    assert "model =" not in settings.read_text()
    assert not (place.folder / "home" / "secrets").exists()
    place.model.out = False
    page.get_by_label("Its key", exact=True).fill(KEY)
    with screen.forgiving("WebSocket connection to", "ERR_CONNECTION_REFUSED"):
        attempt.click()
        page.wait_for_url("**/chat")
        assert page.get_by_label("Your message").input_value().startswith("Hello!")
        until(lambda: 'model = "openai/test-model"' in settings.read_text(), "model in the settings")
        page.wait_for_timeout(1_000)
        connected(page)
    assert 'OPENAI_API_KEY = "file:' in settings.read_text()
    told = (place.folder / "gitu.toml").read_text() + place.log.read_text()
    assert KEY not in told
    assert "sk-wrong-word" not in told
    say(page, "Tell me a joke")
    page.wait_for_selector("li.growing:has-text('A turtle')")
    assert page.locator("li.growing").inner_text() != page.locator("li.said").last.inner_text()
    page.wait_for_selector("li.told:not(.growing):has-text('takes its time')")
    assert page.locator("li.told strong").last.inner_text() == "The end"
    assert page.locator("li.told:not(.growing)").count() == 1
    say(page, "What time is it in Tokyo?")
    page.wait_for_selector("li.step:has-text('clock')")
    page.wait_for_selector("li.told:has-text('Asia/Tokyo')")
    page.get_by_role("button", name="Bad answer").last.click()
    page.get_by_label("What was wrong?").fill("too <b>short</b>")
    page.get_by_role("button", name="Send", exact=True).first.click()
    page.wait_for_selector("text=Thank you, noted.")
    page.reload()
    connected(page)
    page.wait_for_selector("li.told:has-text('Asia/Tokyo')")
    assert page.locator("li.told:not(.growing)").count() == 2
    screen.look("chat")
    nothing_wrong(screen)


def test_a_question_is_answered_in_the_page_and_the_permission_taken_back(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/chat")
    connected(page)
    say(page, "Write to the shop on that page")
    ask = page.locator("fieldset.ask:not(.done)")
    ask.wait_for()
    assert "shop@example.org" in ask.inner_text()
    assert "<b>Good</b> day" in ask.inner_text()
    screen.look("chat-question")
    ask.get_by_role("button", name="Yes, always").click()
    page.wait_for_selector("fieldset.ask.done")
    page.wait_for_selector("li.told:has-text('sent to shop')")
    page.goto(f"{place.url}/permissions")
    assert "send_mail" in page.get_by_role("row").last.inner_text()
    screen.look("permissions-granted")
    press(page, "send_mail", "Revoke")
    page.wait_for_selector("text=I will ask again.")
    page.goto(f"{place.url}/chat")
    connected(page)
    say(page, "Write to the shop on that page again")
    page.locator("fieldset.ask:not(.done)").wait_for()
    page.goto(f"{place.url}/permissions")
    screen.look("permissions-asked")
    page.get_by_role("row").filter(has_text="shop@example.org").get_by_role("button", name="No", exact=True).click()
    page.wait_for_selector("text=Your answer counts.")
    assert "shop@example.org" not in page.locator("main").inner_text()
    page.goto(f"{place.url}/chat")
    page.wait_for_selector("fieldset.ask.done >> nth=1")
    nothing_wrong(screen)


def test_a_terminal_paired_by_code_is_refused_as_soon_as_it_is_unlinked(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/devices")
    page.get_by_role("button", name="Show a code").click()
    told = page.locator("[role=status]").inner_text()
    code = re.search(r"gitu auth (\S+)", told)
    assert code, told
    status, said = place.run("auth", code[1], "--server", place.url, "--name", "laptop", home="elsewhere")
    assert (status, "paired" in said) == (0, True), said
    assert place.run("auth", "status", home="elsewhere")[0] == 0
    status, said = place.run("auth", code[1], "--server", place.url, "--name", "thief", home="third")
    assert status != 0, said
    page.goto(f"{place.url}/devices")
    screen.look("devices")
    press(page, "laptop", "Unlink")
    page.wait_for_selector("text=The device is unlinked.")
    status, said = place.run("auth", "status", home="elsewhere")
    assert status != 0, said
    nothing_wrong(screen)


def test_a_terminal_is_paired_by_the_camera_after_a_look_at_what_asks(screen: Screen, place: Installation) -> None:
    page = screen.page
    with place.start("auth", "--qr", "--server", place.url, "--name", "desk", home="desk", stdout=subprocess.DEVNULL,
                     stderr=(place.folder / "qr.log").open("w")) as terminal:  # fmt: skip
        try:
            log = place.folder / "qr.log"
            url = until(lambda: re.search(r"signed in: (\S+)", log.read_text("utf-8")), "address to scan")[1]
            words = until(lambda: re.search(r"It shows: (.+)", log.read_text("utf-8")), "words to compare")[1]
            film(place.folder / "camera.y4m", url)
            page.goto(f"{place.url}/pair")
            screen.look("pair")
            page.get_by_role("button", name="Use the camera").click()
            page.wait_for_url("**/pair?request=*")
            assert words in page.locator("main").inner_text()
            assert "desk" in page.locator("main").inner_text()
            screen.look("pair-question")
            page.get_by_role("button", name="Yes, that is mine").click()
            page.wait_for_selector("text=It is paired.")
            assert terminal.wait(30) == 0, log.read_text("utf-8")
        finally:
            terminal.kill()
    assert place.run("auth", "status", home="desk")[0] == 0
    nothing_wrong(screen)


def test_a_configuration_is_refused_at_its_field_and_kept_when_it_is_good(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/plugins?id=hostile")
    page.get_by_label("max file").fill("5000")
    with screen.forgiving("status of 422"):
        page.get_by_role("button", name="Save").click()
        page.wait_for_selector(".field.wrong")
    assert "2000" in page.locator(".field.wrong [role=alert]").inner_text()
    assert page.get_by_label("max file").input_value() == "5000"
    screen.look("plugins-wrong")
    assert "max_file" not in (place.folder / "gitu.toml").read_text()
    page.get_by_label("max file").fill("50")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Saved.")
    text = (place.folder / "gitu.toml").read_text()
    assert "max_file = 50" in text
    assert f"port = {place.port}" in text
    nothing_wrong(screen)


PAGES = ("sessions", "connections", "people", "permissions", "usage", "plugins", "settings", "audit", "feedback",
         "p/marketplace/admin/marketplace")  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_and_can_be_used(screen: Screen, place: Installation, name: str) -> None:
    screen.page.goto(f"{place.url}/{name}")
    assert screen.page.locator("h1").count() == 1
    screen.look(name.rpartition("/")[2])
    nothing_wrong(screen)


def test_a_channel_says_since_when_it_is_as_it_is(screen: Screen, place: Installation) -> None:
    screen.page.goto(f"{place.url}/connections")
    row = screen.page.get_by_role("row").filter(has_text="web")
    since = row.locator("td[data-head='Since (UTC)']").inner_text()
    at = datetime.strptime(since, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    assert timedelta(0) <= datetime.now(UTC) - at < timedelta(minutes=15)
    terminal = screen.page.get_by_role("row").filter(has_text="terminal")
    assert "stopped" in terminal.inner_text()
    assert terminal.locator("td[data-head='Since (UTC)']").inner_text() == "-"


def test_what_was_said_about_an_answer_is_read_by_the_operator(screen: Screen, place: Installation) -> None:
    screen.page.goto(f"{place.url}/feedback")
    said = screen.page.get_by_role("row").last.inner_text()
    assert "too <b>short</b>" in said
    assert re.search(r"gitu export [a-z0-9]{26}\b", said)


ANYWAY = """async () => {
  const csrf = document.querySelector('meta[name=csrf]').content;
  const body = new URLSearchParams({ csrf, action: 'anyway', hidden: '{}' });
  return (await fetch('/setup', { method: 'POST', body })).text();
}"""


def test_what_could_not_be_tried_is_kept_all_the_same_where_somebody_says_so(
    screen: Screen, place: Installation
) -> None:
    page, settings = screen.page, place.folder / "gitu.toml"
    page.goto(f"{place.url}/setup")
    page.get_by_label("Model", exact=True).fill("test-model-2")
    place.model.out = True
    with screen.forgiving("status of 422", "WebSocket connection to", "ERR_CONNECTION_REFUSED"):
        page.get_by_role("button", name="Try it, and save it").click()
        page.get_by_role("button", name="Save it all the same").click()
        page.wait_for_url("**/chat")
        place.model.out = False
        until(lambda: 'model = "openai/test-model-2"' in settings.read_text(), "model in the settings")
        page.wait_for_timeout(1_000)
        connected(page)
    page.goto(f"{place.url}/setup")
    assert page.get_by_role("button", name="Save it all the same").count() == 0
    assert "is not kept any longer" in page.evaluate(ANYWAY)
    nothing_wrong(screen)


def test_talks_are_apart_and_are_found_again(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/chat")
    connected(page)
    page.get_by_role("link", name="New talk").click()
    page.wait_for_url("**/chat?chat=*")
    connected(page)
    assert page.locator("li.told, li.said").count() == 0
    say(page, "Tell me another joke")
    page.wait_for_selector("li.told:not(.growing):has-text('takes its time')")
    page.get_by_role("link", name="Main talk").click()
    connected(page)
    page.wait_for_selector("li.told:has-text('Asia/Tokyo')")
    assert "another joke" not in page.locator(".letters").inner_text()
    screen.look("chat-talks")
    page.get_by_role("link", name="Tell me another joke").click()
    page.wait_for_selector("li.said:has-text('another joke')")
    assert "Tokyo" not in page.locator(".letters").inner_text()
    nothing_wrong(screen)


def test_who_only_talks_sees_nothing_of_the_installation(screen: Screen, place: Installation) -> None:
    """The owner's pages are neither in the menu of others nor given to them."""
    status, said = place.run("web", "code")
    assert status == 0, said
    page = screen.page.context.browser.new_context().new_page()
    page.goto(f"{place.url}/auth")
    page.get_by_label("Code").fill(said.split()[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{place.url}/chat")
    assert page.locator("#nav a").count() == page.locator("#nav ul").first.locator("a").count() + 2  # the open pages
    for name in (*PAGES[1:3], *PAGES[5:], "setup"):
        found = page.goto(f"{place.url}/{name}")
        assert (name, found.status) == (name, 403)
    page.context.close()


def test_a_page_of_a_plugin_brings_no_markup_and_no_script(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/p/hostile/evil")
    screen.look("hostile", dark=False)
    page.get_by_role("button").last.click()
    page.wait_for_selector("[role=status]:has-text('go user:local')")
    for _ in range(2):
        assert "owned" not in page.title().partition("<script>")[0]
        assert page.locator("main script, main img, [onerror], a[href^='javascript:']").count() == 0
        page.reload()
    nothing_wrong(screen)


def test_a_trusted_plugin_brings_a_template_and_no_script(screen: Screen, place: Installation) -> None:
    with screen.forgiving("Content Security Policy"):
        screen.page.goto(f"{place.url}/p/leaflet/leaflet")
        assert screen.page.locator("main em").inner_text() == "template"
        assert "owned" not in screen.page.title()
    nothing_wrong(screen)


def test_it_opens_as_an_app_and_keeps_no_page(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/chat")
    told = page.evaluate("fetch('/manifest.webmanifest').then((found) => found.json())")
    assert {each["sizes"] for each in told["icons"]} >= {"192x192", "512x512"}
    page.wait_for_function("navigator.serviceWorker.getRegistration().then((found) => found?.active != null)")
    kept = page.evaluate(
        "caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name).then((one) => one.keys()))))"
        ".then((found) => found.flat().map((each) => new URL(each.url).pathname))"
    )
    assert kept
    assert all(re.match(r"/(static|_vendor)/", each) for each in kept), kept
    nothing_wrong(screen)


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there; get it with: sh scripts/browser.sh")
def test_what_people_cannot_use_would_be_seen(screen: Screen, place: Installation) -> None:
    """The probe itself works: a button without a name is found."""
    screen.page.goto(f"{place.url}/settings")
    screen.page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    screen.look("broken", dark=False)
    found, screen.wrong = screen.wrong, []
    assert any("button-name" in each for each in found)
    for width in (360, 1280):
        (SCREENS / f"broken-{width}.png").unlink()


def test_keyboard_alone_reaches_the_page_and_the_switch_of_colours_holds(screen: Screen, place: Installation) -> None:
    page = screen.page
    page.goto(f"{place.url}/settings")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.evaluate("localStorage.clear()")
    nothing_wrong(screen)


CLIENT = """async () => {
  const { GituClient } = await import('/gitu-client.js');
  const heard = [], words = { chat: 'elsewhere', key: 'the-same-key' };
  const until = (look) => new Promise((done, failed) => {
    const end = Date.now() + 15000;
    const again = () => (look() ? done() : Date.now() > end ? failed(new Error(`not ${look}`)) : setTimeout(again, 20));
    again();
  });
  const open = async (options) => {
    const made = new GituClient(`ws://${location.host}/v1/socket`, options);
    made.addEventListener('letter', ({ detail }) => heard.push(`${detail.kind} ${detail.key}`));
    await until(() => made.state === 'connected');
    return made;
  };
  const told = () => heard.filter((each) => each.startsWith('told')).length;
  const first = await open({ recent: 0 });
  first.say('Tell me a joke', words);
  first.say('Tell me a joke', words);
  await until(() => told() === 1 && first.unsent.length === 0);
  const cursor = first.cursor;
  first.close();
  const other = await open({ recent: 0 });
  other.say('Tell me another joke', { chat: 'elsewhere' });
  await until(() => told() === 2);
  other.close();
  const missed = heard.splice(2);
  const back = await open({ cursor });
  await until(() => heard.length === 4);
  back.socket.close();
  await until(() => back.state === 'lost');
  await until(() => back.state === 'connected');
  await new Promise((done) => setTimeout(done, 300));
  back.close();
  return { heard, missed };
}"""


def test_the_client_for_scripts_hands_out_each_message_once_over_several_connections(
    screen: Screen, place: Installation
) -> None:
    screen.page.goto(f"{place.url}/settings")
    told = screen.page.evaluate(CLIENT)
    assert len(set(told["heard"])) == len(told["heard"]) == 4
    assert told["heard"][2:] == told["missed"]
    nothing_wrong(screen)
