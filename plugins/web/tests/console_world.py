"""What the tests of the console stand on: `gitu serve` as a process, a model on this machine, and a real browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import segno
from anyio.from_thread import start_blocking_portal

from gitu_core.testing.model_server import Fail, ModelServer, Say

ROOT = Path(__file__).parents[3]
AXE = ROOT / ".tools" / "axe-core" / "axe.min.js"
SECONDS = 60.0
"""How long a process may take to do what it is told."""

KEY = "sk-secret-word"
"""What the server of models takes for a key."""

WIDTHS = {360: 740, 1280: 800}
"""Widths of screens that are looked at, with their heights."""

JOKE = "A turtle walks into a bar. **The end** comes much later, for the turtle takes its time, word after word."


def chromium() -> str:
    """The Chromium of this system; empty where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if (found := shutil.which(name))), "")


def connected(page: Any) -> None:
    """Waits until the chat is."""
    page.wait_for_selector(".chat .state.connected")


def say(page: Any, words: str) -> None:
    """Says something in the chat."""
    page.get_by_label("Your message").fill(words)
    page.keyboard.press("Enter")


def nothing_wrong(screen: Screen) -> None:
    """The browser had nothing to say about what it was shown."""
    found, screen.wrong = screen.wrong, []
    assert not found, "\n".join(found)


def answer(request: Any) -> Say:
    """What the model says: a call where a tool is wanted, words otherwise, slowly enough to be watched."""
    last, asked = request.messages[-1], request.asked.lower()
    if type(last).__name__ == "Tool":
        found = _text(last.content)
        if "shop@example.org" in found:
            return Say(calls=[("send_mail", {"to": "shop@example.org", "text": "<b>Good</b> day"})])
        return Say(f"Here is what I found: {found[:200]}", gap=0.01)
    if asked.startswith("answer with one word"):
        return Say("yes")
    if "draw" in asked:
        return Say(calls=[("draw", {})])
    if "tokyo" in asked:
        return Say(calls=[("clock", {"place": "Tokyo"})])
    if "write to the shop" in asked:
        return Say(calls=[("read_page", {"url": "https://x.org"})])
    return Say(JOKE, cut=4, gap=0.05)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(each.text for each in content)


