"""Where the pages are, and what comes of a form that is sent."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode

import msgspec
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gitu_core.contracts import Block, Entry, user
from gitu_core.errors import AuthFailed, Denied, GituError, InputError
from gitu_web.auth.rest import doors
from gitu_web.console import fields, house, mine, render, settle, setup
from gitu_web.console.page import Done, Page, wrong
from gitu_web.console.texts import for_scripts, say
from gitu_web.limits import json_of
from gitu_web.openapi import Operation
from gitu_web.problems import status_of
from gitu_web.settings import MIB
from gitu_web.site import Visit
from gitu_web.taking import MOST_PARTS
from gitu_web.visitor import Scope

PAGES: dict[str, Page] = {page.name: page for page in (*mine.PAGES, *house.PAGES, *settle.PAGES, *setup.PAGES)}
OWN = ("chat", "sessions", "devices", "pair", "permissions", "usage")
SAID = "gitu-said"
"""The cookie that carries a sentence to the next page."""

GUARDED = "admin/"
"""How the paths of those pages of plugins begin that are only for devices which may look after the installation."""

LARGEST = 1 << 20
"""Bytes of a form."""


async def menu(visit: Visit) -> list[dict[str, Any]]:
    """What can be gone to."""
    groups = [("group.mine", [*OWN])]
    if visit.visitor.admin:
        groups.append(("group.house", [name for name, page in PAGES.items() if page.scope == "admin"]))
    found = [{"title": say(title), "pages": [{"url": f"/{name}", "icon": name, "title": say(f"page.{name}")}
                                             for name in names]} for title, names in groups]  # fmt: skip
    others = [each for each in await visit.admin.pages()
              if visit.visitor.admin or not str(each["path"]).startswith(GUARDED)]  # fmt: skip
    if others:
        found.append({"title": say("group.more"), "pages": [
            {"url": f"/p/{quote(each['plugin'])}/{quote(each['path'])}", "icon": str(each["icon"]),
             "title": str(each["title"])[:60]} for each in others]})  # fmt: skip
    return found


async def visit_of(request: Request, scope: Scope = "chat") -> Visit:
    """Who visits. A stranger is sent to the sign-in by the handler of errors; a program's key opens no page, where it
    could let devices in."""
    visit = await Visit.of(request, scope)
    if visit.visitor.kind == "key" and not request.url.path.startswith("/v1/"):
        raise Denied(say("wrong.key"), hint=say("wrong.key_next"))
    return visit


async def shown(
    request: Request, visit: Visit, title: str, blocks: Sequence[Block], done: Done | None = None,
    typed: Mapping[str, Any] | None = None, *, foreign: bool = False, trusted: bool = False,
) -> Response:  # fmt: skip
    """A page of blocks; with what came of an action there."""
    action, done = str((typed or {}).get("action", "")), done or said_before(request)
    values = {action: typed["values"]} if typed else None
    errors = {action: done.errors} if done and done.errors else None
    found = render.html(
        "page.html", title, 422 if errors else 200, visit.visitor, menu=await menu(visit), here=request.url.path,
        url=str(request.url.include_query_params()).replace(str(request.base_url), "/"),
        blocks=render.shown(blocks, values, errors, foreign=foreign, trusted=trusted),
        flash=done.words if done else "", tone=done.tone if done else "",
    )  # fmt: skip
    found.delete_cookie(SAID)
    return found


def said_later(response: Response, done: Done) -> Response:
    """Has the next page say what came of an action; a page that is loaded again does it not once more."""
    told = quote(json.dumps([done.words[:500], done.tone]))
    response.set_cookie(SAID, told, max_age=30, httponly=True, samesite="strict")
    return response


def said_before(request: Request) -> Done | None:
    """What an action on the page before had to say."""
    try:
        words, tone = json.loads(unquote(request.cookies.get(SAID, "null")))
        return Done(str(words), str(tone))
    except (ValueError, TypeError):
        return None


async def look(request: Request) -> Response:
    """A page of the console's own."""
    page = _page(request)
    visit = await visit_of(request, page.scope)
    return await shown(request, visit, say(f"page.{page.name}"), await page.blocks(visit))


