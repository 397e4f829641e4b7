"""`gitu grants`: give, list and take back, with clear words for what cannot be."""

from __future__ import annotations

import json

import anyio
import pytest

from gitu_core import Gitu
from gitu_core.testing import ScriptedModel
from tests.cli.driver import Cli


@pytest.fixture
def known(cli: Cli) -> Cli:
    """A home with a user, ana."""

    async def talk() -> None:
        async with Gitu(model=ScriptedModel(["hello"]), home=cli.home) as gitu:
            await gitu.send("hello", user="ana")

    anyio.run(talk)
    return cli


def test_a_grant_is_given_listed_and_taken_back(known: Cli) -> None:
    what = ("--when", "to=*@firm.example", "--when", "to=bob@x.example", "--most", "amount=50")
    told = known.run("grants", "add", "ana", "mail.*", *what, "--days", "7", "--uses", "3").stdout
    assert "allows ana: mail.* (to: *@firm.example or bob@x.example, amount: at most 50), until 2" in told
    assert told.rstrip().endswith("UTC, 3 times")
    (grant,) = json.loads(known.run("grants", "--json").stdout)
    assert (grant["person"], grant["uses"]) == ("ana", 3)
    listed = known.run("grants", "--user", "ana").stdout
    assert listed.splitlines()[0].split() == ["id", "user", "what"]
    assert "*@firm.example" in listed
    assert grant["id"] not in known.run("grants", "--user", "eve").stdout
    assert "ana is asked again" in known.run("grants", "revoke", grant["id"]).stdout
    assert json.loads(known.run("grants", "--json").stdout) == []
    kinds = [each["kind"] for each in json.loads(known.run("audit", "--json").stdout)]
    assert kinds == ["granted", "revoked"]


@pytest.mark.parametrize(("words", "why"), [
    (("add", "nobody", "mail"), "there is no user nobody"),
    (("add", "ana"), "takes other words"),
    (("revoke", "x"), "there is no grant x"),
    (("add", "ana", "mail", "--when", "to"), "is no condition"),
    (("add", "ana", "mail", "--most", "amount=much"), "is no number"),
    (("add", "ana", "mail", "--uses", "0"), "never counts"),
    (("add", "ana", "mail", "--days", "-1"), "never counts"),
    (("add", "ana", "mail", "--days", "1e30"), "too many"),
])  # fmt: skip
def test_what_cannot_be_is_said(known: Cli, words: tuple[str, ...], why: str) -> None:
    done = known.run("grants", *words, status=1)
    assert why in done.stderr
    assert json.loads(known.run("grants", "--json").stdout) == []
