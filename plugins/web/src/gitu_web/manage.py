"""What one may see and change over REST: one's own things, and the installation where a device may look after it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitu_core.contracts import Account, Answer, new_id
from gitu_core.errors import InputError
from gitu_web.limits import json_of
from gitu_web.openapi import Operation, Query
from gitu_web.site import Visit
from gitu_web.taking import message_of, take
from gitu_web.visitor import Scope

LARGEST = 256 << 10
"""Bytes of a request."""

MOST, DAYS = 500, 30
"""Things on one page, and days of usage where nothing is said."""

T = TypeVar("T")


class Listed(msgspec.Struct):
    """Some of many; `next` is the ``after`` of the next page, empty at the end."""

    items: list[dict[str, Any]]
    next: str = ""


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """What is changed of a user."""

    enabled: bool | None = None
    settings: dict[str, Any] | None = None


class Choice(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to a question; the same `key` again is the same answer."""

    choice: str
    key: str = ""


class Configuration(msgspec.Struct, forbid_unknown_fields=True):
    """Values of a plugin's configuration; None takes one back. They count from the next start on, or, with `anew`, at
    once: the assistant then finishes what runs, and begins anew."""

    values: dict[str, Any]
    anew: bool = False


Work = Callable[[Visit], Awaitable[Any]]


def answered(work: Work, scope: Scope = "chat", status: int = 200) -> Callable[[Request], Awaitable[Response]]:
    """A route that does *work* for a visitor with a scope."""

    async def route(request: Request) -> Response:
        found = await work(await Visit.of(request, scope))
        headers = {"cache-control": "no-store"}
        if found is None:
            return Response(status_code=204, headers=headers)
        return Response(msgspec.json.encode(found), status, headers, media_type="application/json")

    return route


def page(visit: Visit, found: Iterable[Any], name: str = "id") -> Listed:
    """The page of *found* that is asked for; *name* is the field that tells one from another."""
    plain = [each if isinstance(each, dict) else _whole(each) for each in found]
    query = visit.query
    limit = query.get("limit", "100")
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 3 and 0 < int(limit) <= MOST):
        raise InputError(f"limit is a number from 1 to {MOST}", hint="correct it", field="limit")
    after, start = query.get("after", ""), 0
    if after:
        start = next((number for number, each in enumerate(plain, 1) if str(each.get(name)) == after), -1)
        if start < 0:
            raise InputError("nothing is called so any more", hint="begin with the first page", field="after")
    items = plain[start : start + int(limit)]
    more = start + len(items) < len(plain)
    return Listed(items, str(items[-1].get(name)) if more and items else "")


# ---- one's own -------------------------------------------------------------------------------------------------


async def me(visit: Visit) -> dict[str, Any]:
    """Who the visitor is."""
    visitor = visit.visitor
    return {"user": visitor.person, "device": visitor.device, "name": visitor.name, "kind": visitor.kind,
            "scopes": sorted(visitor.scopes)}  # fmt: skip


async def sessions(visit: Visit) -> Listed:
    """Lines of talk, the last active first."""
    return page(visit, await visit.admin.sessions.sessions(visit.person, limit=1_000))


async def _session(visit: Visit) -> Any:
    found = await visit.admin.sessions.session(visit.request.path_params["id"])
    if found is None or (found.person != visit.visitor.person and not visit.visitor.admin):
        raise InputError("there is no such session", hint="see: GET /v1/sessions", status=404)
    return found


async def session(visit: Visit) -> dict[str, Any]:
    """One of them."""
    return _whole(await _session(visit))


async def history(visit: Visit) -> Listed:
    """What was said in it, oldest first; one's own only, whoever looks after the installation."""
    found = await _session(visit)
    if found.person != visit.visitor.person:
        raise InputError("what others said is theirs", hint="see: GET /v1/audit", status=403)
    said = [{"id": each.message.id or str(number), "role": each.message.role, "text": each.message.text, "at": each.at}
            for number, each in enumerate(await visit.admin.history(found.id, 1_000))]  # fmt: skip
    return page(visit, said)


async def end_session(visit: Visit) -> None:
    """Ends it; its chats begin a new one."""
    await visit.admin.sessions.end_session((await _session(visit)).id)


async def accounts(visit: Visit) -> Listed:
    """The accounts that speak for a user."""
    found = await visit.admin.people.accounts(visit.person or visit.visitor.person)
    return page(visit, [{"id": f"{each.account.channel}/{each.account.id}", **_whole(each)} for each in found])


async def unlink(visit: Visit) -> None:
    """Takes an account off."""
    channel, id = visit.request.path_params["channel"], visit.request.path_params["id"]
    person, last = visit.person or visit.visitor.person, visit.query.get("last") == "true"
    await visit.admin.people.unlink(Account(channel, id), person, last=last, by=visit.by)


