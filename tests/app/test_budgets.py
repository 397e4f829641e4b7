"""Budgets in whole turns: what is refused, who is told, what is asked instead, what is left after a crash."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from gitu_core import Gitu, tool
from gitu_core.config import Envelope, Limits, Profile, Settings
from gitu_core.errors import LimitReached, NotReady
from gitu_core.model import Finish, ModelInfo, RouteTask, Usage
from gitu_core.routing.cooldown import TRIP
from gitu_core.store import sqlite
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call
from tests.app.around import on, until

pytestmark = pytest.mark.anyio

ALL = frozenset({"text", "tools", "stream", "structured", "images"})
LIMITS = Limits(output_tokens=100, context_tokens=0)
TOOLS = "poll", "look", "begin"
PROFILE = {"default": Profile(instructions="", tools=TOOLS, limits=LIMITS)}


NO_OTHER = {"offline": {"enabled": False}}


def info(id="m", price=1000.0):
    """A model at so many nano-dollars a token; asking it costs at most about 0.0002 dollars at 1000."""
    return ModelInfo(id, 100_000, 1000, price, price, price, capabilities=ALL, latency=0.0)


def model(answer=lambda request: "word " * 20, **options):
    return FunctionModel(answer, info=info(**options))


def settings(home, **budgets):
    return Settings(home=str(home), budgets=budgets, profiles=PROFILE, plugins=NO_OTHER)


async def spend(gitu, user="ana"):
    """One turn; what it cost, or the error."""
    try:
        return (await gitu.send("hi", user=user)).usage.cost
    except LimitReached as error:
        return error


# ---- stop -----------------------------------------------------------------------------------------


async def test_an_envelope_is_never_overshot_and_is_still_full_after_a_restart(home):
    budget = settings(home, daily=Envelope(per=("user",), period="day", cost=0.0005))
    async with Gitu(model=model(), config=budget) as gitu:
        found = [await spend(gitu) for _ in range(25)]
        spent = sum(each for each in found if isinstance(each, int))
        assert 0 < spent <= 500_000
        assert isinstance(found[-1], LimitReached)
        assert "daily (yours)" in found[-1].message
        assert found[-1].details["limit"] == "budget"
        assert isinstance(await spend(gitu, "bob"), int)
        (ana, bob) = await gitu.house.budgets()
        assert (ana.cost, ana.whose, ana.held_cost) == (spent, {"user": "ana"}, 0)
        assert (await gitu.house.store.usage("ana")).cost == spent
        assert [each.whose for each in await gitu.house.budgets("bob")] == [bob.whose]
    async with Gitu(model=model(), config=budget) as gitu:
        assert isinstance(await spend(gitu), LimitReached)
    async with Gitu(model=model(), config=settings(home, daily=Envelope(period="day", cost=0.0001))) as gitu:
        assert isinstance(await spend(gitu, "cid"), LimitReached)  # another budget counts what was spent before it


async def test_turns_at_once_share_an_envelope(home):
    async with Gitu(model=model(), config=settings(home, all=Envelope(cost=0.001))) as gitu:
        found = []

        async def one(user):
            found.append(await spend(gitu, user))

        async with anyio.create_task_group() as group:
            for n in range(20):
                group.start_soon(one, f"u{n}")
        assert sum(each for each in found if isinstance(each, int)) <= 1_000_000
        assert {type(each) for each in found} == {int, LimitReached}
        assert await gitu.house.store.held() == []


async def test_a_call_that_fails_gives_back_what_it_did_not_use(home):
    replies = [NotReady("down", retry_after=0.0), "fine"]
    script = ScriptedModel(*replies, info=info())
    async with Gitu(model=script, config=settings(home, all=Envelope(cost=0.001))) as gitu:
        with pytest.raises(NotReady):
            await gitu.send("hi")
        assert await gitu.house.store.held() == []
        assert (await gitu.house.store.usage()).cost == 0
        await gitu.send("hi")
        assert await gitu.house.store.held() == []


async def test_a_turn_that_is_stopped_pays_for_what_it_heard_and_keeps_nothing(home):
    started = anyio.Event()

    async def slow(request):
        started.set()
        await anyio.sleep(30)
        return "never"

    async with Gitu(model=model(slow), config=settings(home, all=Envelope(cost=0.001))) as gitu:
        async with anyio.create_task_group() as group:
            group.start_soon(spend, gitu)
            await started.wait()
            assert [cost for _, cost, _ in await gitu.house.store.held()] != [0]
            gitu.stop((await gitu.sessions())[0].id)
        await gitu.house.store.write()
        assert await gitu.house.store.held() == []


async def test_a_provider_that_takes_more_than_it_may_overshoots_by_that_call_alone(home):
    def greedy(request):
        return ["words", Finish(usage=Usage(10, 5000))]

    async with Gitu(model=model(greedy), config=settings(home, all=Envelope(cost=0.001))) as gitu:
        assert await spend(gitu) == 5_010_000
        assert isinstance(await spend(gitu), LimitReached)


async def test_a_persons_own_key_is_a_ledger_of_its_own(home):
    async with Gitu(model=model(), config=settings(home, ours=Envelope(cost=0.001))) as gitu:
        house = gitu.house
        plan = house.models.plan

        async def personal(*args, **more):
            from msgspec.structs import replace

            return [replace(each, owner="personal", credential="personal:ana:K") for each in await plan(*args, **more)]

        house.models.plan = personal
        assert [type(await spend(gitu)) for _ in range(10)] == [int] * 10
        (line,) = await house.budgets()
        assert line.cost == 0


async def test_envelopes_cost_no_commit_of_their_own(home, monkeypatch):
    """The intent to ask and what is set aside go to the disk together, and so do the end and what is given back."""
    commits = []
    commit = sqlite.commit

    def counted(jobs, *more):
        commits.append(len(jobs))
        return commit(jobs, *more)

    monkeypatch.setattr(sqlite, "commit", counted)
    counts = []
    for budgets in ({}, {"a": Envelope(cost=9), "b": Envelope(per=("user",), cost=9), "c": Envelope(tokens=10**9)}):
        async with Gitu(model=model(), config=settings(home / f"{len(budgets)}", **budgets)) as gitu:
            for _ in range(3):
                await gitu.send("hi", user="ana")
            commits.clear()
            for _ in range(5):
                await gitu.send("hi", user="ana")
            counts.append(len(commits))
    assert counts[0] == counts[1] == 10


KILLED = """
import os, sys, anyio
from tests.app.test_budgets import Envelope, Gitu, model, settings

