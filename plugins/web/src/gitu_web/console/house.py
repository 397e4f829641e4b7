"""The pages about what goes on in the installation, for devices that may look after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitu_core.contracts import Account, Block
from gitu_core.errors import InputError
from gitu_web.console import blocks
from gitu_web.console.mine import when
from gitu_web.console.page import Done, Page
from gitu_web.console.texts import say
from gitu_web.site import Visit

# ---- connections -----------------------------------------------------------------------------------------------


async def connections(visit: Visit) -> Sequence[Block]:
    """Channels and providers, and how they are."""
    told = await visit.admin.overview()
    channels = []
    for each in told["channels"]:
        detail = " ".join(filter(None, (each["detail"], each["hint"])))
        state = {"state": each["state"]}
        channels.append({"name": each["name"], "state": state, "access": each["access"], "detail": detail})
    providers = [{"name": each["name"], "state": {"state": "ready" if not each["missing"] else "unused"},
                  "detail": each["missing"]} for each in told["providers"]]  # fmt: skip
    providers += [
        {"name": each["name"], "state": {"state": "failed"}, "detail": each["why"]} for each in told["breakers"]
    ]
    return [
        blocks.text(say("connections.intro")),
        blocks.table({"name": "Channel", "state": "State", "access": "Who may talk", "detail": "About"}, channels,
                     say("connections.channels")),
        blocks.table({"name": "Provider", "state": "State", "detail": "About"}, providers,
                     say("connections.providers")),
        blocks.text(say("connections.working", **told["load"]), title=say("connections.load")),
    ]  # fmt: skip


# ---- people ----------------------------------------------------------------------------------------------------


async def people(visit: Visit) -> Sequence[Block]:
    """Users and their accounts."""
    found, after = [blocks.text(say("people.intro"))], ""
    while more := await visit.admin.people.people(after):
        for person in more:
            found += await _person(visit, person)
        after = more[-1].id
    return found


async def _person(visit: Visit, person: Any) -> list[Block]:
    rows = []
    for each in await visit.admin.people.accounts(person.id):
        values = {"channel": each.account.channel, "id": each.account.id, "person": person.id}
        sure = f"{each.account.id} ({each.account.channel})"
        acts = [blocks.button("unlink", say("people.unlink"), values, sure, danger=True)]
        trust = await visit.admin.vouched(each.account.channel, each.trust)
        rows.append({"channel": each.account.channel, "account": each.account.name or each.account.id,
                     "trust": "full" if trust else "talk", "used": when(each.last_used), "actions": acts})  # fmt: skip
    heads = {"channel": "Channel", "account": "Account", "trust": "Trust", "used": "Last used"}
    title = f"{person.name or person.id}" + ("" if person.enabled else " (off)")
    action = "disable" if person.enabled else "enable"
    switch = blocks.act(action, f"{say(f'people.{action}')}: {person.id}", {"id": person.id},
                        person.id if person.enabled else "")  # fmt: skip
    return [blocks.table(heads, rows, title), switch]


async def act_on_people(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Switches a user on or off, unlinks an account."""
    if action == "unlink":
        account = Account(str(values.get("channel", "")), str(values.get("id", "")))
        await visit.admin.people.unlink(account, str(values.get("person", "")), last=True)
    elif action in ("enable", "disable"):
        if action == "disable" and values.get("id") == visit.visitor.person:
            raise InputError("you cannot switch yourself off here", hint="use: gitu users disable USER")
        await visit.admin.people.change_person(str(values.get("id", "")), enabled=action == "enable")
    else:
        raise InputError("nothing is called so", hint="open the page again", status=404)
    return Done(say("people.done"))


# ---- audit -----------------------------------------------------------------------------------------------------


async def audit(visit: Visit) -> Sequence[Block]:
    """What was done, the newest first."""
    rows = [{"at": when(each.at), "person": each.person, "kind": each.kind, "subject": each.subject,
             "outcome": each.outcome} for each in reversed(await visit.admin.audit.audit(limit=200))]  # fmt: skip
    heads = {"at": "When (UTC)", "person": "For", "kind": "What", "subject": "Of", "outcome": "Outcome"}
    return [blocks.text(say("audit.intro")), blocks.act("verify", say("audit.whole")), blocks.table(heads, rows)]


async def act_on_audit(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Follows the chain."""
    report = await visit.admin.audit.audit_verify("")
    if report.problems:
        return Done(say("audit.bad", problems="; ".join(report.problems[:5])), "bad")
    return Done(say("audit.good", entries=report.entries))


# ---- feedback --------------------------------------------------------------------------------------------------


async def feedback(visit: Visit) -> Sequence[Block]:
    """What people said about answers."""
    rows = []
    for each in await visit.site.host.kv.list("feedback/"):
        good = say("feedback.good" if each.value.get("good") else "feedback.bad")
        rows.append({"person": each.person, "good": good, "comment": each.value.get("comment", ""),
                     "answer": each.value.get("key", "")})  # fmt: skip
    heads = {name: say(f"feedback.{name}") for name in ("person", "good", "comment", "answer")}
    return [blocks.text(say("feedback.intro")), blocks.table({**heads, "good": say("feedback.opinion")}, rows)]


PAGES = (
    Page("connections", connections, scope="admin"),
    Page("people", people, act_on_people, "admin"),
    Page("audit", audit, act_on_audit, "admin"),
    Page("feedback", feedback, scope="admin"),
)
