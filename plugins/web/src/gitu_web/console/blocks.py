"""The blocks that pages are made of, in the form that the contract `Page` has: what each kind takes.

    text    {"text": words, "tone": "info" | "good" | "warning" | "bad"}
    table   {"columns": [{"key", "title"}], "rows": [{key: value, "actions": [action]}], "empty": words}
    form    {"schema": JSON Schema of type object, "values": {}, "submit": words, "hidden": {}}
    action  {"title": words, "values": {}, "confirm": words}; the block's `action` is what is done
    chart   {"labels": [], "series": [{"name", "values"}], "unit": words}
    html    {"html": markup}, from a plugin that runs in the host; words from any other

What a plugin gives is data to the very end: every word of it is escaped, an address is no link.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitu_core.contracts import Block
from gitu_web.console.texts import say


def text(words: str, tone: str = "", title: str = "") -> Block:
    """Words."""
    return Block("text", title, {"text": words, "tone": tone})


def table(
    columns: Iterable[str], rows: Iterable[Mapping[str, Any]], title: str = "", empty: str = ""
) -> Block:  # fmt: skip
    """A table; *columns* are the keys of the cells, whose heads stand among the texts under ``head.``."""
    heads = [{"key": key, "title": say(f"head.{key}")} for key in columns]
    return Block("table", title, {"columns": heads, "rows": list(rows), "empty": empty})


def form(
    action: str, schema: Mapping[str, Any], values: Mapping[str, Any], title: str = "", submit: str = "",
    hidden: Mapping[str, Any] | None = None,
) -> Block:  # fmt: skip
    """A form; *hidden* values are sent along."""
    data = {"schema": schema, "values": values, "submit": submit, "hidden": hidden or {}}
    return Block("form", title, data, action)


def button(
    action: str, title: str, values: Mapping[str, Any] | None = None, confirm: str = "", danger: bool = False
) -> dict[str, Any]:  # fmt: skip
    """An action in a row."""
    return {"action": action, "title": title, "values": values or {}, "confirm": confirm, "danger": danger}


def act(action: str, title: str, values: Mapping[str, Any] | None = None, confirm: str = "") -> Block:
    """An action on its own."""
    return Block("action", title, {"title": title, "values": values or {}, "confirm": confirm}, action)


def chart(labels: Sequence[str], series: Mapping[str, Sequence[float]], title: str, unit: str = "") -> Block:
    """Bars, one group a label."""
    lines = [{"name": name, "values": list(values)} for name, values in series.items()]
    return Block("chart", title, {"labels": list(labels), "series": lines, "unit": unit})