async def grants(visit: Visit) -> Listed:
    """What was allowed beforehand."""
    found = await visit.admin.grants.grants(visit.person)
    return page(visit, [{**_whole(each), "words": str(each)} for each in found])


async def revoke(visit: Visit) -> None:
    """Takes a permission back."""
    id = visit.request.path_params["id"]
    if await visit.admin.grants.revoke_grant(id, visit.person, visit.visitor.person) is None:
        raise InputError("there is no such permission", hint="see: GET /v1/grants", status=404)


async def approvals(visit: Visit) -> Listed:
    """Questions that wait for an answer; the words of others are theirs, whoever looks after the installation."""
    found = []
    for each in await visit.admin.approvals(visit.person):
        ask, mine = each.ask, each.person == visit.visitor.person
        words = {"question": ask.question, "details": ask.details, "choices": ask.choices} if mine else {}
        found.append({"id": ask.id, "user": each.person, "expires_at": each.expires_at, "kind": each.kind, **words})
    return page(visit, found)


async def answer(visit: Visit) -> dict[str, Any]:
    """Answers a question of one's own, as in a chat."""
    told: Choice = await json_of(visit.request, LARGEST, Choice)
    asked, visitor = visit.request.path_params["id"], visit.visitor
    if all(each.ask.id != asked for each in await visit.admin.approvals(visitor.person)):
        raise InputError("there is no such question", hint="see: GET /v1/approvals", status=404)
    key = told.key or visit.request.headers.get("idempotency-key", "") or new_id()
    receipt = await take(visit.site, visitor, message_of(visitor, key, (Answer(asked, told.choice),), ""))
    return {"id": receipt.id, "fresh": receipt.fresh}


async def budgets(visit: Visit) -> Listed:
    """How full the budgets are."""
    return page(visit, await visit.admin.budgets(visit.person), "title")


async def usage(visit: Visit) -> Listed:
    """What was used, by day and model."""
    since = visit.query.get("since", "")
    try:
        at = float(since) if since else time.time() - DAYS * 86_400
        if not 0 <= at < 1e12:
            raise ValueError
    except ValueError as error:
        raise InputError("since is a time in seconds since 1970", hint="correct it", field="since") from error
    found = await visit.admin.usage(at, visit.person)
    return page(visit, [{"id": f"{each['day']}/{each['model']}", **each} for each in found])


# ---- the installation ------------------------------------------------------------------------------------------


async def status(visit: Visit) -> dict[str, Any]:
    """How the assistant is."""
    found: dict[str, Any] = await visit.admin.overview()
    return {**found, "connections": visit.site.hub.count}


async def users(visit: Visit) -> Listed:
    """Everybody who may talk."""
    found: list[Any] = []
    while more := await visit.admin.people.people(found[-1].id if found else ""):
        found += more
    return page(visit, map(_whole, found))


async def change_user(visit: Visit) -> dict[str, Any]:
    """Switches a user on or off, or replaces their settings."""
    told: Change = await json_of(visit.request, LARGEST, Change)
    id = visit.request.path_params["id"]
    if id == visit.visitor.person and told.enabled is False:
        raise InputError("nobody switches themselves off here", hint="use: gitu users disable USER", field="enabled")
    change = visit.admin.people.change_person
    return _whole(await change(id, enabled=told.enabled, settings=told.settings, by=visit.by))


async def plugins(visit: Visit) -> Listed:
    """What is installed."""
    return page(visit, await visit.admin.plugins())


async def _plugin(visit: Visit) -> str:
    """The id of the plugin that is meant."""
    id: str = visit.request.path_params["id"]
    if all(each["id"] != id for each in await visit.admin.plugins()):
        raise InputError("there is no such plugin", hint="see: GET /v1/plugins", status=404)
    return id


async def switch(visit: Visit) -> dict[str, Any]:
    """Enables, disables or resets a plugin."""
    id, action = await _plugin(visit), visit.request.path_params["action"]
    if action == "disable" and id == visit.site.host.plugin:
        raise InputError("this answer comes from that plugin", hint=f"use: gitu plugins disable {id}")
    found: dict[str, Any] = await visit.admin.switch(id, action, by=visit.by)
    return found


async def configuration(visit: Visit) -> dict[str, Any]:
    """What a plugin can be told, and what it is told."""
    found: dict[str, Any] = await visit.admin.configuration(await _plugin(visit))
    return found


