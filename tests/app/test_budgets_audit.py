"""What the audit keeps of budgets, and what others are told of them."""

from __future__ import annotations

import pytest

from gitu_core import Gitu
from gitu_core.config import Envelope
from gitu_core.errors import LimitReached, StoreError
from gitu_core.model.steps import ModelFailed
from gitu_core.testing import RecordingAdapter
from tests.app.around import on
from tests.app.test_budgets import Offers, Shop, model, settings, spend

pytestmark = pytest.mark.anyio


async def kept(gitu, **which):
    """What the audit keeps of budgets."""
    entries = await gitu.house.store.audit(**which)
    return [(each.kind, each.subject, each.outcome, each.person) for each in entries]


async def test_the_audit_keeps_a_warning_once_and_every_stop_with_its_step(home):
    budgets = {"daily": Envelope(per=("user",), period="day", cost=0.0004, warn=(0.05,))}
    turns = []
    for _ in range(2):
        async with Gitu(model=model(), config=settings(home, **budgets)) as gitu:
            found = []
            while not found or not isinstance(found[-1], LimitReached):
                found.append(await spend(gitu))
            store = gitu.house.store
            (stop,) = [each for each in await store.audit() if each.outcome == "stop" and each.turn not in turns]
            turns.append(stop.turn)
            steps = await store.steps(stop.turn)
            number = int(stop.id.partition("_")[2].partition(".")[0])
            assert (type(steps[number].step), steps[number].step.error.details["budget"]) == (
                ModelFailed, "daily (yours)"
            )  # fmt: skip
            assert "cannot bear the next call" in stop.facts["reason"]
    budgets["daily"] = Envelope(per=("user",), period="day", cost=0.0009, warn=(0.05,))
    async with Gitu(model=model(), config=settings(home, **budgets)) as gitu:
        assert isinstance(await spend(gitu), int), "it warns again, and that is known"
        found = await kept(gitu)
        assert found == [("budget", "daily", each, "ana") for each in ("warning", "stop", "stop")]
        (warning,) = [each for each in await gitu.house.store.audit() if each.outcome == "warning"]
        assert [each.id for each in await gitu.house.store.audit(id=warning.id)] == [warning.id]
        assert "5% of the budget daily (yours) is used" in warning.facts["reason"]
        assert await gitu.house.store.steps(warning.turn), "it leads to the turn in which that was"
        assert (await gitu.house.store.audit_verify()).problems == ()


async def test_the_audit_keeps_that_a_cheaper_model_was_asked(home):
    shop = Shop(dear=1000.0, cheap=10.0)
    budget = Envelope(period="day", cost=0.0001, on_exhausted="cheaper")
    async with Gitu(model="shop/dear", plugins=[Offers(shop)], config=settings(home, day=budget)) as gitu:
        reply = await gitu.send("hi", user="ana")
        assert reply.text == "I am cheap"
        assert await kept(gitu, turn=reply.turn) == [("budget", "day", "cheaper", "ana")]
        (entry,) = await gitu.house.store.audit()
        assert (entry.facts["model"], entry.facts["owner"]) == ("shop/dear", "platform")


async def test_a_step_that_does_not_get_to_the_disk_leaves_nothing_in_the_audit(home, monkeypatch):
    budget = settings(home, daily=Envelope(per=("user",), period="day", cost=0.0001))
    async with Gitu(model=model(), config=budget) as gitu:
        with monkeypatch.context() as patch:
            patch.setattr("gitu_core.gateway.worker.TRY_FOR", 0.3)
            patch.setattr(gitu.house.store, "set_aside", Broken())
            with pytest.raises(StoreError):
                await gitu.send("hi", user="ana")
        assert await kept(gitu) == []
        assert isinstance(await spend(gitu), LimitReached)
        assert await kept(gitu) == [("budget", "daily", "stop", "ana")]


class Broken:
    """A disk that is full."""

    async def __call__(self, *args, **options):
        raise StoreError("the disk is full", hint="make room")


async def test_what_somebody_may_still_use_is_not_told_in_a_group(home):
    adapter = RecordingAdapter()
    async with on(adapter, model(), config=settings(home, daily=Envelope(per=("user",), period="day", cost=1))):
        assert "private chat" in await adapter.talk("/budget", group="room")
