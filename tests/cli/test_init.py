"""`gitu init`: from nothing to the first answer; keys are never shown, and nothing is written before its end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import stat
import subprocess
import sys
import termios
import time
import tomllib
from pathlib import Path

import pytest

from tests.cli.driver import SECONDS, Cli, signals_as_usual
from tests.registry.conftest import Site

ACME = '''
"""A provider that answers whoever has the right key."""

from gitu_core.contracts import Finish, ModelInfo, TextDelta, Usage
from gitu_core.errors import AuthFailed


class Acme:
    name = "acme"

    def __init__(self, host):
        self._host = host

    async def catalogue(self):
        text = frozenset({"text", "tools", "stream"})
        return [ModelInfo("large", 100_000, 1_000, 0, 0, 0, capabilities=text)]

    async def stream(self, request):
        if await self._host.secrets.reveal("ACME_KEY") != "right-key-1":
            raise AuthFailed("acme refused the key", hint="copy the key once more", secret="ACME_KEY")
        yield TextDelta("Pleased to meet you.")
        yield Finish("stop", Usage())


def gitu_model_providers(host):
    return [Acme(host)]
'''

MANIFEST = """
title = "Models of Acme"
isolation = "host"
priority = 1
[contracts]
provider = 1
[hooks]
gitu_model_providers = 0
[[contributes]]
seam = "provider"
name = "acme"
description = "Models of Acme."
[capabilities]
facets = ["secrets"]
secrets = [{ name = "ACME_KEY", mode = "revealed" }]
"""

POST = """
from gitu_core.contracts import Channel


class Post:
    channel = Channel(name="post", access="open")

    async def receive(self, inbox): ...
    async def send(self, outgoing): ...
    async def verify(self, outgoing): ...
    async def show(self, conversation, event): ...
    async def health(self): ...


def gitu_adapters(host):
    return [Post()]
"""

CHANNEL = """
title = "Talk by post"
isolation = "host"
[contracts]
adapter = 1
[hooks]
gitu_adapters = 0
[[contributes]]
seam = "adapter"
name = "post"
spec = '''{"name": "post", "access": "open"}'''
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """`gitu` with a provider that wants a key, and a channel that is off."""
    site = Site(tmp_path / "site")
    site.install("acme", ACME, MANIFEST)
    site.install("post", POST, CHANNEL)
    cli = Cli(tmp_path / "here", site.folder)
    cli.configure("# kept\n[plugins.acme]\nenabled = true  # from the start\ntrusted = true\n")
    cli.env["ACME_KEY"] = ""
    return cli


def settings(cli: Cli) -> dict[str, object]:
    """What the file says."""
    return tomllib.loads((cli.folder / "gitu.toml").read_text())


def test_whoever_answers_its_questions_gets_an_answer_and_a_file_that_keeps_comments(cli: Cli) -> None:
    said = cli.run("init", stdin="acme\nright-key-1\nlarge\npots\npost\ny\nGood morning\n").stdout
    assert "Needs ACME_KEY." in said
    assert "'pots' is none of them" in said
    assert "acme/large answered" in said
    assert said.count("Pleased to meet you.") == 1
    assert "right-key-1" not in said
    found = settings(cli)
    assert found["model"] == "acme/large"
    plugins = found["plugins"]
    assert isinstance(plugins, dict)
    assert plugins["post"] == {"enabled": True, "trusted": True}
    text = (cli.folder / "gitu.toml").read_text()
    assert "# kept" in text
    assert "right-key-1" not in text
    kept = cli.home / "secrets" / "ACME_KEY"
    assert kept.read_text() == "right-key-1"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "Pleased" in cli.run("ask", "hello").stdout, "the next command finds all of it"


def test_it_can_be_run_again_and_offers_what_is_set(cli: Cli) -> None:
    cli.run("init", stdin="acme\nright-key-1\nlarge\n\n\n")
    said = cli.run("init", stdin="\n\n\n\n\n").stdout
    assert "Provider [acme]" in said
    assert "ACME_KEY is set; another one, or Enter to keep it" in said
    assert "Model [large]" in said
    assert settings(cli)["model"] == "acme/large"


def test_a_wrong_key_is_told_of_and_asked_for_again(cli: Cli) -> None:
    said = cli.run("init", stdin="acme\nwrong-key\nlarge\nn\nacme\nright-key-1\nlarge\n\n\n").stdout
    assert "failed: acme/large: acme refused the key" in said
    assert "next: copy the key once more" in said
    assert (cli.home / "secrets" / "ACME_KEY").read_text() == "right-key-1"


@pytest.mark.parametrize("answers", ["", "acme\n", "acme\nright-key-1\nlarge\n", "acme\n\n", "9\nx\n"])
def test_who_leaves_early_has_changed_nothing(cli: Cli, answers: str) -> None:
    before = (cli.folder / "gitu.toml").read_text()
    failed = cli.run("init", stdin=answers, status=1)
    assert "next: " in failed.stderr
    assert (cli.folder / "gitu.toml").read_text() == before
    assert not (cli.home / "secrets").exists()


def test_a_script_says_all_on_the_command_line(cli: Cli) -> None:
    cli.env["ACME_KEY"] = "right-key-1"
    cli.run("init", "--yes", "--model", "acme/large", "--enable", "post", "--trust")
    found = settings(cli)
    assert found["model"] == "acme/large"
    assert "secrets" not in found, "what the environment holds stays there"
    plugins = found["plugins"]
    assert isinstance(plugins, dict)
    assert plugins["post"] == {"enabled": True, "trusted": True}


