"""``gitu budget``: how full the envelopes are."""

from __future__ import annotations

import argparse

import msgspec

from gitu_core.budget import Line, amounts
from gitu_core.cli.common import answering
from gitu_core.cli.show import as_json, table
from gitu_core.wiring import House

HEAD = "budget", "whose", "period", "used", "set aside", "state", "begins anew"


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("--user", default="", help="only the envelopes of this user")
    command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> int:
    """Runs the command; 1 if an envelope is used up."""
    async with answering(options) as gitu:
        house = gitu.house
        lines = await house.budgets(options.user)
    if options.json:
        print(as_json([{"title": each.title, **msgspec.to_builtins(each)} for each in lines]))
    elif not house.settings.budgets:
        print("no budget is set: see [budgets.NAME] in docs/configuration.md")
    else:
        print(table(HEAD, [_row(each, house) for each in lines]))
    return 1 if any(each.state == "used up" for each in lines) else 0


def _row(line: Line, house: House) -> tuple[str, ...]:
    whose, again = ", ".join(map(" ".join, line.whose.items())), house.envelopes.when(line.until)
    used = amounts(line.cost, line.tokens, line.cost_limit, line.tokens_limit)
    held = amounts(line.held_cost, line.held_tokens, line.cost_limit, line.tokens_limit, of=False)
    return line.budget, whose or "everybody", line.period, used, held, line.state, again or "never"
