"""The process of the assistant dies while it answers: the client gets exactly one whole answer all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gitu_web.client import Client
from gitu_web.protocol import Delta, Told

from .around import free_port, up
from .assistant import WORDS

pytestmark = pytest.mark.anyio
Said = dict[str, Any]


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


@pytest.mark.slow
async def test_a_call_of_a_programs_function_is_made_once_whenever_the_process_dies(tmp_path: Path) -> None:
    """While the program is at work, and right after it said what came of it."""
    (tmp_path / "gitu.toml").write_text('lease_seconds = 2\n[channels.web]\naccess = "open"\n')
    port = free_port()
    process, said = start(port, tmp_path), list[Said]()
    send = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {}}}}

    async def ask(http: httpx.AsyncClient, said: list[Said], key: str = "") -> Said:
        body, headers = {"messages": said, "tools": [send]}, {"idempotency-key": key} if key else {}
        response = await http.post("/v1/chat/completions", json=body, headers=headers)
        assert response.status_code == 200, response.text
        found: Said = response.json()["choices"][0]["message"]
        return found

    try:
        await up(port)
        headers = {"authorization": "Bearer ana-phone"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=40) as http:
            for lap in range(2):
                said.append({"role": "user", "content": f"call {lap}"})
                said.append(await ask(http, said, f"k{lap}"))
                process.kill()
                process.wait()
                process = start(port, tmp_path)
                await up(port)
                assert await ask(http, said[:-1], f"k{lap}") == said[-1], "it is the same call"
                (made,) = said[-1]["tool_calls"]
                said.append({"role": "tool", "tool_call_id": made["id"], "content": f"sent {lap}"})
                with anyio.move_on_after(0.3):
                    await ask(http, said)  # it dies while it answers
                process.kill()
                process.wait()
                process = start(port, tmp_path)
                await up(port)
                said.append(await ask(http, said))
                assert said[-1]["content"] == f"sent {lap}: {WORDS}"
    finally:
        process.kill()
        process.wait()