def die(request):
    os._exit(9)

async def main():
    async with Gitu(model=model(die), config=settings(sys.argv[1], all=Envelope(cost=0.001))) as gitu:
        await gitu.send("hi", user="ana", key="k")

anyio.run(main)
"""


async def test_a_process_that_dies_while_a_model_is_asked_pays_for_that_call_once(home):
    child = [sys.executable, "-c", KILLED, str(home)]
    ended = await anyio.run_process(child, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 9, ended.stderr
    async with Gitu(model=model(), config=settings(home, all=Envelope(cost=0.001))) as gitu:
        store = gitu.house.store
        assert await store.held() == []
        lost = (await store.usage("ana")).cost
        assert lost > 100_000
        reply = await gitu.send("hi", user="ana", key="k")  # the same turn goes on
        assert reply.status == "ok"
        assert (await store.usage("ana")).cost == reply.usage.cost
        assert lost < reply.usage.cost < lost + 50_000
        (line,) = await gitu.house.budgets()
        assert line.cost == reply.usage.cost
        standing = await store._script(
            store._script_of("envelope_hold", 0, 0, store.tenant, f'["all", "{line.period}"]')
        )
        assert tuple(standing[0]) == (line.cost, line.tokens, 0, 0)


# ---- cheaper --------------------------------------------------------------------------------------


class Shop:
    """A provider with a dear and a cheap model."""

    name = "shop"

    def __init__(self, **prices):
        self.models = {
            id: model(lambda request, id=id: f"I am {id}", id=id, price=price) for id, price in prices.items()
        }

    async def catalogue(self):
        return [each._info for each in self.models.values()]

    def stream(self, request):
        return self.models[request.model].stream(request)


class Offers:
    def __init__(self, *providers):
        self._providers = providers

    def gitu_model_providers(self):
        return list(self._providers)


async def test_a_cheaper_model_is_asked_where_the_envelope_says_so(home):
    shop = Shop(dear=1000.0, mid=500.0, cheap=10.0)
    budget = Envelope(period="day", cost=0.0001, on_exhausted="cheaper")
    async with Gitu(model="shop/dear", plugins=[Offers(shop)], config=settings(home, day=budget)) as gitu:
        reply = await gitu.send("hi")
        assert reply.text == "I am cheap"
        assert [each.details["limit"] for each in reply.failures] == ["budget"]
        said = [(await gitu.send("hi")).text for _ in range(12)]
        assert set(said) == {"I am cheap"}
        assert not shop.models["dear"].requests
        assert (await gitu.house.store.usage()).cost <= 100_000
        assert await gitu.house.store.held() == []


async def test_where_nothing_cheaper_fits_the_turn_stops_and_so_it_does_where_no_other_may_be_asked(home):
    shop = Shop(dear=1000.0, mid=500.0)
    budget = Envelope(period="day", cost=0.00001, on_exhausted="cheaper")
    async with Gitu(model="shop/dear", plugins=[Offers(shop)], config=settings(home, day=budget)) as gitu:
        assert isinstance(await spend(gitu), LimitReached)
    shop, exact = Shop(dear=1000.0, cheap=1.0), Profile(instructions="", tools=(), limits=LIMITS, exact=True)
    given = Settings(home=str(home), budgets={"day": budget}, profiles={"default": exact}, plugins=NO_OTHER)
    async with Gitu(model="shop/dear", plugins=[Offers(shop)], config=given) as gitu:
        assert isinstance(await spend(gitu), LimitReached)
        assert not shop.models["cheap"].requests


# ---- who is told ----------------------------------------------------------------------------------


def told(adapter, word):
    return [each.text for each in adapter.sent if word in each.text]


async def test_people_are_told_on_their_channel_once_a_period_also_across_restarts(home):
    adapter = RecordingAdapter()
    budget = settings(home, daily=Envelope(per=("user",), period="day", cost=0.001, warn=(0.05, 0.1)))
    for _ in range(2):
        async with on(adapter, model(), config=budget):
            for _ in range(4):
                await adapter.talk("hi")
            await until(lambda: told(adapter, "of the budget"))
    assert len(told(adapter, "5% of the budget daily (yours)")) == 1
    assert len(told(adapter, "10% of the budget daily (yours)")) == 1
    assert all("begins anew on" in each for each in told(adapter, "of the budget"))


async def test_a_refused_turn_says_which_budget_and_the_command_shows_ones_own(home):
    adapter = RecordingAdapter()
    budgets = {"daily": Envelope(per=("user",), period="day", cost=0.0001), "all": Envelope(cost=5)}
    async with on(adapter, model(), config=settings(home, **budgets)):
        assert "the budget daily (yours) cannot bear the next call" in await adapter.talk("hi")
        assert "$0 of $0.0001 used" in await adapter.talk("/budget")
        assert await adapter.talk("/budget", user="bob") == "No budget of yours is set, or none was used yet."
        assert "/budget" in await adapter.talk("/help")
    budgets["daily"] = Envelope(per=("user",), period="day", cost=1)
    async with on(adapter, model(), config=settings(home, **budgets)):
        await adapter.talk("hi")
        await adapter.talk("hi", user="bob")
        shown = await adapter.talk("/budget")
        assert shown.startswith("daily, ")
        assert "of $1 used; it begins anew on" in shown
        assert "bob" not in shown
        assert "all" not in shown


class Asks:
    """A plugin that asks a model whenever its timer rings, and tells nobody."""

    def __init__(self, again=False):
        self.again, self.rung, self.failed = again, 0, []

    def gitu_tools(self, host):
        self.host = host

        @tool
        async def begin() -> str:
            """Sets a timer."""
            await host.schedule.at(0.0, "tick", {})
            return "set"

        return [begin]

    async def gitu_timer(self, key, data):
        self.rung += 1
        try:
            if self.again:
                await self.host.schedule.at(0.0, key, data)
            await self.host.model.complete("think")
        except LimitReached as error:
            self.failed.append(error)
            raise


def plans(request):
    """Calls the tool once, then answers."""
    said = [message.role for message in request.messages]
    return call("begin") if "think" not in request.messages[-1].text and "tool" not in said else "word " * 20


async def test_silent_work_of_a_plugin_counts_for_its_person_plugin_and_job_and_its_person_is_told(home):
    adapter, asks = RecordingAdapter(), Asks()
    budgets = {
        "job": Envelope(per=("job",), cost=0.0002), "plugin": Envelope(per=("plugin",), cost=1),
        "user": Envelope(per=("user",), cost=1),
    }  # fmt: skip
    async with on(adapter, model(plans), asks, config=settings(home, **budgets)) as gitu:
        for _ in range(12):
            rung = asks.rung
            await adapter.talk("go")
            await until(lambda rung=rung: asks.rung > rung)
            if asks.failed:
                break
        plugin = next(each.id for each in gitu.house.registry.plugins() if each.id.startswith("local-plugin-1"))
        await until(lambda: asks.failed)
        assert asks.failed[0].details["budget"] == f"job (job {plugin}/tick)"
        await until(lambda: told(adapter, "is used up"))
        lines = {each.budget: each for each in await gitu.house.budgets()}
        assert lines["job"].whose == {"job": f"{plugin}/tick"}
        assert lines["plugin"].whose == {"plugin": plugin}
        assert lines["plugin"].cost == lines["job"].cost <= 200_000
        assert lines["user"].cost > lines["job"].cost


# ---- breakers ----


async def test_a_provider_that_is_left_alone_shows_in_the_status(home):
    async with Gitu(model=model(), config=settings(home)) as gitu:
        house = gitu.house
        assert not [line for line in await house.status() if "breaker" in line]
        (candidate, *_) = await house.models.plan(RouteTask(), ())
        for _ in range(TRIP):
            house.models.report(candidate, NotReady("down"))
        assert "provider function: breaker open (not_ready)" in await house.status()


async def test_what_a_plugin_asked_is_given_back_when_its_call_is_cut_off(home):
    asks, started = Asks(), anyio.Event()

    async def slow(request):
        started.set()
        await anyio.sleep(30)

    async with Gitu(model=model(slow), plugins=[asks], config=settings(home, all=Envelope(cost=0.001))) as gitu:
        await gitu.house.registry.get("tool", "begin")
        async with anyio.create_task_group() as group:
            group.start_soon(asks.host.model.complete, "think")
            await started.wait()
            assert await gitu.house.store.held() != []
            group.cancel_scope.cancel()
        assert await gitu.house.store.held() == []
        assert await gitu.house.store.check() == []


# ---- loops ----------------------------------------------------------------------------------------


@tool
def poll(n: int = 0) -> str:
    """Says the same."""
    return "nothing new"


async def test_the_same_call_with_the_same_result_again_and_again_ends_the_turn(home):
    looping = model(lambda request: call("poll"))
    async with Gitu(model=looping, tools=[poll], config=settings(home)) as gitu:
        with pytest.raises(LimitReached, match="poll gave the same result 5 times") as failed:
            await gitu.send("hi")
    assert (failed.value.details["limit"], failed.value.details["tool"]) == ("loop", "poll")
    assert len(looping.requests) == 5


async def test_other_arguments_or_other_results_are_no_loop(home):
    found = iter(range(100))

    @tool
    def look() -> int:
        """Gives something else each time."""
        return next(found)

    for name, arguments in (("poll", lambda n: {"n": n}), ("look", lambda n: {})):
        said = [call(name, **arguments(n)) for n in range(9)]
        async with Gitu(
            model=ScriptedModel(*said, "done", info=info()), tools=[poll, look], config=settings(home)
        ) as gitu:
            assert (await gitu.send("hi")).text == "done"


async def test_timers_that_set_each_other_without_end_are_stopped_and_their_person_is_told(home, monkeypatch):
    monkeypatch.setattr("gitu_core.facets.LONGEST_CHAIN", 3)
    monkeypatch.setattr("gitu_core.timers.timers.LOOK", 0.05)
    adapter, asks = RecordingAdapter(), Asks(again=True)
    async with on(adapter, model(plans), asks, config=settings(home)):
        await adapter.talk("go")
        await until(lambda: asks.failed)
        assert asks.failed[0].details["limit"] == "loop"
        assert asks.failed[0].hint
        await until(lambda: told(adapter, "I stopped a loop"))
        assert asks.rung == 3


# ---- ports ----------------------------------------------------------------------------------------


async def test_any_call_can_be_set_aside_without_a_turn(home):
    """As a call of a tool or of speech that costs something does it."""
    from gitu_core.contracts.budgets import Bill, Used
    from gitu_core.contracts.ports import UsageEntry
    from gitu_core.model import TurnInfo

    async with Gitu(model=model(), config=settings(home, speech=Envelope(models=("voice/*",), cost=0.001))) as gitu:
        store, budget = gitu.house.store, gitu.house.budget
        bill = Bill("x", Used("ana", "s", "voice", "", "voice/say", "platform"), Usage(cost=700_000), 5.0, "t")
        ticket = await budget.reserve(TurnInfo("t", "s", "m", "user:ana"), bill)
        budget.admit(ticket, await store.set_aside(ticket.hold))
        assert [cost for _, cost, _ in await store.held()] == [700_000]
        second = await budget.reserve(TurnInfo("t", "s", "m", "user:ana"), Bill("y", *list(_fields(bill))[1:]))
        with pytest.raises(LimitReached, match="speech"):
            budget.admit(second, await store.set_aside(second.hold))
        usage = Usage(cost=600_000)
        entry = UsageEntry("x", "ana", "s", "t", "voice/say", "platform", usage, 5.0, "voice")
        await store.write(entry, *budget.settle(ticket, usage))
        assert await store.held() == []


def _fields(value):
    return (getattr(value, name) for name in value.__struct_fields__ if name != "extra")