async def configure(visit: Visit) -> dict[str, Any]:
    """Changes what a plugin is told."""
    told: Configuration = await json_of(visit.request, LARGEST, Configuration)
    id = await _plugin(visit)
    known = (await visit.admin.configuration(id))["schema"].get("properties", {})
    if unknown := set(told.values) - set(known):
        name = min(unknown)
        raise InputError(f"{id} has no setting {name!r}", hint=f"see: GET /v1/plugins/{id}/configuration", field=name)
    await visit.configure(id, told.values)
    if told.anew:
        await visit.admin.begin_anew(by=visit.by)
    return {"saved": sorted(told.values), "anew": told.anew}


async def audit(visit: Visit) -> Listed:
    """What was done, the newest first."""
    found = await visit.admin.audit.audit(limit=1_000, person=visit.person)
    return page(visit, map(_whole, reversed(found)))


def _whole(value: msgspec.Struct) -> dict[str, Any]:
    """A value as JSON, with what it has by default."""
    return {name: msgspec.to_builtins(getattr(value, name)) for name in value.__struct_fields__ if name != "extra"}


# ---- where all of it is ----------------------------------------------------------------------------------------

_PAGED = (Query("limit", f"How many at most, up to {MOST}.", int), Query("after", "The `next` of the page before."))
_USER = Query("user", "Another user, or `*` for everybody; for an admin.")

Row = tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], str, Work, str, Scope, Any, Any, tuple[Query, ...]]
TABLE: Sequence[Row] = (
    ("GET", "/v1/me", me, "Who this is.", "chat", None, dict[str, Any], ()),
    ("GET", "/v1/sessions", sessions, "Lines of talk.", "chat", None, Listed, (*_PAGED, _USER)),
    ("GET", "/v1/sessions/{id}", session, "One of them.", "chat", None, dict[str, Any], ()),
    ("DELETE", "/v1/sessions/{id}", end_session, "Ends it.", "chat", None, None, ()),
    ("GET", "/v1/sessions/{id}/messages", history, "What was said in it.", "chat", None, Listed, _PAGED),
    ("GET", "/v1/accounts", accounts, "Accounts that speak for a user.", "chat", None, Listed, (*_PAGED, _USER)),
    ("DELETE", "/v1/accounts/{channel}/{id}", unlink, "Takes one off.", "chat", None, None,
     (_USER, Query("last", "`true` where it may be the last one, without which the user cannot talk.", bool))),
    ("GET", "/v1/grants", grants, "What was allowed beforehand.", "chat", None, Listed, (*_PAGED, _USER)),
    ("DELETE", "/v1/grants/{id}", revoke, "Takes it back.", "chat", None, None, (_USER,)),
    ("GET", "/v1/approvals", approvals, "Questions that wait.", "chat", None, Listed, (*_PAGED, _USER)),
    ("POST", "/v1/approvals/{id}", answer, "Answers one.", "chat", Choice, dict[str, Any], ()),
    ("GET", "/v1/budgets", budgets, "How full budgets are.", "chat", None, Listed, (*_PAGED, _USER)),
    ("GET", "/v1/usage", usage, "What was used, by day and model.", "chat", None, Listed,
     (*_PAGED, _USER, Query("since", "Seconds since 1970; 30 days ago where nothing is said.", float))),
    ("GET", "/v1/status", status, "How the assistant is.", "admin", None, dict[str, Any], ()),
    ("GET", "/v1/users", users, "Everybody who may talk.", "admin", None, Listed, _PAGED),
    ("PATCH", "/v1/users/{id}", change_user, "Switches a user on or off.", "admin", Change, dict[str, Any], ()),
    ("GET", "/v1/plugins", plugins, "What is installed.", "admin", None, Listed, _PAGED),
    ("POST", "/v1/plugins/{id}/{action}", switch, "Enables, disables or resets a plugin.", "admin", None,
     dict[str, Any], ()),
    ("GET", "/v1/plugins/{id}/configuration", configuration, "What a plugin is told.", "admin", None,
     dict[str, Any], ()),
    ("PUT", "/v1/plugins/{id}/configuration", configure, "Changes that.", "admin", Configuration,
     dict[str, Any], ()),
    ("GET", "/v1/audit", audit, "What was done, on whose word.", "admin", None, Listed, (*_PAGED, _USER)),
)  # fmt: skip


def routes() -> list[BaseRoute]:
    """All of them."""
    return [Route(path, answered(work, scope), methods=[method]) for method, path, work, _, scope, *_ in TABLE]


def operations() -> list[Operation]:
    """The same, described."""
    return [
        Operation(method, path, summary, scope, path.split("/")[2], body, given, status=200 if given else 204,
                  query=query, problems=(404, 422) if "{" in path or body else ())
        for method, path, _, summary, scope, body, given, query in TABLE
    ]  # fmt: skip
