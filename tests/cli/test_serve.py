"""`gitu serve` with a channel that somebody else wrote: it stops in order, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.driver import SECONDS, Cli
from tests.registry.conftest import Site

POST = '''
"""A channel made of files: what lies in ``in-*`` was said, what is appended to ``out`` is the answer."""

import os
from pathlib import Path

import anyio

from gitu_core import Account, Conversation, Delivery, Message, Text, tool
from gitu_core.contracts import Channel, Health


def folder():
    return Path(os.environ["POST_FOLDER"])


@tool
async def slow_word() -> str:
    """Tells the slow word."""
    (folder() / "working").touch()
    await anyio.sleep(float(os.environ["POST_SECONDS"]))
    return "tortoise"


class Post:
    channel = Channel(name="post", delivery="idempotent", trusted=True, access="open")

    async def receive(self, inbox):
        seen = set()
        (folder() / "ready").touch()
        while True:
            for file in set(folder().glob("in-*")) - seen:
                seen.add(file)
                place = Conversation("post", "box")
                await inbox.accept(Message(file.name, place, Account("post", "ana"), (Text(file.read_text()),)))
            await anyio.sleep(0.01)

    async def send(self, outgoing):
        with open(folder() / "out", "a") as out:
            out.write(f"{outgoing.text}\\n")
        return Delivery("sent", ids=(outgoing.key,))

    async def verify(self, outgoing):
        return Delivery("unknown")

    async def show(self, conversation, event):
        pass

    async def health(self):
        return Health()


def gitu_adapters(host):
    return [Post()]


def gitu_tools(host):
    return [slow_word]
'''


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """The folder of the channel."""
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


@pytest.fixture
def cli(tmp_path: Path, box: Path) -> Cli:
    """`gitu` with the channel ``post``."""
    site = Site(tmp_path / "site")
    site.install("post", POST, manifest=None)
    cli = Cli(tmp_path / "here", site.folder)
    cli.configure("[plugins.post]\nenabled = true\ntrusted = true\n")
    cli.env.update(POST_FOLDER=str(box), POST_SECONDS="0.3")
    return cli


def until(file: Path, process: subprocess.Popen[str]) -> None:
    """Waits until *file* is there."""
    end = time.monotonic() + SECONDS
    while not file.exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < end, f"{file.name} never came"
        time.sleep(0.01)


def test_a_channel_that_anybody_can_use_is_pointed_out(cli: Cli) -> None:
    def found() -> dict[str, str]:
        findings = {each["what"]: each for each in json.loads(cli.run("doctor", "--json").stdout)}
        return {key: findings["channel post"][key] for key in ("state", "detail")}

    assert found() == {"state": "warning", "detail": "open, whoever reaches it"}
    trusted = "[plugins.post]\nenabled = true\ntrusted = true\n"
    cli.configure(trusted + '[channels.post]\naccess = "paired"\ntrust = "talk"\n')
    assert found() == {"state": "ok", "detail": "paired, its senders can be forged"}


def test_sigterm_finishes_what_runs_and_ends_with_zero(cli: Cli, box: Path) -> None:
    (box / "in-1").write_text("tell me the slow word")
    with cli.start("serve", "--verbose") as process:
        until(box / "working", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert "gitu stops; what runs is finished first" in process.stderr.read()
    assert "tortoise" in (box / "out").read_text()


def test_sighup_takes_the_settings_as_they_are_now_and_loses_nothing(cli: Cli, box: Path) -> None:
    cli.env["POST_SECONDS"] = "1"
    (box / "in-1").write_text("tell me the slow word")
    with cli.start("serve") as process:
        until(box / "working", process)
        cli.configure('user = "ana"\n[plugins.post]\nenabled = true\ntrusted = true\n')
        (box / "ready").unlink()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        until(box / "ready", process)
        assert (box / "out").read_text().count("tortoise") == 1
        cli.configure("max_turns = true\n")
        (box / "ready").unlink()
        process.send_signal(signal.SIGHUP)
        until(box / "ready", process)
        (box / "in-2").write_text("tell me the slow word")
        end = time.monotonic() + SECONDS
        while (box / "out").read_text().count("tortoise") < 2:
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        said = process.stderr.read()
    assert said.count("gitu begins anew with changed settings") == 2
    assert "the changed settings are not good, those from before stay: max_turns" in said


def test_a_sighup_while_it_closes_or_opens_neither_ends_it_nor_is_lost(cli: Cli, box: Path) -> None:
    cli.env["POST_SECONDS"] = "1.5"
    (box / "in-1").write_text("tell me the slow word")
    with cli.start("serve") as process:
        until(box / "working", process)
        (box / "ready").unlink()
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)  # it closes, and waits for the turn
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert "gitu serves" in process.stderr.readline()
        while "begins anew" not in (line := process.stderr.readline()):
            assert line, "it ended"
        cli.configure("max_turns = true\n")  # after it was read, or just before
        process.send_signal(signal.SIGHUP)
        while "max_turns" not in (line := process.stderr.readline()):
            assert line, "it ended"
        until(box / "ready", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert (box / "out").read_text().count("tortoise") == 1


def test_sigterm_while_it_begins_anew_finishes_what_runs_and_ends_with_zero(cli: Cli, box: Path) -> None:
    cli.env["POST_SECONDS"] = "1"
    (box / "in-1").write_text("tell me the slow word")
    with cli.start("serve") as process:
        until(box / "working", process)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)  # it closes, and waits for the turn
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert (box / "out").read_text().count("tortoise") == 1


def test_what_a_killed_process_left_is_answered_once_at_the_next_start(cli: Cli, box: Path) -> None:
    cli.env["POST_SECONDS"] = "60"
    (box / "in-1").write_text("tell me the slow word")
    with cli.start("serve", "post") as process:
        until(box / "working", process)
        process.kill()
        process.wait(SECONDS)
    assert not (box / "out").exists()
    (box / "in-1").unlink()
    cli.env["POST_SECONDS"] = "0"
    with cli.start("serve", "post") as process:
        until(box / "out", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    assert (box / "out").read_text().count("tortoise") == 1


def test_a_channel_that_is_not_there_is_named(cli: Cli) -> None:
    refused = cli.run("serve", "pots", status=1)
    assert "pots" in refused.stderr
    assert "did you mean 'post'?" in refused.stderr


def test_without_any_channel_it_says_how_to_get_one(tmp_path: Path) -> None:
    refused = Cli(tmp_path / "none").run("serve", status=1)
    assert "no channel is enabled" in refused.stderr
    assert "next: enable one with: gitu plugins enable ID" in refused.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_while_a_question_is_answered_ends_with_130(cli: Cli, box: Path) -> None:
    cli.env["POST_SECONDS"] = "60"
    with cli.start("ask", "tell me the slow word") as process:
        until(box / "working", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
