"""The process dies while it answers on two channels: on the one that takes a key the answer comes exactly once and
whole; on the one that takes none it comes at most once, and where nobody can know, that is said at the next contact."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

for each in ("gitu_web", "gitu_telegram"):
    pytest.importorskip(each, reason="it needs the plugins web and telegram: make setup with both in plugins/")

from gitu_web.client import Client  # noqa: E402 - only where it is there
from gitu_web.protocol import Delta, Told  # noqa: E402
from plugins.web.tests.around import free_port, up  # noqa: E402
from plugins.web.tests.assistant import WORDS  # noqa: E402

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

UNKNOWN = "I do not know whether"


def start(port: int, home: Path, url: str) -> subprocess.Popen[bytes]:
    """A process of the assistant."""
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "tests.together.both", str(port), str(home), url]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log)


def answers(fake: Any, text: str) -> int:
    """How often somebody on Telegram sees this whole answer; a notice that quotes it is none."""
    return sum(each.startswith(text) for each in fake.shown())


async def until(found: Any, what: str, seconds: float = 30) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, what
        await anyio.sleep(0.02)


@pytest.mark.parametrize("lost", [False, True], ids=["cut-off", "lost-on-its-way"])
async def test_both_channels_keep_their_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool) -> None:
    from plugins.telegram.tests.fake import Fake

    monkeypatch.setattr("gitu_web.client.LONGEST_WAIT", 0.3)
    rules = '[channels.web]\naccess = "open"\n[channels.telegram]\naccess = "open"\n'
    (tmp_path / "gitu.toml").write_text(f"lease_seconds = 2\n{rules}")
    fake, port, deltas = Fake(), free_port(), list[Told]()
    process = start(port, tmp_path, fake.url)
    try:
        await up(port)
        async with Client(f"http://127.0.0.1:{port}", "ana-phone", on_event=deltas.append) as client:
            for name in ("one", "two"):
                deltas.clear()
                fake.say(f"telegram {name}")
                ack = await client.say(f"web {name}", key=name)
                await until(lambda: any(isinstance(each, Delta) for each in deltas), "no word on the WebSocket")
                if lost:  # Telegram takes the whole answer, and the process dies before it hears so
                    fake.faults.append(("send", "lost"))
                    fake.faults.append(("edit", "lost"))
                    await until(partial(answers, fake, f"telegram {name}: {WORDS}"), "no answer on Telegram")
                else:
                    await until(partial(answers, fake, f"telegram {name}: 0"), "nothing grows")
                process.kill()
                process.wait()
                fake.faults.clear()
                process = start(port, tmp_path, fake.url)
                found = list[str]()
                with anyio.fail_after(30):
                    async for letter in client.letters():
                        if letter.kind == "told":
                            found.append(letter.text)
                            assert letter.cause == ack.id
                            break
                assert found == [f"web {name}: {WORDS}"]
                whole = f"telegram {name}: {WORDS}"
                fake.say(f"and {name}?")
                await until(partial(answers, fake, f"and {name}?: {WORDS}"), "nobody answers")
                shown = fake.shown()
                assert answers(fake, whole) <= 1, shown
                assert any(whole in text for text in shown), shown
                if lost:
                    assert any(text.startswith(UNKNOWN) and whole in text for text in shown), shown
            with anyio.move_on_after(1):
                async for letter in client.letters():
                    raise AssertionError(f"there is more: {letter}")
        assert all(answers(fake, f"telegram {name}: {WORDS}") <= 1 for name in ("one", "two"))
        assert fake.complaints == []
    finally:
        process.kill()
        process.wait()
        fake.close()
