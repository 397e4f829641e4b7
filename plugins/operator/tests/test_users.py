"""`gitu users`: the operator sees who may talk, lets in who asked, and decides how far each is trusted."""

from __future__ import annotations

import json
import re
import sys

import anyio
import pytest

from gitu_core.testing import RecordingAdapter
from tests.app.around import ECHO, on, slow, until
from tests.cli.driver import Cli


def listed(cli: Cli) -> dict[str, str]:
    """The state and trust of each account that is listed."""
    head, *lines = cli.run("users").stdout.splitlines()
    assert head.split() == ["user", "name", "state", "channel", "account", "trust", "last", "used"]
    rows = [re.fullmatch(r".*\b(enabled|disabled) +(\S+) +(\S+) +(\S+) .*", line) for line in lines]
    return {row[3]: f"{row[1]} {row[4]}" for row in rows if row is not None}


def test_who_asked_to_be_let_in_is_let_in_by_the_operator(cli: Cli) -> None:
    async def asks() -> str:
        adapter = RecordingAdapter(access="paired")
        async with on(adapter, ECHO, home=cli.home):
            await adapter.say("hello")
            text = (await adapter.reply()).text
            code = text.split()[-1]
            shell = await anyio.run_process([sys.executable, "-m", "gitu_core", "users", "pair", code], env=cli.env)
            assert shell.stdout.startswith(b"ana on test belongs to ")
            assert await adapter.talk("hello") == "you said hello"
            return code

    code = anyio.run(asks)
    assert listed(cli) == {"ana": "enabled talk"}, "without its plugin nobody vouches for the channel"
    assert "does not count" in cli.run("users", "pair", code, status=1).stderr


def test_what_runs_for_a_user_stops_when_another_process_switches_them_off(cli: Cli) -> None:
    async def runs() -> list[str]:
        adapter, started = RecordingAdapter(), anyio.Event()
        async with on(adapter, slow(30, started), home=cli.home) as gitu:
            await adapter.say("work")
            await started.wait()
            person = (await gitu.sessions())[0].person
            await anyio.run_process([sys.executable, "-m", "gitu_core", "users", "disable", person], env=cli.env)
            await until(lambda: adapter.sent)
            assert (await adapter.say("hello?")).id == ""
            return [each.text for each in adapter.sent]

    assert anyio.run(runs)[0] == "Stopped."


def test_the_operator_links_switches_off_and_takes_away(cli: Cli) -> None:
    cli.configure('[channels.test]\ntrust = "full"\n')
    assert cli.run("users").stdout.count("\n") == 1
    assert "no user ana" in cli.run("users", "link", "ana", "test", "a1", status=1).stderr
    assert cli.run("users", "link", "ana", "test", "a1", "--new").stdout == "a1 on test belongs to ana\n"
    assert cli.run("users", "link", "ana", "post", "a2").stdout == "a2 on post belongs to ana\n"
    assert "another user" in cli.run("users", "link", "bob", "test", "a1", "--new", status=1).stderr
    assert cli.run("users", "link", "bob", "test", "b1", "--new").stdout == "b1 on test belongs to bob\n"
    assert "no more to bob" in cli.run("users", "link", "ana", "test", "b1").stdout
    assert listed(cli) == {"a1": "enabled full", "a2": "enabled talk", "b1": "enabled full"}
    assert "to talk, no further" in cli.run("users", "trust", "test", "a1", "talk").stdout
    assert "no trust 'much'" in cli.run("users", "trust", "test", "a1", "much", status=1).stderr
    assert cli.run("users", "disable", "ana").stdout == "ana is disabled\n"
    assert listed(cli) == {"a1": "disabled talk", "a2": "disabled talk", "b1": "disabled full"}
    assert cli.run("users", "enable", "ana").stdout == "ana is enabled\n"
    assert cli.run("users", "trust", "test", "a1", "full").returncode == 0
    for channel, account in (("test", "a1"), ("test", "b1")):
        assert "belongs to nobody" in cli.run("users", "unlink", channel, account).stdout
    assert "last account" in cli.run("users", "unlink", "post", "a2", status=1).stderr
    assert "belongs to nobody" in cli.run("users", "unlink", "post", "a2", "--last").stdout
    found = json.loads(cli.run("users", "--json").stdout)
    assert [(each["id"], each["enabled"], each["accounts"]) for each in found] == [("ana", True, []), ("bob", True, [])]
    told = cli.run("audit").stdout
    assert "by operator" in told
    for word in ("account", "user", "linked", "unlinked", "talk", "disabled", "enabled"):
        assert f" {word} " in told
    assert cli.run("audit", "verify").stdout.endswith("it is whole\n")
    id = json.loads(cli.run("audit", "--json").stdout)[0]["id"]
    assert [line.strip() for line in cli.run("trace", id).stdout.splitlines()[1:]] == ["said by: operator", "about ana"]


def test_settings_are_a_small_json_object(cli: Cli) -> None:
    cli.run("users", "link", "ana", "test", "a1", "--new")
    assert json.loads(cli.run("users", "settings", "ana").stdout) == {}
    assert json.loads(cli.run("users", "settings", "ana", '{"language": "de"}').stdout) == {"language": "de"}
    assert json.loads(cli.run("users", "settings", "ana").stdout) == {"language": "de"}
    for bad, why in (("{", "not JSON"), ("[1]", "JSON object"), (json.dumps({"a": "x" * 20_000}), "are allowed")):
        assert why in cli.run("users", "settings", "ana", bad, status=1).stderr
    assert "no user bob" in cli.run("users", "settings", "bob", status=1).stderr


@pytest.mark.parametrize("words", [("", "test", "a"), ("ana", "", "a"), ("ana", "test", ""), ("ana", "test", "a\nb")])
def test_what_is_no_name_makes_no_user(cli: Cli, words: tuple[str, ...]) -> None:
    for more in ((), ("--new",)):
        assert cli.run("users", "link", *words, *more, status=1).stderr
    assert cli.run("users").stdout.count("\n") == 1


@pytest.mark.parametrize("words", [("pair",), ("link", "a"), ("trust", "a", "b"), ("settings", "a", "{}", "x")])
def test_what_is_missing_is_said(cli: Cli, words: tuple[str, ...]) -> None:
    assert f"say: gitu users {words[0]}" in cli.run("users", *words, status=1).stderr
