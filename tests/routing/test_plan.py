"""Which models are tried, in what order, with whose key."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core.config import Settings
from gitu_core.errors import AuthFailed, ContextOverflow, NoModel, NotReady, RateLimited, Rejected
from gitu_core.model import Candidate, ModelInfo, RouteTask, Usage
from gitu_core.model.prices import cost_of, worst_cost
from gitu_core.routing.ranking import rank
from tests.routing.conftest import House, Provider, info

pytestmark = pytest.mark.anyio
CHAT = RouteTask(input_tokens=100, output_tokens=50, needs=frozenset({"text"}))


def names(candidates: Sequence[Candidate]) -> list[str]:
    """The models of a plan."""
    return [candidate.model for candidate in candidates]


async def test_the_usable_provider_of_lowest_priority_leads_and_the_last_resort_ends(house: House) -> None:
    house.plugins.add(Provider("rest", [info("r")]), 1000)
    house.plugins.add(Provider("second", [info("s")]), 50)
    house.plugins.add(Provider("first", [info("default"), info("better", quality=0.9)]), 10, "FIRST_KEY")
    assert names(await house.models.plan(CHAT, ())) == ["second/s", "rest/r"]
    assert "first" not in house.plugins.activated
    house.secrets.add("platform:FIRST_KEY")
    plan = await house.models.plan(CHAT, ())
    assert names(plan) == ["first/default", "first/better", "second/s", "rest/r"]
    assert (plan[0].credential, plan[0].owner) == ("platform:FIRST_KEY", "platform")
    assert [each.last_resort for each in plan] == [False, False, False, True]
    assert [each.last_resort for each in await house.models.plan(CHAT, ("rest/r",))] == [False]


async def test_each_provider_is_usable_or_says_why_not_without_being_activated(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a")]), 10, "ACME_KEY")
    house.plugins.add(Provider("rest", [info("r")]), 1000)
    assert house.models.providers() == [("acme", "needs the secret ACME_KEY"), ("rest", "")]
    house.secrets.add("platform:ACME_KEY")
    assert house.models.providers() == [("acme", ""), ("rest", "")]
    assert house.plugins.activated == []
    (candidate, *_) = await house.models.plan(CHAT, ())
    house.models.report(candidate, AuthFailed("refused"))
    assert dict(house.models.providers())["acme"] == "refused its key"


async def test_a_persons_own_key_comes_before_the_platforms(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a")]), 10, "ACME_KEY")
    house.secrets |= {"platform:ACME_KEY", "personal:ana:ACME_KEY"}
    (mine,) = await house.models.plan(CHAT, (), "ana")
    (theirs,) = await house.models.plan(CHAT, (), "bob")
    assert (mine.credential, mine.owner) == ("personal:ana:ACME_KEY", "personal")
    assert (theirs.credential, theirs.owner) == ("platform:ACME_KEY", "platform")


async def test_a_model_that_no_catalogue_lists_is_honoured_at_an_unknown_price(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a")]))
    (only,) = await house.models.plan(CHAT, ("acme/brand/new:1",))
    assert (only.model, only.estimate, only.info.id) == ("acme/brand/new:1", None, "brand/new:1")


async def test_what_is_wanted_is_followed_by_its_fallbacks_and_the_last_resort_unless_exact(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a"), info("b")]))
    house.plugins.add(Provider("rest", [info("r")]), 1000)
    house.configure(Settings(fallbacks={"acme/b": ("acme/a",)}))
    assert names(await house.models.plan(CHAT, ("acme/b",))) == ["acme/b", "acme/a", "rest/r"]
    assert names(await house.models.plan(CHAT, ("acme/b",), exact=True)) == ["acme/b"]


async def test_the_settings_own_model_counts_where_nothing_else_is_wanted(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a"), info("b")]))
    house.configure(Settings(model="acme/b"))
    assert names(await house.models.plan(CHAT, ())) == ["acme/b"]


async def test_optional_keys_serve_the_models_whose_prefix_they_begin_with(house: House) -> None:
    models = [info("north/a"), info("south_sea/b"), info("west/c")]
    house.plugins.add(Provider("many", models), 50, "NORTH_API_KEY", "SOUTHSEA_API_KEY", optional=True)
    with pytest.raises(NoModel, match="NORTH_API_KEY"):
        await house.models.plan(CHAT, ())
    house.secrets.add("platform:SOUTHSEA_API_KEY")
    (only,) = await house.models.plan(CHAT, ())
    assert (only.model, only.credential) == ("many/south_sea/b", "platform:SOUTHSEA_API_KEY")


@pytest.mark.parametrize(("prefer", "first"), [("quality", "good"), ("cost", "cheap"), ("latency", "fast")])
async def test_preferences_rank_across_providers(house: House, prefer: str, first: str) -> None:
    house.plugins.add(Provider("one", [info("plain", latency=2.0), info("good", quality=0.95, latency=2.0)]), 10)
    cheap = info("cheap", input_price=10, output_price=10, latency=2.0, quality=0.3)
    house.plugins.add(Provider("two", [cheap, info("fast", latency=0.1)]), 20)
    plan = await house.models.plan(msgspec.structs.replace(CHAT, prefer=prefer), ())
    assert plan[0].info.id == first


async def test_needs_price_and_window_leave_models_out(house: House) -> None:
    house.plugins.add(
        Provider(
            "acme", [info("blind", capabilities=frozenset({"text"})), info("dear", output_price=10**9), info("fine")]
        )
    )
    task = RouteTask(input_tokens=100, output_tokens=50, needs=frozenset({"images"}), max_cost=10**6)
    assert names(await house.models.plan(task, ())) == ["acme/fine"]


async def test_an_input_that_fits_no_window_overflows_even_with_a_last_resort(house: House) -> None:
    house.plugins.add(Provider("acme", [info("small", window=1000)]))
    house.plugins.add(Provider("rest", [info("r", window=10**6)]), 1000)
    with pytest.raises(ContextOverflow, match="acme/small"):
        await house.models.plan(RouteTask(input_tokens=5000), ())


async def test_nothing_to_ask_says_what_is_missing(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a")]), 10, "ACME_KEY")
    with pytest.raises(NoModel, match="acme needs the secret ACME_KEY"):
        await house.models.plan(CHAT, ())
    with pytest.raises(NoModel, match="no provider 'other'"):
        await house.models.plan(CHAT, ("other/x",))


async def test_a_rate_limited_model_is_left_alone_as_long_as_it_said(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a"), info("b")]))
    first, _ = await house.models.plan(CHAT, ())
    house.models.report(first, RateLimited("slow down", retry_after=30))
    assert names(await house.models.plan(CHAT, ())) == ["acme/b"]
    with pytest.raises(NoModel) as caught:
        await house.models.plan(CHAT, ("acme/a",))
    assert caught.value.details["retry_after"] == pytest.approx(30)
    house.clock.jump(31)
    assert names(await house.models.plan(CHAT, ())) == ["acme/a", "acme/b"]


async def test_pauses_double_until_it_works_again(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a"), info("b")]))
    candidate = (await house.models.plan(CHAT, ()))[0]
    for pause in (1, 2, 4):
        house.models.report(candidate, NotReady("down"))
        house.clock.jump(pause - 0.5)
        assert "acme/a" not in names(await house.models.plan(CHAT, ()))
        house.clock.jump(0.6)
        assert "acme/a" in names(await house.models.plan(CHAT, ()))
    house.models.report(candidate, None)
    house.models.report(candidate, NotReady("down"))
    house.clock.jump(1.1)
    assert "acme/a" in names(await house.models.plan(CHAT, ()))


async def test_a_refused_personal_key_leaves_the_platforms_key_in_use(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a"), info("b")]), 10, "KEY")
    house.secrets |= {"platform:KEY", "personal:ana:KEY"}
    first = (await house.models.plan(CHAT, (), "ana"))[0]
    house.models.report(first, AuthFailed("refused"))
    assert {each.owner for each in await house.models.plan(CHAT, (), "ana")} == {"platform"}
    house.clock.jump(601)
    assert {each.owner for each in await house.models.plan(CHAT, (), "ana")} == {"personal"}


async def test_a_request_at_fault_pauses_nobody(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a")]))
    (only,) = await house.models.plan(CHAT, ())
    for error in (Rejected("no"), ContextOverflow("too long")):
        house.models.report(only, error)
    assert names(await house.models.plan(CHAT, ())) == ["acme/a"]


async def test_a_broken_catalogue_does_not_keep_others_from_serving(house: House) -> None:
    class Broken(Provider):
        async def catalogue(self) -> Sequence[ModelInfo]:
            raise KeyError("oops")

    house.plugins.add(Broken("bad", []), 1)
    house.plugins.add(Provider("acme", [info("a")]))
    assert names(await house.models.plan(CHAT, ())) == ["acme/a"]


class Reversed:
    """A router that turns the order around and makes something up."""

    name = "reversed"

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Backwards, twice, with a stranger."""
        return [Candidate("x/y", ModelInfo("y")), *reversed(candidates), *candidates]


