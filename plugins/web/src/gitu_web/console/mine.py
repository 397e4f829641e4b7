"""The pages about oneself: sessions, devices, permissions, usage."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gitu_core.contracts import Answer, Block, Media, new_id
from gitu_web.auth.codes import PAIRING
from gitu_web.console import blocks
from gitu_web.console.page import Done, Page, wrong
from gitu_web.console.texts import ENGLISH, say, word
from gitu_web.site import Visit
from gitu_web.taking import message_of, take

DAYS = 30
NANO = 1e9


def when(at: float | None) -> str:
    """A time, in UTC."""
    return "" if not at else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


# ---- sessions --------------------------------------------------------------------------------------------------


async def sessions(visit: Visit) -> Sequence[Block]:
    """The visitor's lines of talk, or what was said in one of them."""
    if wanted := visit.query.get("id"):
        return await _one_session(visit, wanted)
    rows = []
    for each in await visit.admin.sessions.sessions(visit.visitor.person, limit=50):
        acts = [{"action": "", "title": say("sessions.look"), "href": f"/sessions?id={each.id}"}]
        state = say("sessions.ended" if each.ended_at else "sessions.open")
        rows.append({"talk": each.title or await _last_words(visit, each.id), "messages": each.messages,
                     "active": when(each.active_at), "state": {"state": state}, "actions": acts})  # fmt: skip
    return [blocks.text(say("sessions.intro")), blocks.table(("talk", "messages", "active", "state"), rows)]


async def _last_words(visit: Visit, id: str) -> str:
    """What a talk without a title is told from others by: what was said last."""
    for each in reversed(await visit.admin.history(id, 4)):
        if each.message.text:
            words = " ".join(each.message.text.split())
            return words if len(words) <= 60 else f"{words[:60]}…"
    return id


async def _one_session(visit: Visit, id: str) -> Sequence[Block]:
    session = await visit.admin.sessions.session(id)
    if session is None or session.person != visit.visitor.person:
        raise wrong("session")
    rows = []
    for each in await visit.admin.history(id, 200):
        files = [part.blob.name or say("chat.file_unnamed") for part in each.message.parts if isinstance(part, Media)]
        words = "\n".join(filter(None, (each.message.text, *files)))
        if words and each.message.role in ("user", "assistant"):
            who = say("chat.you" if each.message.role == "user" else "chat.gitu")
            rows.append({"who": who, "said": words, "where": await _where(visit, each.turn), "at": when(each.at)})
    goes_on = blocks.act("continue", say("sessions.continue"), {"id": id})
    return [blocks.table(("who", "said", "where", "at"), rows, session.title or id), goes_on]


async def _where(visit: Visit, turn: str) -> str:
    """The channel on which something was said: a talk can go on across several."""
    found = await visit.admin.turns.accepted(turn) if turn else None
    return found.entry.message.conversation.channel if found is not None else ""


