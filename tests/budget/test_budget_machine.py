"""Two processes, one database: whatever happens to calls, processes and clocks, envelopes hold and nothing stays set
aside."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from gitu_core.budget import Envelopes, Governor
from gitu_core.config import Envelope, zone_of
from gitu_core.contracts.budgets import Bill, Settled, Used
from gitu_core.contracts.ports import UsageEntry
from gitu_core.errors import LimitReached
from gitu_core.model import NANO, TurnInfo, Usage
from gitu_core.store import Store
from gitu_core.testing.clock import FakeClock

COST, TOKENS, EACH = 1_000, 5_000, 700
BUDGETS = {
    "all": Envelope(period="day", cost=COST / NANO, tokens=TOKENS, warn=(0.5, 0.9)),
    "each": Envelope(per=("user",), period="month", cost=EACH / NANO),
    "model": Envelope(models=("acme/*",), period="total", tokens=4 * TOKENS),
}
LIMITS = {"all": (COST, TOKENS), "each": (EACH, None), "model": (None, 4 * TOKENS)}

amounts = st.integers(0, 400)
people = st.sampled_from(["ana", "bob"])


class Process:
    """One worker on the database."""

    def __init__(self, home: Path, clock: FakeClock) -> None:
        self.store = Store(home=home, clock=clock)
        self.said: list[str] = []
        self.budget = Governor(
            lambda turn: None, Envelopes(BUDGETS, zone_of("Europe/Berlin")), self.store.post,
            lambda id, *what: self.said.append(id),
        )  # fmt: skip

    async def begin(self) -> None:
        await self.store.open()
        await self.store.join("test")
        await self.take_over()

    async def take_over(self) -> None:
        for other in await self.store.others():
            if other.gone:
                assert await self.store.take_over(other)

    async def die(self) -> None:
        """Everything but what is on disk is gone: nobody says that it leaves."""
        await self.store.engine.close()
        self.store._engine = None


class Machine(RuleBasedStateMachine):
    """What is expected is kept beside it: `spent` and `held` by envelope, as the rules alone would have it."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.processes = [Process(Path(self.folder.name), self.clock) for _ in range(2)]
        self.alive = [True, True]
        for each in self.processes:
            self.run(each.begin())
        self.open: dict[str, tuple[int, object, Bill]] = {}
        self.lost: dict[str, tuple[int, Bill]] = {}
        self.ended: list[Bill] = []
        self.spent: dict[str, list[int]] = {}
        self.number = 0

    def run(self, work):
        return self.loop.run_until_complete(work)

    def slots(self, bill):
        return self.processes[0].budget._envelopes.slots(bill)

    def count(self, bill: Bill, usage: Usage) -> None:
        for slot in self.slots(bill):
            known = self.spent.setdefault(slot.key, [0, 0])
            known[0] += usage.cost
            known[1] += usage.input_tokens + usage.output_tokens

    def aside(self, key: str) -> tuple[int, int]:
        bills = [bill for _, _, bill in self.open.values()] + [bill for _, bill in self.lost.values()]
        mine = [bill.worst for bill in bills if key in [slot.key for slot in self.slots(bill)]]
        return sum(each.cost for each in mine), sum(each.input_tokens + each.output_tokens for each in mine)

    def living(self, wanted: int) -> int:
        return wanted if self.alive[wanted] else 1 - wanted

    # ---- what happens ---------------------------------------------------------------------------

    def bill(self, person: str, cost: int, tokens: int) -> Bill:
        self.number += 1
        used = Used(person, "s", "", "", "acme/m", "platform")
        return Bill(f"c{self.number}", used, Usage(tokens, 0, cost=cost), self.clock.now(), "t")

    async def ask(self, number: int, bill: Bill):
        process = self.processes[number]
        ticket = await process.budget.reserve(TurnInfo("t", "s", "m", "user:u"), bill)
        standings = await process.store.set_aside(ticket.hold)
        try:
            process.budget.admit(ticket, standings)
        except LimitReached as error:
            return bill, number, error
        return bill, number, ticket

    def asked(self, *found) -> list[str]:
        """Takes in what became of calls that were asked for at the same moment."""
        begun = []
        for bill, number, ticket in found:
            if not isinstance(ticket, LimitReached):
                self.open[bill.id] = (number, ticket, bill)
                begun.append(bill.id)
        for bill, _, error in found:
            if isinstance(error, LimitReached):  # with what was begun it must really have been too much
                assert not all(self.fits(slot, bill) for slot in self.slots(bill)), error
                assert error.details["limit"] == "budget"
                assert error.hint
        return begun

    def fits(self, slot, bill) -> bool:
        spent, aside = self.spent.get(slot.key, [0, 0]), self.aside(slot.key)
        cost, tokens = LIMITS[slot.key.split('"')[1]]
        fits = cost is None or not bill.worst.cost or spent[0] + aside[0] + bill.worst.cost <= cost
        return fits and (tokens is None or spent[1] + aside[1] + bill.worst.input_tokens <= tokens)

    @precondition(lambda self: any(self.alive))
    @rule(target=calls, process=st.integers(0, 1), person=people, cost=amounts, tokens=amounts)
    def begin(self, process, person, cost, tokens):
        begun = self.asked(self.run(self.ask(self.living(process), self.bill(person, cost, tokens))))
        return begun[0] if begun else ""

    @precondition(lambda self: all(self.alive))
    @rule(person=people, costs=st.lists(amounts, min_size=2, max_size=6))
    def at_once(self, person, costs):
        """Both processes ask at the same moment, and all that was begun ends well."""
        bills = [self.bill(person, cost, 100) for cost in costs]

        async def all_of_them():
            return await asyncio.gather(*(self.ask(n % 2, bill) for n, bill in enumerate(bills)))

        for id in self.asked(*self.run(all_of_them())):
            self.finish(id, 1.0)

    @rule(id=consumes(calls), part=st.floats(0, 1))
    def finish(self, id, part):
        """It cost all or a part of the worst case; the rest is given back."""
        if id in self.open:
            number, ticket, bill = self.open.pop(id)
            worst = bill.worst
            usage = Usage(int(worst.input_tokens * part), 0, cost=int(worst.cost * part))
            process = self.processes[number]
            records = process.budget.settle(ticket, usage)
            assert [*process.budget.settle(ticket, usage)] == []
            process.budget.release(ticket)
            self.run(process.store.write(self.row(bill, usage), *records))
            self.count(bill, usage)
            self.ended.append(bill)

    @rule(id=consumes(calls))
    def fail(self, id):
        """Nothing was used, so that all of it is given back."""
        if id in self.open:
            number, ticket, _ = self.open.pop(id)
            process = self.processes[number]

            async def release():
                process.budget.release(ticket)
                process.budget.release(ticket)
                await process.store.write()

            self.run(release())

    @rule(process=st.integers(0, 1))
    def crash(self, process):
        if self.alive[process]:
            self.run(self.processes[process].die())
            self.alive[process] = False
            for id, (number, _, bill) in list(self.open.items()):
                if number == process:
                    self.lost[id] = (process, bill)
                    del self.open[id]

    @precondition(lambda self: any(self.alive))
    @rule()
    def take_over(self):
        """The other one pays what a dead one had set aside: nobody knows what it came to."""
        self.run(self.processes[self.living(0)].take_over())
        self.charged()

    @rule(process=st.integers(0, 1))
    def restart(self, process):
        if not self.alive[process]:
            self.processes[process] = Process(Path(self.folder.name), self.clock)
            self.run(self.processes[process].begin())
            self.alive[process] = True
            self.charged()

    def charged(self) -> None:
        for _, bill in self.lost.values():
            self.count(bill, bill.worst)
            self.ended.append(bill)
        self.lost.clear()

    @precondition(lambda self: any(self.alive))
    @rule(which=st.integers(0, 99))
    def told_again(self, which):
        """A turn that goes on says once more what its call came to, by its own estimate: it counted already."""
        if self.ended:  # what is drawn must not depend on who came first in `at_once`
            bill = self.ended[which % len(self.ended)]
            store = self.processes[self.living(0)].store
            self.run(store.write(self.row(bill, bill.worst), Settled(bill.id)))
            self.run(store.write(Settled(bill.id, bill.worst)))

    @precondition(lambda self: any(self.alive))
    @rule()
    def recount(self):
        """The counts are only a shortcut: the ledger has it all."""
        self.run(self.processes[self.living(1)].store.recount())

    @rule(seconds=st.sampled_from([60.0, 86_400.0, 31 * 86_400.0, -60.0, -90_000.0]))
    def time_passes(self, seconds):
        self.clock._now += seconds  # clocks are set back, too

    def row(self, bill: Bill, usage: Usage) -> UsageEntry:
        used = bill.used
        return UsageEntry(bill.id, used.person, "s", "t", used.model, used.owner, usage, bill.at)

    # ---- what holds -----------------------------------------------------------------------------

    @precondition(lambda self: any(self.alive))
    @invariant()
    def nothing_is_overshot_and_all_is_accounted_for(self):
        process = self.processes[self.living(0)]
        held = {key: (cost, tokens) for key, cost, tokens in self.run(process.store.held())}
        lines = self.run(process.budget._envelopes.report(process.store, self.clock.now()))
        assert set(held) == {key for key in self.keys() if any(self.is_held(key))}
        for key in self.keys():
            spent, aside = self.spent.get(key, [0, 0]), self.aside(key)
            assert held.get(key, (0, 0)) == aside
            counted = process.store._script_of("envelope_hold", 0, 0, process.store.tenant, key)
            assert [tuple(row) for row in self.run(process.store._script(counted))] in ([], [(*spent, *aside)])
            for used, more, limit in zip(spent, aside, LIMITS[key.split('"')[1]], strict=True):
                assert limit is None or used + more <= limit, key
        for line in lines:
            rule, whose = process.budget._envelopes.rules[line.budget], list(line.whose.values())
            key = rule.key(whose, "" if line.period == "total" else line.period)
            assert [line.cost, line.tokens] == self.spent.get(key, [0, 0])

    def keys(self) -> set[str]:
        bills = [bill for _, _, bill in self.open.values()] + [bill for _, bill in self.lost.values()]
        return set(self.spent) | {slot.key for bill in bills for slot in self.slots(bill)}

    def is_held(self, key: str) -> list[bool]:
        bills = [bill for _, _, bill in self.open.values()] + [bill for _, bill in self.lost.values()]
        return [key in [slot.key for slot in self.slots(bill)] for bill in bills]

    def teardown(self) -> None:
        """Everything ends, and every process comes back: nothing is set aside any more, and every warning was new."""
        for id in list(self.open):
            self.finish(id, 0.5)
        for number in range(2):
            self.restart(number)
        assert self.run(self.processes[0].store.held()) == []
        for each in self.processes:
            assert len(each.said) == len(set(each.said))
            self.run(each.store.close())
        self.loop.close()
        self.folder.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
