"""One person on three channels: what was begun in a terminal goes on in Telegram and an app, and what is asked on one
is answered on another. All is real but Telegram's own server: `gitu serve`, `gitu chat`, the command line, clients,
and a model on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

for each in ("gitu_web", "gitu_telegram", "gitu_operator", "gitu_openai"):
    pytest.importorskip(
        each, reason="it needs the bundle and the plugins web and telegram: make setup with all of plugins/"
    )

from anyio.from_thread import start_blocking_portal  # noqa: E402 - only where all of it is there

from gitu_core.testing.model_server import ModelServer, Say  # noqa: E402
from plugins.telegram.tests.fake import TOKEN, Fake  # noqa: E402
from plugins.web.tests.console_world import Installation, until  # noqa: E402
from plugins.web.tests.test_console_story import CONFIG, HOSTILE  # noqa: E402

pytestmark = pytest.mark.slow


def answer(request: Any) -> Say:
    """A model that knows what people said to it in this talk, and obeys what it reads."""
    last = request.messages[-1]
    if type(last).__name__ == "Tool":
        found = last.content if isinstance(last.content, str) else "".join(each.text for each in last.content)
        if "shop@example.org" in found:
            return Say(calls=[("send_mail", {"to": "shop@example.org", "text": "Good day"})])
        return Say(f"done: {found[:100]}")
    if "write to the shop" in request.asked.lower():
        return Say(calls=[("read_page", {"url": "https://x.org"})])
    said = [_text(each.content) for each in request.messages if type(each).__name__ == "User"]
    return Say("you told me: " + " | ".join(said))


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(each.text for each in content)


@pytest.fixture
def fake() -> Iterator[Fake]:
    """The server of Telegram."""
    server = Fake()
    yield server
    server.close()
    assert server.complaints == []


@pytest.fixture
def place(tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """An installation with all three channels."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    found = Installation(tmp_path / "three")
    found.install("hostile", HOSTILE, CONFIG)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(ModelServer(answer)) as models:
        telegram = f'[plugins.telegram]\nenabled = true\ntrusted = true\nbase_url = "{fake.url}"\npoll_seconds = 1\n'
        openai = f'[plugins.openai]\nbase_url = "{models.url}"\n[secrets]\nOPENAI_API_KEY = "env:TEST_KEY"\n'
        monkeypatch.setenv("TEST_KEY", "sk-test")
        found.configure(f'model = "openai/test-model"\n[plugins.hostile]\nenabled = true\n{telegram}{openai}')
        yield found


def chat(place: Installation, words: str) -> str:
    """What a terminal shows after somebody typed some lines."""
    command = [sys.executable, "-m", "gitu_core", "chat"]
    done = subprocess.run(
        command,
        cwd=place.folder,
        env=place.environment(),
        input=words,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_talk_goes_on_over_three_channels(place: Installation, fake: Fake) -> None:
    with place.serving():
        assert "you told me: my cat is called Mia" in chat(place, "my cat is called Mia\n")
        (person,) = json.loads(place.run("users", "--json")[1])  # whoever spoke in the terminal
        status, told = place.run("users", "link", person["id"], "telegram", "1")
        assert status == 0, told

        fake.say("/continue")
        until(lambda: any("my cat is called Mia" in text for text in fake.shown()), "word of what goes on")
        fake.say("she is three years old")
        told = "you told me: my cat is called Mia | she is three years old"
        until(lambda: any(text.startswith(told) for text in fake.shown()), "answer on Telegram")

        status, key = place.run("web", "key", "phone", "--user", person["id"])
        assert status == 0
        headers = {"authorization": f"Bearer {key.split()[-1]}"}
        with httpx.Client(base_url=place.url, headers=headers, timeout=60) as app:

            def said(text: str) -> str:
                answered = app.post("/v1/messages", json={"text": text, "wait": 30}).json()
                return "\n".join(part.get("text", "") for each in answered["messages"] for part in each["parts"])

            assert "she is three years old" in said("/continue")
            assert said("and black") == f"{told} | and black"
            sessions = app.get("/v1/sessions").json()["items"]
            assert len([each for each in sessions if not each["ended_at"]]) == 1, sessions

            fake.say("write to the shop")
            asked = until(lambda: app.get("/v1/approvals").json()["items"], "question")
            assert "shop@example.org" in asked[0]["details"]
            until(lambda: any("shop@example.org" in text for text in fake.shown()), "question on Telegram")
            assert app.post(f"/v1/approvals/{asked[0]['id']}", json={"choice": "yes"}).status_code == 200
            until(lambda: any("sent to shop" in text for text in fake.shown()), "result on Telegram")
        shown = chat(place, "/continue\nwhat do you know?\n")
        assert "and black" in shown
        assert f"{told} | and black" in shown.replace("\n", " ")