async def continue_session(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Has a session go on in the chat."""
    return Done(say("sessions.continued"), to=f"/chat?say=/continue%20{values.get('id', '')}")


# ---- devices ---------------------------------------------------------------------------------------------------


async def devices(visit: Visit) -> Sequence[Block]:
    """What is signed in for the visitor."""
    guard, rows = visit.site.doors, []
    for each in await guard.devices.all(visit.visitor.person):
        this = each.id == visit.visitor.device
        acts = [blocks.button("unlink", say("devices.unlink"), {"id": each.id}, each.name, danger=True)]
        rows.append({"device": f"{each.name} ({say('devices.this')})" if this else each.name, "type": word(each.kind),
                     "may": ", ".join(map(word, each.scopes)), "seen": when(each.seen), "address": each.address,
                     "actions": acts})  # fmt: skip
    return [
        blocks.text(say("devices.intro")),
        blocks.table(("device", "type", "may", "seen", "address"), rows),
        blocks.text(say("devices.scan"), title=say("devices.new")),
        blocks.act("code", say("devices.code")),
    ]


async def act_on_devices(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Unlinks one, or makes a code for another."""
    guard, visitor = visit.site.doors, visit.visitor
    if action == "code":
        guard.made.take(visitor.person)
        code = await guard.codes.make(visitor.person, ("chat",), PAIRING, visitor.device)
        return Done(f"{code}: {say('devices.coded', code=code, server=guard.address(visit.request))}", "info")
    if action != "unlink" or not await guard.devices.unlink(str(values.get("id", "")), visitor.person):
        raise wrong("device")
    return Done(say("devices.unlinked"))


# ---- permissions -----------------------------------------------------------------------------------------------


async def permissions(visit: Visit) -> Sequence[Block]:
    """What the visitor allowed, and what waits for an answer."""
    person, admin = visit.visitor.person, visit.admin
    rows = []
    for each in await admin.grants.grants(person):
        acts = [blocks.button("revoke", say("permissions.revoke"), {"id": each.id}, str(each), danger=True)]
        rows.append({"what": str(each), "since": when(each.made_at), "actions": acts})
    asked = []
    for one in await admin.approvals(person):
        acts = [blocks.button("answer", say(f"chat.choice.{choice}") if f"chat.choice.{choice}" in ENGLISH else choice,
                              {"id": one.ask.id, "choice": choice})
                for choice in one.ask.choices if choice != "until"]  # fmt: skip
        asked.append({"question": one.ask.question, "about": one.ask.details, "until": when(one.expires_at),
                      "actions": acts})  # fmt: skip
    waits = blocks.table(("question", "about", "until"), asked, say("permissions.open"))
    return [blocks.table(("what", "since"), rows, say("permissions.grants")), waits]


async def act_on_permissions(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Takes a permission back, or answers a question, as in the chat."""
    visitor, id = visit.visitor, str(values.get("id", ""))
    person = visitor.person
    if action == "answer":
        choice = str(values.get("choice", ""))
        if all(each.ask.id != id or choice not in each.ask.choices for each in await visit.admin.approvals(person)):
            raise wrong("question")
        await take(visit.site, visitor, message_of(visitor, new_id(), (Answer(id, choice),), ""))
        return Done(say("permissions.answered"))
    if action != "revoke" or await visit.admin.grants.revoke_grant(id, person, person) is None:
        raise wrong("permission")
    return Done(say("permissions.revoked"))


# ---- usage -----------------------------------------------------------------------------------------------------


async def usage(visit: Visit) -> Sequence[Block]:
    """What was used and what may still be; for whoever runs everything, of everybody."""
    person = "" if visit.visitor.admin else visit.visitor.person
    rows = [{"budget": each["title"], "state": {"state": each["state"]}, "used": each["words"]["used"],
             "again": each["words"]["again"]} for each in await visit.admin.budgets(person)]  # fmt: skip
    used = await visit.admin.usage(time.time() - DAYS * 86_400, person)
    now = time.time()
    days = sorted({when(now - day * 86_400)[:10] for day in range(DAYS)} | {each["day"] for each in used})
    cost = [sum(each["cost"] for each in used if each["day"] == day) / NANO for day in days]
    models = sorted({each["model"] for each in used})
    tokens = [float(sum(each["tokens"] for each in used if each["model"] == model)) for model in models]
    return [
        blocks.table(("budget", "state", "used", "again"), rows, say("usage.budgets"), say("usage.none")),
        blocks.chart([day[5:] for day in days], {say("usage.usd"): cost}, say("usage.days"), say("usage.usd")),
        blocks.chart(models, {say("usage.token"): tokens}, say("usage.tokens"), say("usage.token")),
    ]


PAGES = (
    Page("sessions", sessions, continue_session),
    Page("devices", devices, act_on_devices),
    Page("permissions", permissions, act_on_permissions),
    Page("usage", usage),
)
