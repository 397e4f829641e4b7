"""Which envelopes a call draws on, when their periods begin, and what of the settings is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.budget import Envelopes, Governor, money, period_at
from gitu_core.config import Envelope, Settings, from_dict
from gitu_core.contracts.budgets import Bill, Settled, Standing, Used
from gitu_core.errors import ConfigError, LimitReached
from gitu_core.model import NANO, TurnInfo, Usage
from gitu_core.options import Options, configure

BERLIN = ZoneInfo("Europe/Berlin")
TURN = TurnInfo("t", "s", "m", "user:ana")


def used(person="ana", session="s", plugin="", job="", model="acme/big", owner="platform"):
    return Used(person, session, plugin, job, model, owner)


WORST = Usage(10, 20, cost=300)


def bill(worst=WORST, at=1_800_000_000.0, priced=True, **who):
    return Bill("b", used(**who), worst, at, "t", priced)


def keys(budgets, **who):
    return [slot.key for slot in Envelopes(budgets, UTC).slots(bill(**who))]


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


# ---- whose ----------------------------------------------------------------------------------------


def test_a_call_draws_on_every_envelope_that_counts_it_apart_for_each_of_what_it_is_split_by():
    budgets = {
        "all": Envelope(cost=1),
        "each": Envelope(per=("user", "model"), period="day", cost=1),
        "talk": Envelope(per=("session",), period="total", tokens=1),
        "shop": Envelope(plugins=("shop*",), cost=1),
        "jobs": Envelope(per=("job",), cost=1),
        "big": Envelope(models=("acme/*",), users=("a*", "bob"), cost=1),
    }
    month, day = "2027-01", "2027-01-15"
    assert keys(budgets) == [
        f'["all", "{month}"]', f'["each", "{day}", "ana", "acme/big"]', '["talk", "", "s"]', f'["big", "{month}"]'
    ]  # fmt: skip
    assert keys(budgets, person="", plugin="shop", job="shop/tick", model="other/m", session="x") == [
        f'["all", "{month}"]', '["talk", "", "x"]', f'["shop", "{month}"]', f'["jobs", "{month}", "shop/tick"]'
    ]  # fmt: skip


def test_the_keys_of_people_have_ledgers_of_their_own():
    budgets = {
        "ours": Envelope(cost=1),
        "theirs": Envelope(owners=("personal:*",), per=("owner",), cost=1),
        "both": Envelope(owners=(), cost=1),
    }
    assert keys(budgets) == ['["ours", "2027-01"]', '["both", "2027-01"]']
    assert keys(budgets, owner="personal") == ['["theirs", "2027-01", "personal:ana"]', '["both", "2027-01"]']


def test_names_of_any_kind_are_kept_apart():
    odd = ['"', "a/b", "ä", "", "]", "a, b", "\\"]
    found = [keys({"n": Envelope(per=("user", "session"), cost=1)}, person=a, session=b) for a in odd for b in odd]
    there = [each[0] for each in found if each]
    assert len(there) == len(set(there)) == (len(odd) - 1) ** 2


# ---- when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "now", "zone", "name", "since", "until"),
    [
        ("day", "2024-02-29T23:59:59", UTC, "2024-02-29", "2024-02-29", "2024-03-01"),
        ("month", "2024-02-29T23:59:59", UTC, "2024-02", "2024-02-01", "2024-03-01"),
        ("month", "2023-12-31T23:59:59", UTC, "2023-12", "2023-12-01", "2024-01-01"),
        ("month", "2026-01-31T12:00:00", UTC, "2026-01", "2026-01-01", "2026-02-01"),
        ("day", "2026-03-29T01:00:00", BERLIN, "2026-03-29", "2026-03-29", "2026-03-30"),  # of 23 hours
        ("day", "2026-10-25T12:00:00", BERLIN, "2026-10-25", "2026-10-25", "2026-10-26"),  # of 25 hours
        ("month", "2026-10-31T23:30:00", BERLIN, "2026-10", "2026-10-01", "2026-11-01"),
    ],
)
def test_days_and_months_begin_at_midnight_of_the_zone(kind, now, zone, name, since, until):
    assert period_at(kind, at(now, zone), zone) == (name, at(since, zone), at(until, zone))


def test_whose_day_it_is_depends_on_the_zone():
    late = at("2026-11-30T23:30:00")
    assert period_at("day", late, UTC).name == "2026-11-30"
    assert period_at("day", late, BERLIN).name == "2026-12-01"
    assert period_at("month", late, BERLIN).name == "2026-12"
    assert period_at("month", late, ZoneInfo("America/Lima")).name == "2026-11"


@given(st.floats(0, 4e9), st.sampled_from(["day", "month"]), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
def test_every_moment_is_in_one_period_and_the_next_follows_without_a_gap(now, kind, zone):
    zone = ZoneInfo(zone)
    period = period_at(kind, now, zone)
    assert period.since <= now < period.until
    assert period_at(kind, period.until, zone).since == period.until
    assert period_at(kind, period.since, zone) == period


def test_a_clock_that_jumps_finds_the_period_it_lands_in():
    envelopes = Envelopes({"d": Envelope(period="day", cost=1)}, UTC)
    (rule,) = envelopes.rules.values()
    now = at("2026-05-05T10:00:00")
    for jump in (0, 86_400, -86_400, 40 * 86_400, 0):
        there = datetime.fromtimestamp(now + jump, UTC)
        assert envelopes.period(rule, now + jump).name == there.date().isoformat()
    assert envelopes.when(envelopes.period(rule, now).until) == "2026-05-06 00:00 UTC"
    assert envelopes.when(period_at("total", now, UTC).until) == ""
    assert timedelta(seconds=period_at("day", now, UTC).until - period_at("day", now, UTC).since) == timedelta(1)


# ---- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"budgets": {"b": {"cost": -1.0}}}, "budgets.b.cost"),
        ({"budgets": {"b": {"cost": float("inf")}}}, "budgets.b.cost"),
        ({"budgets": {"b": {"cost": float("nan")}}}, "budgets.b.cost"),
        ({"budgets": {"b": {"tokens": -1}}}, "budgets.b.tokens"),
        ({"budgets": {"b": {}}}, "budgets.b.cost"),
        ({"budgets": {"b": {"cost": 1.0, "warn": [0.5, 80]}}}, "budgets.b.warn"),
        ({"budgets": {"b": {"cost": 1.0, "per": ["user", "user"]}}}, "budgets.b.per"),
        ({"budgets": {"b": {"cost": 1.0, "per": ["person"]}}}, "budgets[...].per[0]"),
        ({"budgets": {"b": {"cost": 1.0, "period": "week"}}}, "budgets[...].period"),
        ({"budgets": {"b": {"cost": 1.0, "on_exhausted": "ask"}}}, "budgets[...].on_exhausted"),
        ({"budgets": {"b": {"cost": "much"}}}, "budgets[...].cost"),
        ({"budgets": {"b": {"costs": 1.0}}}, "budgets.b.costs"),
        ({"budgets": {"b": 5}}, "budgets[...]"),
        ({"budgets": 5}, "budgets"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
    ],
)
def test_what_cannot_be_meant_names_its_field(raw, field):
    with pytest.raises(ConfigError) as failed:
        from_dict(raw)
    assert failed.value.details["field"] == field
    assert failed.value.hint


def test_a_misspelt_setting_suggests_the_right_one_and_settings_from_code_are_checked_too():
    with pytest.raises(ConfigError, match="on_exhausted"):
        from_dict({"budgets": {"b": {"cost": 1.0, "on_exhaustion": "stop"}}})
    given = dict.fromkeys(Options.__dataclass_fields__) | {"config": Settings(budgets={"b": Envelope()})}
    with pytest.raises(ConfigError, match=r"budgets\.b\.cost"):
        configure(Options(**given))


def test_limits_and_warnings_may_change_without_a_recount_and_what_is_counted_may_not():
    mark = Envelopes({"b": Envelope(cost=1)}, UTC).mark
    assert Envelopes({"b": Envelope(cost=2, tokens=3, warn=(), on_exhausted="cheaper")}, UTC).mark == mark
    others = [{"b": Envelope(cost=1, users=("a",))}, {"c": Envelope(cost=1)}, {"b": Envelope(cost=1, per=("user",))}]
    marks = [Envelopes(each, UTC).mark for each in others]
    assert len({mark, *marks, Envelopes({"b": Envelope(cost=1)}, BERLIN).mark, Envelopes({}, UTC).mark}) == 6


# ---- what is said ---------------------------------------------------------------------------------


def governor(**envelope):
    said: list[str] = []
    written: list[object] = []
    envelopes = Envelopes({"b": Envelope(**{"period": "day", **envelope})}, UTC)
    return (
        Governor(lambda turn: None, envelopes, written.append, lambda id, text, *where: said.append(text)),
        said,
        written,
    )


async def test_the_refusal_tells_which_how_much_until_when_and_what_to_do():
    budget, _, written = governor(per=("user",), cost=0.001, tokens=50)
    ticket = await budget.reserve(TURN, bill(Usage(10, 20, cost=700_000)))
    with pytest.raises(LimitReached) as failed:
        budget.admit(ticket, [Standing(300_000, 5, 100_000, 4)])
    text = failed.value.message
    for part in ("b (yours)", "$0.0003 of $0.001", "5 of 50 tokens", "$0.0001 and 4 tokens is set aside", "$0.0007"):
        assert part in text, text
    assert "2027-01-16 00:00 UTC" in failed.value.hint
    assert failed.value.details == {
        "limit": "budget", "budget": "b (yours)", "until": "2027-01-16 00:00 UTC", "left": 600_000, "then": "stop"
    }  # fmt: skip
    (noted,) = budget.settle(ticket, Usage(cost=5))
    assert (noted.kind, noted.subject, noted.outcome, noted.id) == ("budget", "b", "stop", "b.budget")
    assert noted.facts["reason"] == text
    budget.release(ticket)
    assert not budget.settle(ticket, Usage(cost=5))
    assert written == []


async def test_a_price_that_nobody_knows_is_refused_where_money_is_limited_and_nowhere_else():
    with pytest.raises(LimitReached, match="nobody knows"):
        await governor(cost=1)[0].reserve(TURN, bill(priced=False))
    assert (await governor(tokens=1)[0].reserve(TURN, bill(priced=False))).hold is not None
    assert (await governor(cost=1, models=("other/*",))[0].reserve(TURN, bill(priced=False))).hold is None


async def test_each_part_is_told_once_a_period_and_the_highest_that_was_passed_at_once():
    budget, said, _ = governor(cost=1000 / NANO, warn=(0.5, 0.8))
    warned = []

    async def call(spent, cost, at=1_800_000_000.0):
        ticket = await budget.reserve(TURN, bill(Usage(cost=cost), at))
        budget.admit(ticket, [Standing(spent)])
        settled, *noted = budget.settle(ticket, Usage(cost=cost))
        warned.extend((each.outcome, each.id, each.facts["reason"]) for each in noted)
        assert settled == Settled("b", Usage(cost=cost))

    await call(0, 499)
    assert said == []
    await call(499, 1)
    await call(500, 10)
    assert [text.partition(" ")[0] for text in said] == ["50%"]
    await call(510, 400)
    assert [text.partition(" ")[0] for text in said] == ["50%", "80%"]
    await call(0, 900, 1_800_000_000.0 + 86_400)
    assert [text.partition(" ")[0] for text in said] == ["50%", "80%", "80%"]
    assert [(outcome, reason) for outcome, _, reason in warned] == [("warning", text) for text in said]
    assert len({id for _, id, _ in warned}) == 3, "the audit keeps each of them"


async def test_cheaper_is_no_way_out_where_tokens_are_what_is_missing():
    budget, _, _ = governor(cost=1, tokens=10, on_exhausted="cheaper")
    ticket = await budget.reserve(TURN, bill())
    with pytest.raises(LimitReached) as failed:
        budget.admit(ticket, [Standing()])
    assert failed.value.details["then"] == "stop"


async def test_a_call_that_costs_nothing_is_borne_by_an_envelope_that_was_overshot():
    budget, _, _ = governor(cost=1000 / NANO)
    ticket = await budget.reserve(TURN, bill(Usage(10, 10)))
    budget.admit(ticket, [Standing(5000)])


def test_money_is_written_for_people():
    assert [money(each) for each in (0, 5, NANO, 12_345 * NANO, NANO // 4, 100_000)] == [
        "$0", "<$0.0001", "$1", "$12,345", "$0.25", "$0.0001"
    ]  # fmt: skip
