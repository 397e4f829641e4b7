"""``gitu budget``: how full the envelopes are."""

from __future__ import annotations

from typing import Any

from gitu_core.contracts import Admin
from gitu_operator.shape import Given
from gitu_operator.show import as_json, table

HEAD = "budget", "whose", "period", "used", "set aside", "state", "begins anew"


async def run(admin: Admin, given: Given) -> tuple[str, bool]:
    """Runs the command; not well if an envelope is used up."""
    lines = list(await admin.budgets(given.get("user", "")))
    fine = not any(each["state"] == "used up" for each in lines)
    if given.get("json"):
        return as_json([{name: value for name, value in each.items() if name != "words"} for each in lines]), fine
    if not (await admin.overview())["budgets"]:
        return "no budget is set: see [budgets.NAME] in docs/configuration.md", fine
    return table(HEAD, [_row(each) for each in lines]), fine


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    whose, words = ", ".join(map(" ".join, line["whose"].items())), line["words"]
    return (line["budget"], whose or "everybody", line["period"], words["used"], words["held"], line["state"],
            words["again"] or "never")  # fmt: skip