async def test_a_configured_router_ranks_and_what_it_makes_up_is_dropped(house: House) -> None:
    house.plugins.add(Provider("acme", [info("a"), info("b")]))
    house.plugins.objects["router", "reversed"] = Reversed()
    house.configure(Settings(router="reversed"))
    assert names(await house.models.plan(CHAT, ())) == ["acme/b", "acme/a"]
    house.configure(Settings(router="missing"))
    assert set(names(await house.models.plan(CHAT, ()))) == {"acme/a", "acme/b"}


@given(
    given=st.integers(0, 10**6), written=st.integers(0, 10**5), cached=st.integers(0, 10**6),
    price=st.integers(0, 10**5), output=st.integers(0, 10**5),
)  # fmt: skip
def test_the_real_cost_never_exceeds_the_worst_case(
    given: int, written: int, cached: int, price: int, output: int
) -> None:
    model = info("m", input_price=price, output_price=output, cached_price=price // 10, max_output=10**5)
    worst = worst_cost(model, given, max(1, written))
    assert worst is not None
    assert cost_of(model, Usage(given, written, min(cached, given))) <= worst


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 10**6), st.floats(0, 10)), max_size=8))
def test_ranking_keeps_every_candidate_once_and_is_repeatable(models: list[tuple[float, int, float]]) -> None:
    candidates = [
        Candidate(str(n), info(str(n), quality=q, latency=t), estimate=cost) for n, (q, cost, t) in enumerate(models)
    ]
    once = rank(CHAT, candidates)
    assert once == rank(CHAT, candidates)
    assert sorted(names(once)) == sorted(names(candidates))
