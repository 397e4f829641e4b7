"""`gitu budget`: how full the budgets are, for people and for programs."""

from __future__ import annotations

import json

from tests.cli.driver import Cli

BUDGETS = """
timezone = "Europe/Berlin"
[budgets.daily]
per = ["user"]
period = "day"
cost = 0.5
tokens = 100_000
[budgets.house]
tokens = 400_000
"""


def test_without_a_budget_it_says_where_one_is_set(cli: Cli) -> None:
    assert "no budget is set" in cli.run("budget").stdout
    assert json.loads(cli.run("budget", "--json").stdout) == []


def test_used_limit_and_the_next_period_are_shown_and_what_is_used_up_fails(cli: Cli) -> None:
    cli.configure(BUDGETS)
    cli.run("ask", "Convert 5 miles to kilometres")
    head, *lines = cli.run("budget").stdout.splitlines()
    assert head.split("  ")[0] == "budget"
    daily, house = lines
    assert daily.split()[:3] == ["daily", "user", "local"]
    assert "$0 of $0.5 and " in daily
    assert "of 100,000 tokens  $0 and 0 tokens  ok" in daily
    assert house.split()[:2] == ["house", "everybody"]
    assert daily.split()[-1] in ("CET", "CEST")
    found = json.loads(cli.run("budget", "--json", "--user", "local").stdout)
    assert [(each["title"], each["state"], each["cost_limit"]) for each in found] == [
        ("daily user local", "ok", 500_000_000)
    ]
    assert found[0]["tokens"] > 0
    assert json.loads(cli.run("budget", "--json", "--user", "anna").stdout) == []
    cli.configure(BUDGETS.replace("400_000", "10"))
    assert "used up" in cli.run("budget", status=1).stdout
    assert "budget house" in cli.run("doctor").stdout
    refused = cli.run("ask", "and now?", status=1)
    assert "the budget house cannot bear the next call" in refused.stderr
    assert "next: wait until" in refused.stderr


def test_a_budget_that_cannot_be_meant_names_its_field(cli: Cli) -> None:
    cli.configure('[budgets.daily]\ncost = 1.0\nperiods = "day"')
    failed = cli.run("budget", status=1).stderr
    assert "'periods'" in failed
    assert "did you mean 'period'?" in failed
