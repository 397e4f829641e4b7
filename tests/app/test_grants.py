"""What people allow beforehand: by a yes that holds for longer, by the operator; taken back, it counts no more."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import msgspec
import pytest

from gitu_core import Gitu, Profile
from gitu_core.contracts.authority import Grant
from gitu_core.errors import StoreError
from gitu_core.model import Account, Answer
from gitu_core.testing import FunctionModel, RecordingAdapter, call, export
from gitu_core.testing.replay.run import replay
from tests.app.around import SENT, mail, on, until, web

pytestmark = pytest.mark.anyio


def think(request):
    """Reads the web, then mails to whom it is told to, as often as it is told to."""
    last = request.messages[-1]
    if last.role == "user":
        return call("web") if last.text.startswith("read") else f"heard {last.text}"
    if "outside" in last.text:
        asked = next(each.text for each in reversed(request.messages) if each.role == "user")
        return [call("mail", to=to) for to in asked.split()[1:]]
    return f"done: {last.text}"


MODEL = FunctionModel(think)


async def ask(gitu, words="read bob", session="s"):
    return await gitu.send(words, user="ana", session=session)


async def answer(gitu, choice, session="s"):
    (asked,) = await gitu.approvals("ana")
    return await gitu.send([Answer(asked.id, choice)], user="ana", session=session)


@pytest.fixture
async def gitu(tmp_path):
    async with Gitu(model=MODEL, tools=[mail, web], home=tmp_path) as gitu:
        yield gitu


async def test_yes_counts_once(gitu):
    for sent in (["bob"], ["bob", "bob"]):
        assert (await ask(gitu)).status == "waiting"
        assert (await answer(gitu, "yes")).status == "ok"
        assert sent == SENT
    assert await gitu.house.store.grants("ana") == ()


async def test_always_counts_for_such_calls_everywhere_and_for_no_others(gitu):
    await ask(gitu)
    (asked,) = await gitu.approvals("ana")
    assert "a yes that holds for longer allows: mail (to: bob)" in asked.ask.details
    await answer(gitu, "always")
    assert SENT == ["bob"]
    assert (await ask(gitu, session="another")).status == "ok"
    assert SENT == ["bob", "bob"]
    assert (await ask(gitu, "read bobby", session="another")).status == "waiting"
    (grant,) = await gitu.house.store.grants("ana")
    assert (grant.tool, grant.when, grant.expires_at, grant.cause) == ("mail", {"to": ("bob",)}, None, asked.id)
    assert await gitu.house.store.grants("eve") == ()


async def test_session_counts_in_that_session(gitu):
    await ask(gitu)
    await answer(gitu, "session")
    assert (await ask(gitu)).status == "ok"
    assert (await ask(gitu, session="another")).status == "waiting"


async def test_until_a_day_ends_with_it(tmp_path, fake_clock):
    async with Gitu(model=MODEL, tools=[mail, web], home=tmp_path, clock=fake_clock) as gitu:
        await ask(gitu)
        tomorrow = datetime.fromtimestamp(fake_clock.now() + 86_400, UTC)
        reply = await answer(gitu, f"until {tomorrow:%Y-%m-%d}")
        assert reply.status == "ok"
        assert (await ask(gitu)).status == "ok"
        fake_clock.jump(2 * 86_400)
        assert (await ask(gitu)).status == "waiting"


async def test_what_is_taken_back_is_asked_again_also_in_a_turn_that_runs(gitu):
    store, first = gitu.house.store, anyio.Event()
    go = anyio.Event()

    async def slow(request):
        last = request.messages[-1]
        if last.role == "user":
            return call("web")
        if last.text == "words from outside":
            return call("mail", to="bob")
        if not first.is_set():
            first.set()
            await go.wait()
            return call("mail", to="bob")
        return "done"

    await store.add_grant(Grant("g", "ana", "mail", {"to": ("b*",)}), "operator")
    async with Gitu(model=FunctionModel(slow), tools=[mail, web], home=gitu.house.settings.folder) as other:
        async with anyio.create_task_group() as group:
            replies = []

            async def run():
                replies.append(await other.send("read bob", user="ana", session="x"))

            group.start_soon(run)
            await first.wait()
            assert SENT == ["bob"]
            # Another process takes it back: the same turn is asked from here on.
            assert (await store.revoke_grant("g", "ana", "ana")).id == "g"
            go.set()
        assert replies[0].status == "waiting"
    assert SENT == ["bob"]


async def test_a_grant_that_may_be_used_twice_is_used_twice_whoever_uses_it(gitu, tmp_path):
    await gitu.house.store.add_grant(Grant("g", "ana", "mail", uses=2), "operator")
    async with Gitu(model=MODEL, tools=[mail, web], home=tmp_path) as other:
        replies = []

        async def run(which, session):
            replies.append(await ask(which, session=session))

        async with anyio.create_task_group() as group:
            for n in range(6):
                group.start_soon(run, gitu if n % 2 else other, f"s{n}")
    assert SENT == ["bob", "bob"]
    assert sorted(each.status for each in replies) == ["ok"] * 2 + ["waiting"] * 4


async def test_a_turn_on_a_grant_goes_the_same_way_again(gitu):
    await gitu.house.store.add_grant(Grant("g", "ana", "mail", uses=1), "operator")
    reply = await ask(gitu)
    assert reply.status == "ok"
    (found,) = await replay(await export(gitu, reply.session))
    assert found.difference is None


async def test_everything_about_a_grant_is_in_the_audit(gitu):
    await ask(gitu)
    await answer(gitu, "always")
    await ask(gitu)
    (grant,) = await gitu.house.store.grants("ana")
    await gitu.house.store.revoke_grant(grant.id, by="operator")
    entries = await gitu.house.store.audit(person="ana")
    told = [(each.kind, each.outcome, each.facts.get("by"), each.facts.get("grant")) for each in entries]
    assert ("granted", "standing", "ana", grant.id) in told
    assert ("begun", "allow", None, grant.id) in told
    assert told[-1] == ("revoked", "standing", "operator", grant.id)
    assert "bob" not in str([each.facts for each in entries if each.kind in ("granted", "revoked")])
    assert (await gitu.house.store.audit_verify()).problems == ()


async def test_nobody_gives_or_takes_for_others(gitu):
    store = gitu.house.store
    await store.add_grant(Grant("g", "ana", "mail"), "operator")
    assert await store.revoke_grant("g", "eve", "eve") is None
    assert await store.revoke_grant("gone") is None
    assert len(await store.grants("ana")) == 1
    with pytest.raises(StoreError):
        await store.add_grant(Grant("g", "ana", "mail"), "operator")


async def test_a_person_sees_and_takes_back_what_they_allowed():
    adapter = RecordingAdapter()
    async with on(adapter, MODEL, tools=[mail, web]) as gitu:
        assert "need" in await adapter.talk("/grants")
        await adapter.talk("read bob")
        assert await adapter.talk("always") == "done: sent"
        await adapter.talk("read eve")
        await adapter.talk("for ever")
        assert await adapter.talk("", parts=(Answer(adapter.asks[-1].id, "until 2999-01-31"),)) == "done: sent"
        assert await adapter.talk("/grants") == "1. mail (to: bob)\n2. mail (to: eve), until 2999-02-01 00:00 UTC"
        assert await adapter.talk("/grants", group="team") == "That is for a private chat."
        for wrong in ("3", "0", "-1", "x", "9" * 400, "\u0663"):
            assert "no such number" in await adapter.talk(f"/revoke {wrong}")
        assert await adapter.talk("/revoke 1") == "I ask you again: mail (to: bob)"
        assert "May I use mail?" in await adapter.talk("read bob")
        await adapter.talk("no")
        assert await adapter.talk("/revoke all") == "I ask you again: mail (to: eve), until 2999-02-01 00:00 UTC"
        assert await adapter.talk("/revoke", user="mallory") == await adapter.talk("/grants")
        person = (await gitu.house.store.known(Account("test", "ana"))).person.id
        assert await gitu.house.store.grants(person) == ()
    assert SENT == ["bob", "eve"]


async def test_a_standing_yes_is_kept_with_the_answer_or_not_at_all(gitu, monkeypatch):
    store = gitu.house.store
    await ask(gitu)
    (asked,) = await gitu.approvals("ana")
    grant = msgspec.structs.replace(asked.grant, id="g", cause=asked.id)
    assert await store.answer(asked.id, "eve", "always", grant=grant) is None
    assert await store.answer(asked.id, "ana", "for ever", grant=grant) is None
    assert await store.grants() == ()
    assert await store.answer(asked.id, "ana", "always", grant=grant)
    assert await store.answer(asked.id, "ana", "always", grant=grant) is None
    assert await store.grants() == (grant,)


async def test_what_only_looks_is_not_granted_away():
    profiles = [Profile(mode="read-only")]
    async with Gitu(model=MODEL, tools=[mail, web], profiles=profiles) as gitu:
        await gitu.house.store.add_grant(Grant("g", "ana", "*"), "operator")
        assert [each.status for each in (await ask(gitu)).results] == ["ok", "denied"]
    assert SENT == []


async def test_a_grant_for_what_only_trusted_people_led_to_does_not_count_after_outside_content(gitu):
    await gitu.house.store.add_grant(Grant("g", "ana", "mail", outside=False), "operator")
    assert (await ask(gitu)).status == "waiting"
    await until(lambda: SENT == [])
