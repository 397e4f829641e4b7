"""The pages about what goes on in the installation, for devices that may look after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitu_core.contracts import Account, Block
from gitu_web.console import blocks
from gitu_web.console.mine import when
from gitu_web.console.page import Done, Page, wrong
from gitu_web.console.texts import say, word
from gitu_web.site import Visit

# ---- connections -----------------------------------------------------------------------------------------------


async def connections(visit: Visit) -> Sequence[Block]:
    """Channels and providers, and how they are."""
    told = await visit.admin.overview()
    channels = []
    for each in told["channels"]:
        outage = say("connections.outage", at=when(each["outage"])) if each["outage"] else ""
        detail = " ".join(filter(None, (each["detail"], each["hint"], outage)))
        state = {"state": each["state"]}
        channels.append({"channel": each["name"], "state": state, "since": when(each["since"]),
                         "access": word(each["access"]), "about": detail})  # fmt: skip
    providers = [{"provider": each["name"], "state": {"state": "ready" if not each["missing"] else "unused"},
                  "about": each["missing"]} for each in told["providers"]]  # fmt: skip
    providers += [
        {"provider": each["name"], "state": {"state": "failed"}, "about": each["why"]} for each in told["breakers"]
    ]
    return [
        blocks.text(say("connections.intro")),
        blocks.table(("channel", "state", "since", "access", "about"), channels, say("connections.channels")),
        blocks.table(("provider", "state", "about"), providers, say("connections.providers")),
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
                     "trust": word("full" if trust else "talk"), "seen": when(each.last_used),
                     "actions": acts})  # fmt: skip
    name = person.name or person.id
    title = name if person.enabled else say("people.off", person=name)
    action = "disable" if person.enabled else "enable"
    switch = blocks.act(action, f"{say(f'people.{action}')}: {person.id}", {"id": person.id},
                        person.id if person.enabled else "")  # fmt: skip
    return [blocks.table(("channel", "account", "trust", "seen"), rows, title), switch]


async def act_on_people(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Switches a user on or off, unlinks an account."""
    if action == "unlink":
        account = Account(str(values.get("channel", "")), str(values.get("id", "")))
        await visit.admin.people.unlink(account, str(values.get("person", "")), last=True, by=visit.by)
    elif action in ("enable", "disable"):
        if action == "disable" and values.get("id") == visit.visitor.person:
            raise wrong("self", 400)
        await visit.admin.people.change_person(str(values.get("id", "")), enabled=action == "enable", by=visit.by)
    else:
        raise wrong("action")
    return Done(say("people.done"))


# ---- audit -----------------------------------------------------------------------------------------------------


async def audit(visit: Visit) -> Sequence[Block]:
    """What was done, the newest first."""
    rows = [{"at": when(each.at), "person": each.person, "kind": each.kind, "subject": each.subject,
             "outcome": each.outcome} for each in reversed(await visit.admin.audit.audit(limit=200))]  # fmt: skip
    table = blocks.table(("at", "person", "kind", "subject", "outcome"), rows)
    return [blocks.text(say("audit.intro")), blocks.act("verify", say("audit.whole")), table]


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
        rows.append({"who": each.person, "opinion": good, "comment": each.value.get("comment", ""),
                     "answer": each.value.get("key", "")})  # fmt: skip
    return [blocks.text(say("feedback.intro")), blocks.table(("who", "opinion", "comment", "answer"), rows)]


PAGES = (
    Page("connections", connections, scope="admin"),
    Page("people", people, act_on_people, "admin"),
    Page("audit", audit, act_on_audit, "admin"),
    Page("feedback", feedback, scope="admin"),
)