def test_what_a_script_says_wrongly_ends_with_one(cli: Cli) -> None:
    cli.env["ACME_KEY"] = "wrong"
    assert "acme refused the key" in cli.run("init", "--yes", "--model", "acme/large", status=1).stdout
    assert "no provider 'acne'" in cli.run("init", "--yes", "--model", "acne", status=1).stderr
    refused = cli.run("init", "--yes", "--no-check", "--model", "acme", "--enable", "pots", status=1)
    assert "'pots'" in refused.stderr
    assert "model" not in settings(cli)


def test_a_key_that_is_typed_in_a_terminal_is_not_shown(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gitu_core", "init"]
    options = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    process = subprocess.Popen(command, cwd=cli.folder, env=cli.env, preexec_fn=signals_as_usual, **options)
    os.close(theirs)
    shown = ""
    began = time.monotonic()
    try:
        for awaited, typed in (
            ("Provider", "acme"), ("ACME_KEY (not shown): ", "right-key-1"), ("its own choice): ", ""),
            ("Enable which?", ""), ("Say something", "Good morning"),
        ):  # fmt: skip
            while awaited not in shown:
                assert time.monotonic() < began + SECONDS, shown
                shown += os.read(ours, 4096).decode()
            shown = shown[shown.index(awaited) + len(awaited) :]
            if "not shown" in awaited:
                time.sleep(0.2)  # getpass flushes what was typed before it turned the echo off
            os.write(ours, f"{typed}\n".encode())
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            shown += piece.decode()
            assert "right-key-1" not in shown
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        os.close(ours)
    assert "Pleased to meet you." in re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert time.monotonic() - began < 120, "from nothing to the first answer in under two minutes"


class Typist:
    """`gitu init` in a terminal that a test holds."""

    def __init__(self, cli: Cli) -> None:
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "gitu_core", "init"]
        options = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
        self.process = subprocess.Popen(command, cwd=cli.folder, env=cli.env, preexec_fn=in_a_terminal, **options)
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> Typist:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def sees(self, awaited: str) -> None:
        """Waits until something is shown."""
        at = len(self.shown)
        while awaited not in self.shown[at:]:
            assert self._read(), self.shown

    def types(self, keys: bytes) -> None:
        """Keys are pressed."""
        time.sleep(0.2)  # getpass flushes what was typed before it turned the echo off
        os.write(self._ours, keys)

    def ends(self) -> int:
        """Waits for the end; gives its status."""
        while self._read():
            pass
        return self.process.wait(5)

    def _read(self) -> bool:
        """Reads what is shown; false where the other end is closed."""
        ready, _, _ = select.select([self._ours], [], [], 20.0)
        assert ready, f"nothing more was shown: {self.shown}"
        try:
            piece = os.read(self._ours, 4096)
        except OSError:
            return False
        self.shown += piece.decode("utf-8", "replace")
        return bool(piece)


def in_a_terminal() -> None:
    """The terminal is that of the process, so that Ctrl-C reaches it."""
    signals_as_usual()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("questions", range(5))
def test_ctrl_c_at_any_question_ends_it_and_nothing_is_written(cli: Cli, questions: int) -> None:
    before = (cli.folder / "gitu.toml").read_text()
    talk = [("Provider", b"acme\n"), ("not shown", b"right-key-1\n"), ("own choice", b"large\n"),
            ("Enable which?", b"post\n"), ("Trust it?", b"")]  # fmt: skip
    with Typist(cli) as typist:
        for awaited, keys in talk[:questions]:
            typist.sees(awaited)
            typist.types(keys)
        typist.sees(talk[questions][0])
        typist.types(b"\x03")
        assert typist.ends() == 130
        assert "Traceback" not in typist.shown
    assert (cli.folder / "gitu.toml").read_text() == before
    assert not (cli.home / "secrets").exists()


@pytest.mark.parametrize("key", [b"\xff\xfe", b"a\x00b", "sch\u00fcssel-\u044f".encode()])
def test_an_odd_key_is_refused_or_taken_and_told_of_in_words(cli: Cli, key: bytes) -> None:
    with Typist(cli) as typist:
        typist.sees("Provider")
        typist.types(b"acme\n")
        typist.sees("not shown")
        typist.types(key.replace(b"\x00", b"\x16\x00") + b"\n")
        if key.isascii() or b"\xff" in key:
            assert typist.ends() == 1
            assert "next: " in typist.shown
            return
        typist.sees("own choice")
        typist.types(b"\n")
        typist.sees("next: ")
        typist.types(b"\x03")
        typist.ends()
        assert "Traceback" not in typist.shown


def test_what_stands_behind_the_first_model_stays_when_that_is_kept(cli: Cli) -> None:
    cli.env["ACME_KEY"] = "right-key-1"
    with (cli.folder / "gitu.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write('model = ["acme/large", "offline"]\n' + text)
    cli.run("init", stdin="\n\n\n\n\n")
    assert settings(cli)["model"] == ["acme/large", "offline"]
    cli.run("init", "--yes", "--no-check")
    assert settings(cli)["model"] == ["acme/large", "offline"]


def test_it_says_what_is_wrong_with_a_file_before_it_asks(cli: Cli) -> None:
    for text in ("model = [", "max_turns = 'many'\n", "nothing = 1\n", "\ufeffmodel = 'a'\n"):
        cli.configure(text)
        failed = cli.run("init", stdin="\n\n\n\n", status=1)
        assert "Provider" not in failed.stdout
        assert "next: " in failed.stderr
        assert (cli.folder / "gitu.toml").read_text() == text


def test_a_secret_stands_in_no_file_but_its_own_and_in_no_argument(cli: Cli) -> None:
    cli.run("init", stdin="acme\nright-key-1\nlarge\n\nGood morning\n")
    holders = [file for file in cli.folder.rglob("*") if file.is_file() and b"right-key-1" in file.read_bytes()]
    assert holders == [cli.home / "secrets" / "ACME_KEY"]
