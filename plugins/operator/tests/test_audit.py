"""`gitu audit` and `gitu trace`: from what was done back to who wanted it, without content unless somebody asks."""

from __future__ import annotations

import json
import sqlite3

import anyio
import pytest

from gitu_core import Answer, Gitu
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from tests.app.around import mail, on, web
from tests.cli.driver import Cli


def works(request):
    """Writes a mail; first reads the web where it is told to."""
    last = request.messages[-1]
    if last.role == "user":
        return call("web") if "web" in last.text else call("mail", to="bob@example.org")
    return call("mail", to="bob@example.org") if "outside" in last.text else "done"


async def done(cli: Cli) -> dict[str, str]:
    """One effect that was simply allowed, one that was said yes to, one that was refused; the ids of their turns."""
    turns = {}
    async with Gitu(model=FunctionModel(works), tools=[mail, web], home=cli.home) as gitu:
        turns["allowed"] = (await gitu.send("write to bob", user="ana")).turn
        for name, choice in (("approved", "yes"), ("refused", "no")):
            turns[name] = (await gitu.send("read the web, then write", user="ana")).turn
            asked = (await gitu.approvals("ana"))[0]
            await gitu.send([Answer(asked.id, choice)], user="ana")
    return turns


@pytest.fixture
def turns(cli: Cli) -> dict[str, str]:
    """The turns that were run."""
    found: dict[str, str] = anyio.run(done, cli)
    return found


def kinds(cli: Cli, turn: str) -> list[tuple[str, str]]:
    """What the audit says of a turn."""
    return [(each["kind"], each["outcome"]) for each in json.loads(cli.run("audit", "--turn", turn, "--json").stdout)]


def test_every_effect_is_there_with_its_decision_its_yes_and_its_end(cli: Cli, turns: dict[str, str]) -> None:
    assert kinds(cli, turns["allowed"]) == [("begun", "allow"), ("effect", "ok")]
    assert kinds(cli, turns["approved"]) == [
        ("decided", "ask"),
        ("answered", "yes"),
        ("begun", "approved"),
        ("effect", "ok"),
    ]
    assert kinds(cli, turns["refused"]) == [("decided", "ask"), ("answered", "no")]
    printed = cli.run("audit").stdout
    assert printed.splitlines()[0].split() == ["n", "when", "person", "what", "of", "outcome", "why"]
    assert len(printed.splitlines()) == 9
    assert "bob" not in cli.run("audit", "--json").stdout, "no content"


def test_trace_goes_back_from_an_effect_to_the_person(cli: Cli, turns: dict[str, str]) -> None:
    entries = json.loads(cli.run("audit", "--turn", turns["approved"], "--json").stdout)
    for id in (entries[-1]["id"], entries[-1]["facts"]["call"], turns["approved"]):
        traced = cli.run("trace", "--why", id).stdout
        assert "mail effect: ok" in traced
        assert "said by: ana" in traced
        assert "influenced by: outside:tool:web, system, user:ana" in traced
        assert f"in turn {turns['approved']}" in traced
        assert "from ana (ana) on app" in traced
        assert "bob@example.org" not in traced
    traced = cli.run("trace", "--why", "--content", turns["approved"]).stdout
    assert "to: bob@example.org" in traced
    assert "read the web, then write" in traced
    assert "only people you trust wrote what led to it" in cli.run("trace", "--why", turns["allowed"]).stdout


def test_trace_takes_a_message_that_was_sent_and_one_that_was_taken_in(cli: Cli) -> None:
    async def talk() -> tuple[str, str]:
        adapter = RecordingAdapter()
        async with on(adapter, FunctionModel(works), home=cli.home, tools=[mail]):
            receipt = await adapter.say("write to bob")
            await adapter.reply()
            return receipt.id, adapter.sent[-1].id

    for id in anyio.run(talk):
        traced = cli.run("trace", id).stdout
        assert "mail effect: ok" in traced
        assert "on test" in traced


def test_an_id_that_nobody_knows_is_told(cli: Cli, turns: dict[str, str]) -> None:
    result = cli.run("trace", "nothing", status=1)
    assert "nothing is known as nothing" in result.stderr
    assert "gitu audit list" in result.stderr


def test_a_chain_is_whole_until_somebody_changes_it(cli: Cli, turns: dict[str, str]) -> None:
    said = cli.run("audit", "verify").stdout
    assert said.splitlines()[0] == "8 entries"
    assert said.splitlines()[-1] == "it is whole"
    head = said.splitlines()[1].removeprefix("the chain ends at ")
    assert cli.run("audit", "verify", "--noted", head).stdout == said
    with sqlite3.connect(cli.home / "gitu.db") as database:
        database.execute("UPDATE audit SET outcome = 'allow' WHERE n = 3")
    result = cli.run("audit", "verify", status=1)
    assert "entry 3" in result.stdout
    assert "is not what was written" in result.stdout
    assert json.loads(cli.run("audit", "verify", "--json", status=1).stdout)["problems"]
