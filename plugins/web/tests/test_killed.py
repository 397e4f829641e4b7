"""The process of the assistant dies while it answers: the client gets exactly one whole answer all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from gitu_web.client import Client
from gitu_web.protocol import Delta, Told

from .around import free_port, up
from .assistant import WORDS

pytestmark = pytest.mark.anyio


def start(port: int, home: Path) -> subprocess.Popen[bytes]:
    """A process of the assistant."""
    path = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "plugins.web.tests.assistant", str(port), str(home)]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log)


@pytest.mark.slow
async def test_an_answer_that_was_cut_off_comes_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three times in a row; a message that is sent again under its key is the same one, in another process too."""
    monkeypatch.setattr("gitu_web.client.LONGEST_WAIT", 0.3)
    (tmp_path / "gitu.toml").write_text('lease_seconds = 2\n[channels.web]\naccess = "open"\n')
    port, deltas = free_port(), list[Told]()
    process = start(port, tmp_path)
    try:
        await up(port)
        async with Client(f"http://127.0.0.1:{port}", "ana-phone", on_event=deltas.append) as client:
            for lap in range(3):
                deltas.clear()
                ack = await client.say(f"count {lap}", key=f"k{lap}")
                with anyio.fail_after(10):
                    while not any(isinstance(each, Delta) for each in deltas):  # noqa: ASYNC110 - it is a list
                        await anyio.sleep(0.01)
                process.kill()
                process.wait()
                process = start(port, tmp_path)
                found = list[str]()
                with anyio.fail_after(30):
                    async for letter in client.letters():
                        if letter.kind == "told":
                            found.append(letter.text)
                            assert letter.cause == ack.id
                            break
                assert found == [f"count {lap}: {WORDS}"], (tmp_path / "log").read_text()
                again = await client.say(f"count {lap}", key=f"k{lap}")
                assert (again.id, again.fresh) == (ack.id, False)
            with anyio.move_on_after(1):
                async for letter in client.letters():
                    raise AssertionError(f"there is more: {letter}")
        async with Client(f"http://127.0.0.1:{port}", "ana-tablet") as other:
            seen = list[str]()
            with anyio.move_on_after(1):
                async for letter in other.letters():
                    seen.append(letter.text)
        assert seen == [text for lap in range(3) for text in (f"count {lap}", f"count {lap}: {WORDS}")]
    finally:
        process.kill()
        process.wait()