async def act(request: Request) -> Response:
    """An action on a page of the console's own."""
    page = _page(request)
    visit = await visit_of(request, page.scope)
    action, values, typed = await sent(request)
    schema = await page.schemas(visit, action, values) if page.schemas else None
    done, found = Done(), dict[str, Any]()
    if schema is not None:
        found, done.errors = fields.read(schema, typed)
    if not done.errors:
        try:
            done = await page.act(visit, action, _given(schema, found, values))
        except InputError as error:
            done = Done(f"{error.message}; {error.hint}", "bad")
    if done.to and not done.errors:
        return said_later(RedirectResponse(done.to, 303), done)
    told = {"action": action, "values": found} if schema is not None and done.errors else None
    return await shown(request, visit, say(f"page.{page.name}"), await page.blocks(visit), done, told)


async def sent(request: Request) -> tuple[str, dict[str, Any], dict[str, str]]:
    """What a form carries: the action, what it was given along, and what was typed."""
    told = await request.form(max_files=0, max_fields=500, max_part_size=LARGEST)
    try:
        values = msgspec.json.decode(str(told.get("hidden", "{}")), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise wrong("form", 400) from error
    typed = {key[2:]: str(value) for key, value in told.items() if key.startswith("v.")}
    return str(told.get("action", "")), values, typed


def _given(schema: Any, found: dict[str, Any], hidden: dict[str, Any]) -> dict[str, Any]:
    """What an action is told: what fits the schema, and nothing hidden in its place; `id` says what the form is of."""
    names = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    return {**found, **{name: value for name, value in hidden.items() if name == "id" or name not in names}}


def _page(request: Request) -> Page:
    page = PAGES.get(request.path_params["name"])
    if page is None:
        raise wrong("page")
    return page


# ---- pages of plugins ------------------------------------------------------------------------------------------


async def foreign(request: Request) -> Response:
    """A page of a plugin, to look at or to act on."""
    path = request.path_params["path"]
    plugin = request.path_params["plugin"]
    visit = await visit_of(request, "admin" if path.startswith(GUARDED) else "chat")
    page = await visit.admin.page(plugin, path)
    principal, done, typed = user(visit.visitor.person), None, None
    blocks = _blocks(await page.blocks(principal))
    if request.method == "POST":
        action, values, told = await sent(request)
        schema = next(
            (each.data.get("schema") for each in blocks if each.kind == "form" and each.action == action), None
        )
        found, errors = fields.read(schema, told) if isinstance(schema, dict) else ({}, {})
        done, typed = Done(errors=errors), {"action": action, "values": found}
        if not errors:
            result = await page.act(principal, action, _given(schema, found, values))
            done = Done(result.text[:2_000], "good" if result.status == "ok" else "bad")
            blocks, typed = _blocks(await page.blocks(principal)), None
    title, trusted = str(page.title)[:100], in_host(await visit.admin.plugins(), plugin)
    return await shown(request, visit, title, blocks, done, typed, foreign=True, trusted=trusted)


def in_host(plugins: Sequence[Mapping[str, Any]], id: str) -> bool:
    """True if a plugin runs in the host. Others may claim its id: they are listed beside it, and are not enabled."""
    return [each["isolation"] for each in plugins if (each["id"], each["state"]) == (id, "enabled")] == ["host"]


def _blocks(given: Any) -> list[Block]:
    """What a plugin gave, as blocks; patterns in its schemas are its own to check, for they may be of any dialect."""
    found = [msgspec.convert(msgspec.to_builtins(each), Block) for each in list(given)[:100]]
    return [msgspec.structs.replace(each, data=_without_patterns(each.data)) for each in found]


def _without_patterns(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key != "patternProperties"}
        if isinstance(kept.get("pattern"), str):
            del kept["pattern"]
        return {key: _without_patterns(each) for key, each in kept.items()}
    return [_without_patterns(each) for each in value] if isinstance(value, list) else value


# ---- chat, pairing, feedback -----------------------------------------------------------------------------------


async def home(request: Request) -> Response:
    """Where everybody begins."""
    return RedirectResponse("/chat", 303)


async def chat(request: Request) -> Response:
    """The chat; its script does the rest."""
    visit = await visit_of(request)
    texts = json.dumps({**for_scripts(), "say": visit.query.get("say", "")})
    done = said_before(request) or Done()
    found = render.html("chat.html", say("page.chat"), 200, visit.visitor, menu=await menu(visit), here="/chat",
                        texts=texts, chat=visit.query.get("chat", "")[:100], fresh=secrets.token_hex(4),
                        flash=done.words, tone=done.tone, most_files=MOST_PARTS - 1,
                        max_file=visit.site.settings.max_file,
                        largest_file=visit.site.settings.max_file * MIB)  # fmt: skip
    found.delete_cookie(SAID)
    return found


async def pair(request: Request) -> Response:
    """Lets a device in that asks: what it is first, then yes or no."""
    visit, guard = await visit_of(request), doors(request)
    words, tone, asked = "", "good", None
    if request.method == "POST":
        told = await request.form(max_files=0, max_fields=10, max_part_size=10_000)
        accept = told.get("accept") == "yes"
        guard.pairings.answer(str(told.get("request", "")), visit.visitor.person, ("chat",) if accept else None)
        words, tone = say("pair.done" if accept else "pair.refused"), "good" if accept else "info"
    elif wanted := visit.query.get("request", ""):
        try:
            asked = guard.pairings.get(wanted.rpartition("request=")[2])
        except InputError as error:
            words, tone = f"{error.message}; {error.hint}", "bad"
    return render.html("pair.html", say("page.pair"), 200, visit.visitor, menu=await menu(visit), here="/pair",
                       asked=asked, flash=words, tone=tone)  # fmt: skip


OPINIONS = 200
"""Opinions of a person that are kept."""


class Opinion(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody thinks of an answer."""

    key: str
    good: bool
    comment: str = ""


async def feedback(request: Request) -> Response:
    """Keeps what somebody thinks of an answer, for whoever runs the assistant."""
    visit = await visit_of(request)
    told, person = await json_of(request, 8_192, Opinion), visit.visitor.person
    if len(told.comment) > 2_000 or not 0 < len(told.key) <= 300:
        raise wrong("comment", 400)
    kv, folder = visit.site.host.kv, f"feedback/{quote(person, safe='')}/"
    value = {**msgspec.to_builtins(told), "at": time.time()}
    await kv.put(Entry(folder + quote(told.key, safe=""), value, person))
    kept = sorted(await kv.list(folder, person), key=lambda each: float(each.value.get("at", 0)))
    for each in kept[:-OPINIONS]:
        await kv.delete(each.key)
    return Response(status_code=204)


# ---- errors ----------------------------------------------------------------------------------------------------


def wants_html(request: Request) -> bool:
    """True for a person with a browser."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def error_page(request: Request, error: Exception) -> Response:
    """What went wrong, for a person; a stranger goes to the sign-in."""
    to, go = "/chat", say("error.back")
    if isinstance(error, AuthFailed):
        wanted = str(request.url.replace(scheme="", netloc=""))  # with what stands behind it: which device asks
        to, go = f"/auth?{urlencode({'next': wanted})}", say("sign_in.button")
        if request.method == "GET":
            return RedirectResponse(to, 303)
    if isinstance(error, HTTPException):
        status, words, hint = error.status_code, say("error.missing") if error.status_code == 404 else error.detail, ""
    else:
        assert isinstance(error, GituError)
        status, words, hint = status_of(error), error.message, error.hint
    body = Markup('<p>{}</p><p>{}</p><p><a href="{}">{}</a></p>').format(words, hint, to, go)
    return render.html("alone.html", say("error.title"), status, None, body=body)


def operations() -> list[Operation]:
    """What of it is for programs too."""
    return [Operation("POST", "/v1/feedback", "What the user thinks of an answer.", body=Opinion, status=204)]


def routes() -> list[BaseRoute]:
    """Where all of it is found."""
    from gitu_web.console import files

    return [
        *files.routes(),
        Route("/", home, methods=["GET"]),
        Route("/chat", chat, methods=["GET"]),
        Route("/pair", pair, methods=["GET", "POST"]),
        Route("/v1/feedback", feedback, methods=["POST"]),
        Route("/p/{plugin}/{path:path}", foreign, methods=["GET", "POST"]),
        Route("/{name}", look, methods=["GET"]),
        Route("/{name}", act, methods=["POST"]),
    ]