class Model:
    """A server of models, for those who have its key. Where it is `out`, it says so instead of an answer."""

    def __init__(self) -> None:
        self.out, self.url = False, ""

    def __call__(self, request: Any) -> Say | Fail:
        """What it answers."""
        return Fail(503, "we are out for lunch") if self.out else answer(request)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serves at `url`."""
        server = ModelServer(self, key=KEY)
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(server):
            self.url = server.url
            yield


class Installation:
    """A folder with settings, a home, and what is installed besides; `gitu` runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log, self.model = folder / "serve.log", Model()
        (folder / "site").mkdir(parents=True)

    def configure(self, text: str, web: str = "") -> None:
        """Writes ``gitu.toml``, with *web* below the section of the server."""
        own = f"[plugins.web]\nenabled = true\ntrusted = true\nport = {self.port}\n{web}\n"
        (self.folder / "gitu.toml").write_text(f"{text}\n{own}", "utf-8")

    def install(self, id: str, code: str, config: str = "{}", facets: str = "") -> None:
        """A plugin, as one that was installed, with the manifest that its code has, *config* for its schema, and the
        *facets* that it uses beyond those that it touches at its start."""
        site, package = self.folder / "site", f"x_{id}"
        (site / package).mkdir()
        (site / package / "__init__.py").write_text(code, "utf-8")
        (site / package / "gitu-plugin.toml").write_text(
            f"id = '{id}'\n[config]\nschema = '''{config}'''\n[capabilities]\nfacets = [{facets}]\n", "utf-8"
        )
        info = site / f"x_{id}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: x-{id}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[gitu.plugins]\n{id} = {package}\n")
        (info / "RECORD").write_text(f"{package}/__init__.py,,\n{info.name}/METADATA,,\n")
        status, said = self.run("manifest", package, "--write")
        assert status == 0, said

    def environment(self, home: str = "home") -> dict[str, str]:
        """What processes are given; nothing of the person who runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITU_", "OPENAI_"))}
        return {**kept, "GITU_HOME": str(self.folder / home), "GITU_BLOCK_MODELS": "1", "NO_COLOR": "1",
                "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(self.folder / "site"),
                "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}  # fmt: skip

    def start(self, *words: str, home: str = "home", **options: Any) -> subprocess.Popen[str]:
        """A command of ``gitu`` that runs on."""
        command = [sys.executable, "-m", "gitu_core", *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment(home), encoding="utf-8", stdin=subprocess.DEVNULL, **options
        )

    def run(self, *words: str, home: str = "home") -> tuple[int, str]:
        """A command to its end: its status, and all it said."""
        with self.start(*words, home=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            said = process.communicate(timeout=SECONDS)[0]
        return process.returncode, said

    @contextmanager
    def serving(self) -> Iterator[str]:
        """`gitu serve`, until it is told to stop; gives the address for the first sign-in."""
        with self.log.open("w", encoding="utf-8") as log, self.start("serve", stdout=log, stderr=log) as process:
            try:
                yield until(lambda: self._link(process), "a link for the first sign-in")
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _link(self, process: subprocess.Popen[str]) -> str:
        said = self.log.read_text("utf-8")
        assert process.poll() is None, said
        return next((line for line in said.splitlines() if line.startswith(f"{self.url}/auth/link")), "")


def until(look: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """What *look* gives, once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds:.0f} s there is still no {what}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def film(path: Path, url: str) -> None:
    """A picture of an address, as the camera of a browser that takes a file for one sees it: 640 by 480, YUV 4:2:0."""
    rows = [bytearray(row) for row in segno.make(url, error="l", micro=False).matrix_iter(border=4)]
    scale = 460 // len(rows)
    luma = bytearray(b"\xff" * (640 * 480))
    for y in range(len(rows) * scale):
        for x in range(len(rows) * scale):
            if rows[y // scale][x // scale]:
                luma[(y + 10) * 640 + x + 90] = 0
    frame = b"FRAME\n" + bytes(luma) + b"\x80" * (640 * 480 // 2)
    path.write_bytes(b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n" + frame * 3)


class Screen:
    """A page of the browser, and what was wrong with what it showed."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.wrong: list[str] = []
        self.forgiven: tuple[str, ...] = ()
        folder.mkdir(parents=True, exist_ok=True)
        page.on("console", lambda told: told.type in ("error", "warning") and self._note(f"{told.type}: {told.text}"))
        page.on("pageerror", lambda error: self._note(f"script: {error}"))

    def _note(self, text: str) -> None:
        if not any(each in text for each in self.forgiven):
            self.wrong.append(f"{self.page.url}: {text}")

    @contextmanager
    def forgiving(self, *texts: str) -> Iterator[None]:
        """What a browser says by itself when something is refused on purpose is not wrong meanwhile."""
        self.forgiven = texts
        try:
            yield
        finally:
            self.forgiven = ()

    def look(self, name: str, dark: bool = True) -> None:
        """Keeps pictures of what is shown now, small and wide, and has it looked at in light and in dark."""
        axe = AXE.read_text("utf-8") if AXE.is_file() else ""
        for width, height in WIDTHS.items():
            self.page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark") if dark else ("light",):
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                end = "" if scheme == "light" else "-dark"
                if "chat" not in name:
                    self.page.evaluate("scrollTo(0, 0)")
                self.page.screenshot(path=self.folder / f"{name}-{width}{end}.png", full_page="chat" not in name)
                self._fits(name, width)
                if axe:
                    self._usable(axe, f"{name} {width} {scheme}")
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def _fits(self, name: str, width: int) -> None:
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            self.wrong.append(f"{name}: {wide} pixels wide on a screen of {width}")

    def _usable(self, axe: str, where: str) -> None:
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(axe)
        told = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        for each in told["violations"]:
            if each["impact"] in ("serious", "critical"):
                at = json.dumps([node["html"][:160] for node in each["nodes"][:3]])
                self.wrong.append(f"{where}: {each['id']}: {each['help']}: {at}")


@contextmanager
def signed_in(place: Installation, folder: Path) -> Iterator[Screen]:
    """A browser in front of a server that runs, signed in by the link that it printed; pictures go into *folder*."""
    camera = place.folder / "camera.y4m"
    film(camera, "https://example.org")
    with place.serving() as link, browser(camera) as chrome:
        page = chrome.new_context(viewport={"width": 1280, "height": 800}, permissions=["camera"]).new_page()
        page.set_default_timeout(30_000)  # patience, for machines that do other things too
        found = Screen(page, folder)
        page.goto(link)
        found.look("sign-in")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/chat")
        yield found


@contextmanager
def browser(camera: Path) -> Iterator[Any]:
    """A Chromium whose camera sees the file *camera*."""
    from playwright.sync_api import sync_playwright

    arguments = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                 f"--use-file-for-fake-video-capture={camera}"]  # fmt: skip
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium refuses to run as root with it
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        found = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        stack.callback(found.close)
        yield found
