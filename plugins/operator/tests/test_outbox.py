"""`gitu outbox`: what was not delivered is visible, and a person decides what becomes of it."""

from __future__ import annotations

import json

import anyio
import pytest

from gitu_core.testing import FunctionModel, RecordingAdapter
from tests.app.around import on, until
from tests.cli.driver import Cli

ECHO = FunctionModel(lambda request: f"you said {request.messages[-1].text}")


async def undelivered(cli: Cli) -> RecordingAdapter:
    """A home in which one answer is dead and of another one nobody knows."""
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, ECHO, home=cli.home):
        adapter.fail("not_sent", final=True, detail="they blocked us")
        await adapter.talk("first", key="a")
        adapter.fail("unknown", detail="the line broke")
        await adapter.talk("second", key="b", user="bob")
    return adapter


def listed(cli: Cli) -> dict[str, str]:
    """The states of what is listed, by the words."""
    found = json.loads(cli.run("outbox", "--json").stdout)
    return {each["outgoing"]["parts"][0]["text"]: each.get("state", "queued") for each in found}


def test_nothing_is_listed_where_all_was_delivered(cli: Cli) -> None:
    assert len(cli.run("outbox").stdout.splitlines()) == 1
    assert json.loads(cli.run("outbox", "--json").stdout) == []


def test_what_is_dead_or_unknown_is_listed_with_its_reason_and_sent_again_when_a_person_says_so(cli: Cli) -> None:
    anyio.run(undelivered, cli)
    head, *lines = cli.run("outbox").stdout.splitlines()
    assert head.split() == ["id", "channel", "to", "state", "since", "why", "text"]
    assert "dead" in lines[0]
    assert "they blocked us" in lines[0]
    assert "unknown" in lines[1]
    assert "the line broke" in lines[1]
    dead, unknown = (line.split()[0] for line in lines)
    assert cli.run("outbox", "drop", unknown).stdout == "1 dropped\n"
    assert cli.run("outbox", "resend", dead).stdout == "1 to be sent again\n"
    assert listed(cli) == {"you said first": "queued"}

    async def later() -> list[str]:
        adapter = RecordingAdapter(delivery="blind")
        async with on(adapter, ECHO, home=cli.home):
            await until(lambda: adapter.sent)
            return [each.text for each in adapter.sent]

    assert anyio.run(later) == ["you said first"]
    assert listed(cli) == {}, cli.run("outbox").stdout


async def test_a_service_that_runs_sends_it_within_moments(cli: Cli) -> None:
    await undelivered(cli)
    adapter = RecordingAdapter(delivery="blind")
    async with on(adapter, ECHO, home=cli.home):
        await anyio.to_thread.run_sync(lambda: cli.run("outbox", "resend", "--all"))
        await until(lambda: len(adapter.sent) == 2)
        assert sorted(each.text for each in adapter.sent) == ["you said first", "you said second"]


@pytest.mark.parametrize("words", [["resend"], ["drop"], ["drop", "x", "--all"], ["resend", "nothing"]])
def test_what_is_not_there_or_not_named_is_refused(cli: Cli, words: list[str]) -> None:
    said = cli.run("outbox", *words, status=1).stderr
    assert "gitu outbox" in said
