"""Files in the chat, in a real browser: chosen, dropped, pasted, too large, lost on the way; and pictures that are
shown."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .console_world import KEY, ROOT, Installation, Screen, chromium, connected, nothing_wrong, say, signed_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium(), reason="there is no Chromium; get one with: sh scripts/browser.sh"),
]

DRAW = """
import struct, zlib

from gitu_core import tool
from gitu_core.contracts import Conversation, Media


def picture(width=320, height=200):
    rows = b"".join(b"\\0" + bytes((y, 120, 90)) * width for y in range(height))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def gitu_tools(host):
    @tool
    async def draw() -> str:
        "Draws a picture."
        handle = await host.blobs.begin("image/png", "sunset.png")
        await host.blobs.write(handle, picture())
        blob = await host.blobs.commit(handle)
        await host.notify.send(Conversation("web", "local"), [Media(blob, "image", "A sunset")], "one")
        return "it is drawn"

    return [draw]
"""

EVIL = "<img src=x onerror=document.title=`owned`>.png"


def picture(width: int = 640, height: int = 400) -> bytes:
    """A PNG."""
    rows = b"".join(b"\0" + bytes((y % 256, 99, 200)) * width for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def file(name: str, data: bytes, type: str = "text/plain") -> Any:
    """A file as somebody chooses it."""
    return {"name": name, "mimeType": type, "buffer": data}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation whose files have a mebibyte at most."""
    return Installation(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def screen(place: Installation) -> Iterator[Screen]:
    """A browser in front of it."""
    place.install("draws", DRAW, facets="'blobs', 'notify'")
    (place.folder / "key").write_text(KEY)
    with place.model.serving():
        place.configure(f'model = "openai/test-model"\n[secrets]\nOPENAI_API_KEY = "file:{place.folder}/key"\n'
                        f'[plugins.openai]\nbase_url = "{place.model.url}"\n[plugins.draws]\nenabled = true\n',
                        "max_file = 1")  # fmt: skip
        with signed_in(place, ROOT / ".screens") as found:
            yield found


@pytest.fixture
def page(screen: Screen, place: Installation) -> Iterator[Any]:
    """The chat, connected; the browser has nothing to say about it afterwards."""
    screen.page.goto(f"{place.url}/chat")
    connected(screen.page)
    yield screen.page
    nothing_wrong(screen)


def choose(page: Any, *files: Any) -> None:
    """Chooses files, as somebody does who presses the button."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add files").click()
    chooser.value.set_files(list(files))


def width_of(picture: Any) -> int:
    """How wide a picture really is, once it is there."""
    picture.wait_for()
    found: int = picture.evaluate("(each) => each.decode().then(() => each.naturalWidth)")
    return found


def test_pictures_and_files_go_with_a_message_and_are_shown_again_later(page: Any, screen: Screen) -> None:
    assert "Up to 31 files of 1 MiB each" in page.get_by_role("button", name="Add files").evaluate(
        "(each) => document.getElementById(each.getAttribute('aria-describedby')).textContent"
    )
    choose(
        page,
        file("cat.png", picture(), "image/png"),
        file(EVIL, picture(64, 64), "image/png"),
        file("notes.txt", b"tea"),
    )
    page.wait_for_selector(".files li.there >> nth=2")
    assert page.get_by_role("button", name="Try again").count() == 0
    assert EVIL in page.locator(".files").inner_text()
    screen.look("chat-files")
    page.get_by_role("button", name=f"Leave {EVIL} out").focus()
    page.keyboard.press("Enter")
    assert page.locator(".files li").count() == 2
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Leave notes.txt out"
    say(page, "Look at my cat")
    mine = page.locator("li.said:not(.unsent)").filter(has_text="Look at my cat")
    assert width_of(mine.locator("img")) == 640
    page.wait_for_selector("li.told:not(.growing)")
    assert page.locator(".files li").count() == 0
    page.reload()
    connected(page)
    assert width_of(mine.get_by_alt_text("Picture: cat.png")) == 640
    with page.expect_download() as kept:
        mine.get_by_role("link", name="Save notes.txt (3 B)").click()
    assert Path(kept.value.path()).read_bytes() == b"tea"
    screen.look("chat-picture")
    page.goto(page.url.replace("/chat", "/sessions"))
    page.get_by_role("link", name="Look").click()
    assert "cat.png" in page.get_by_role("row").filter(has_text="Look at my cat").inner_text()


def test_what_is_too_large_or_empty_is_told_and_left_out(page: Any, screen: Screen) -> None:
    choose(page, file("film.bin", b"x" * (3 << 19)), file("nothing.txt", b""), file("tea.txt", b"tea"))
    note = page.locator(".files-note")
    assert "film.bin has 1.5 MiB; a file may have 1 MiB." in note.inner_text()
    assert "nothing.txt is empty" in note.inner_text()
    assert page.locator(".files li").count() == 1
    screen.look("chat-files-refused")
    page.get_by_role("button", name="Leave tea.txt out").click()
    assert page.locator(".files").is_hidden()


PASTE = """(name) => {
  const brought = new DataTransfer();
  brought.items.add(new File(["hello"], name, { type: "text/plain" }));
  return brought;
}"""


def test_files_are_dropped_and_pasted(page: Any, screen: Screen) -> None:
    brought = page.evaluate_handle(PASTE, "dropped.txt")
    page.dispatch_event("section.chat", "dragenter", {"dataTransfer": brought})
    assert page.get_by_text("Drop the files here").is_visible()
    screen.look("chat-files-drop")
    page.dispatch_event("section.chat", "dragover", {"dataTransfer": brought})
    page.dispatch_event("section.chat", "drop", {"dataTransfer": brought})
    assert page.get_by_text("Drop the files here").is_hidden()
    page.get_by_label("Your message").evaluate(
        "(box, clipboardData) => box.dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true }))",
        page.evaluate_handle(PASTE, "pasted.txt"),
    )
    page.wait_for_selector(".files li.there >> nth=1")
    assert page.locator(".files .name").all_inner_texts() == ["dropped.txt", "pasted.txt"]
    page.get_by_role("button", name="Send", exact=True).click()
    said = page.locator("li.said:not(.unsent)").last
    said.get_by_role("link", name="Save pasted.txt (5 B)").wait_for()
    assert said.get_by_role("link", name="Save dropped.txt (5 B)").is_visible()


def test_a_file_that_got_lost_is_sent_again_and_the_message_waits_for_it(page: Any, screen: Screen) -> None:
    page.route("**/v1/files?*", lambda route: route.abort())
    with screen.forgiving("ERR_FAILED"):
        choose(page, file("far.txt", b"far away"))
        page.wait_for_selector(".files-note:has-text('far.txt could not be sent: there is no connection.')")
    say(page, "Read what is far away")
    page.wait_for_selector(".files-note:has-text('or leave them out')")
    assert page.locator("li.said").filter(has_text="far away").count() == 0, "nothing goes off without its file"
    page.unroute("**/v1/files?*")
    held: list[Any] = []
    page.route("**/v1/files?*", lambda route: held.append(route))
    page.get_by_role("button", name="Try again: far.txt").click()
    page.wait_for_timeout(200)
    page.get_by_label("Your message").press("Enter")
    page.wait_for_selector(".files-note:has-text('as soon as its files are there')")
    assert page.get_by_label("Your message").input_value() == "Read what is far away"
    held[0].continue_()
    said = page.locator("li.said:not(.unsent)").filter(has_text="Read what is far away")
    said.get_by_role("link", name="Save far.txt (8 B)").wait_for()
    assert page.get_by_label("Your message").input_value() == ""
    page.unroute("**/v1/files?*")


def test_a_file_that_the_server_refuses_says_why(page: Any, screen: Screen) -> None:
    page.evaluate("document.querySelector('form.write').dataset.largest = 0")
    with screen.forgiving("status of 413"):
        page.route("**/v1/files?*", lambda route: route.continue_(post_data=b"x" * (1 << 20) + b"y"))
        choose(page, file("grown.txt", b"small"))
        page.wait_for_selector(".files li.failed")
    note = page.locator(".files-note").inner_text()
    assert note.startswith("grown.txt could not be sent: ")
    assert "1048576" in note or "MiB" in note
    page.unroute("**/v1/files?*")
    page.get_by_role("button", name="Leave grown.txt out").click()


def test_a_picture_of_the_assistant_is_shown(page: Any, screen: Screen) -> None:
    say(page, "Draw something")
    drawn = page.locator("li.told").get_by_alt_text("Picture: A sunset")
    assert width_of(drawn) == 320
    page.wait_for_selector("li.told:not(.growing):has-text('it is drawn')")
    screen.look("chat-drawn")
