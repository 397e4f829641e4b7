"""Makes HTML of pages. Whatever is put into a template is escaped, unless this module made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from gitu_core.contracts import Block
from gitu_web.console import charts, fields
from gitu_web.console.icons import ICONS
from gitu_web.console.texts import say
from gitu_web.visitor import Visitor

HERE = Path(__file__).parent
FOLDERS = {"static": HERE.parent / "static", "_vendor": HERE.parent / "_vendor"}
"""Where files that browsers fetch lie, by the name in their address."""

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY, "cache-control": "no-store", "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff", "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}  # fmt: skip

CELL = 500
"""Characters of a cell that are shown."""


@lru_cache
def static(name: str, folder: str = "static") -> str:
    """The address of a file, which changes with what is in it."""
    data = (FOLDERS[folder] / name).read_bytes()
    return f"/{folder}/{hashlib.sha256(data).hexdigest()[:12]}/{name}"


def icon(name: str) -> Markup:
    """A drawing; one that is not known is a dot."""
    path = ICONS.get(name, ICONS["dot"])
    return Markup(f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{path}"></path></svg>')


def cell(value: Any) -> Markup:
    """What stands in a cell of a table. A table ``{"state": word}`` is shown in its colour."""
    if isinstance(value, Mapping) and set(value) == {"state"}:
        word = str(value["state"])[:CELL]
        return Markup('<span class="state-{}">{}</span>').format(_tone(word), word)
    if value is None or value == "":
        return Markup('<span class="nothing">-</span>')
    if isinstance(value, bool):
        return Markup("✓" if value else "✗")
    if isinstance(value, list | tuple | Mapping):
        value = json.dumps(value, ensure_ascii=False)
    return escape(str(value)[:CELL])


def button(csrf: str, action: str, title: str, values: Mapping[str, Any], confirm: str, danger: bool) -> Markup:
    """A form with one button; what needs a second thought opens first."""
    inside = Markup(
        '<form method="post"><input type="hidden" name="csrf" value="{}"><input type="hidden" name="action" value="{}">'
        '<input type="hidden" name="hidden" value="{}">'
    ).format(csrf, action, json.dumps(dict(values)))
    if not confirm:
        return inside + Markup('<button class="{}">{}</button></form>').format("danger" if danger else "quiet", title)
    return Markup(
        '<details class="sure"><summary class="button {}">{}</summary>{}<p>{}</p><button class="danger">{}</button>'
        "</form></details>"
    ).format("danger" if danger else "quiet", title, inside, confirm, say("confirm"))


def _tone(word: str) -> str:
    good = {"ok", "enabled", "open", "linked", "active", "ready", "running", say("setup.ready")}
    bad = {"failed", "quarantined", "broken", "incompatible", "duplicate", "dead", "used up"}
    return "good" if word in good else "bad" if word in bad else "plain"


@lru_cache(1)
def _environment() -> Environment:
    made = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)
    made.globals.update(t=say, static=static, icon=icon, cell=cell)
    return made


def html(template: str, title: str, status: int = 200, visitor: Visitor | None = None, **values: Any) -> Response:
    """A page of the console."""
    made = _environment().get_template(template)
    acts = partial(button, visitor.csrf if visitor else "")
    text = made.render(title=title, visitor=visitor, button=acts, **{"menu": (), "here": "", **values})
    return HTMLResponse(text, status, HEADERS)


def shown(
    blocks: Sequence[Block], typed: Mapping[str, Mapping[str, Any]] | None = None,
    errors: Mapping[str, Mapping[str, str]] | None = None, *, foreign: bool = False, trusted: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """Blocks as the template takes them. *typed* values and *errors* are those of a form that was sent, by action.
    What a *foreign* plugin gives is looked at more closely; markup is such if it is of a *trusted* one."""
    found = []
    for number, block in enumerate(blocks[:100] if foreign else blocks):
        data: dict[str, Any] = dict(block.data)
        one: dict[str, Any] = {"kind": block.kind, "title": str(block.title), "action": block.action, "data": data}
        _PREPARED[block.kind](one, number, (typed or {}).get(block.action), (errors or {}).get(block.action, {}))
        if foreign and block.kind == "table":
            for row in one["data"]["rows"]:
                row["actions"] = [{**each, "href": ""} for each in row["actions"]]
        if trusted and block.kind == "html":
            one["data"]["html"] = Markup(one["data"]["html"])
        found.append(one)
    return found


def _text(one: dict[str, Any], number: int, typed: Any, errors: Any) -> None:
    data = one["data"]
    one["data"] = {"text": str(data.get("text", "")), "tone": str(data.get("tone", ""))}


def _html(one: dict[str, Any], number: int, typed: Any, errors: Any) -> None:
    one["data"] = {"html": str(one["data"].get("html", ""))}


def _table(one: dict[str, Any], number: int, typed: Any, errors: Any) -> None:
    data, rows = one["data"], list[dict[str, Any]]()
    columns = [
        {"key": str(each.get("key", "")), "title": str(each.get("title", ""))} for each in _maps(data, "columns")
    ]
    for row in _maps(data, "rows")[:1_000]:
        acts: list[dict[str, Any]] = [{"action": str(each.get("action", "")), "title": str(each.get("title", "")),
                 "values": each.get("values") if isinstance(each.get("values"), dict) else {},
                 "confirm": str(each.get("confirm", "")), "danger": bool(each.get("danger")),
                 "href": str(each.get("href", ""))} for each in _maps(row, "actions")[:10]]  # fmt: skip
        rows.append({**{each["key"]: row.get(each["key"]) for each in columns}, "actions": acts})
    one["data"] = {"columns": columns, "rows": rows, "empty": str(data.get("empty", ""))}
    one["acts"] = any(row["actions"] for row in rows)


def _form(one: dict[str, Any], number: int, typed: Any, errors: Any) -> None:
    data = one["data"]
    schema = data["schema"] if isinstance(data.get("schema"), dict) else {}
    values = typed if typed is not None else data["values"] if isinstance(data.get("values"), dict) else {}
    hidden = data["hidden"] if isinstance(data.get("hidden"), dict) else {}
    found = fields.fields_of(schema, values, errors)
    one.update(id=f"f{number}", fields=found, hidden=json.dumps(hidden), errors={"": "", **errors})
    one["data"] = {"submit": str(data.get("submit", ""))}


def _action(one: dict[str, Any], number: int, typed: Any, errors: Any) -> None:
    data = one["data"]
    values = data["values"] if isinstance(data.get("values"), dict) else {}
    one["data"] = {"title": str(data.get("title", "")), "values": values, "confirm": str(data.get("confirm", ""))}


def _chart(one: dict[str, Any], number: int, typed: Any, errors: Any) -> None:
    data = one["data"]
    labels = [str(each) for each in data.get("labels", ())][: charts.MOST]
    series = [{"name": str(each.get("name", "")), "values": (charts.numbers(each.get("values")) + [0.0] * len(labels))}
              for each in _maps(data, "series")[: charts.SERIES]]  # fmt: skip
    one["data"] = {"labels": labels, "series": series, "unit": str(data.get("unit", ""))}
    one["svg"] = Markup(charts.both(one["data"], one["title"]))  # made here, of escaped words


def _maps(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = data.get(key)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list | tuple) else []


_PREPARED = {"text": _text, "table": _table, "form": _form, "action": _action, "chart": _chart, "html": _html}
