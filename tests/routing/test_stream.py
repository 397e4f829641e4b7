"""What routing makes of a provider's stream: cost, end, time limits, failures, probes, and the counting of
tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from gitu_core.errors import (
    AuthFailed,
    Cancelled,
    GituError,
    LimitReached,
    NoModel,
    NotReady,
    RateLimited,
    Rejected,
    StreamBroken,
)  # fmt: skip
from gitu_core.model import (
    Candidate,
    Finish,
    ModelEvent,
    ModelMessage,
    ModelRequest,
    RouteTask,
    Text,
    TextDelta,
    ToolSpec,
    Usage,
    measure,
    user_message,
)  # fmt: skip
from gitu_core.model.measure import tokens_of
from gitu_core.routing.cooldown import TRIP
from tests.routing.conftest import Answer, House, Provider, hello, info

pytestmark = pytest.mark.anyio
HI = (user_message("hi"),)


async def planned(house: House, answer: Answer) -> Candidate:
    """The one candidate of a house whose provider answers so."""
    house.plugins.add(Provider("acme", [info("a"), info("b")], answer), 10, "KEY")
    house.secrets.add("platform:KEY")
    return (await house.models.plan(RouteTask(), ()))[0]


async def run(house: House, candidate: Candidate, timeout: float = 5.0) -> list[ModelEvent]:
    """All events."""
    request = ModelRequest("whatever", HI, timeout=timeout)
    return [event async for event in house.models.stream(candidate, request)]


async def test_the_cost_is_filled_in_and_the_provider_sees_its_own_name_and_key(house: House) -> None:
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta(f"{request.model} {request.credential}")
        yield Finish(usage=Usage(100, 10, 40))
        yield TextDelta("never seen")

    events = await run(house, await planned(house, answer))
    assert events[0] == TextDelta("a platform:KEY")
    assert len(events) == 2
    assert isinstance(events[1], Finish)
    assert events[1].usage.cost == 60 * 1000 + 40 * 100 + 10 * 4000


async def test_a_stream_that_just_stops_is_broken(house: House) -> None:
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("half")

    with pytest.raises(StreamBroken):
        await run(house, await planned(house, answer))


@pytest.mark.parametrize(("begun", "kind"), [(False, NotReady), (True, StreamBroken)])
async def test_an_unexpected_exception_becomes_a_typed_failure_without_its_text(
    house: House, begun: bool, kind: type[GituError]
) -> None:
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if begun:
            yield TextDelta("half")
        raise ValueError("the key is sk-secret")

    with pytest.raises(kind) as caught:
        await run(house, await planned(house, answer))
    assert "ValueError" in str(caught.value)
    assert "sk-secret" not in str(caught.value)


async def test_typed_failures_pass_as_they_are(house: House) -> None:
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if request.model == "a":
            raise AuthFailed("refused")
        yield Finish()

    with pytest.raises(AuthFailed, match="refused"):
        await run(house, await planned(house, answer))


@pytest.mark.parametrize(("begun", "kind"), [(False, NotReady), (True, StreamBroken)])
async def test_waiting_too_long_ends_the_stream_and_closes_it(house: House, begun: bool, kind: type[GituError]) -> None:
    closed = anyio.Event()

    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        try:
            if begun:
                yield TextDelta("half")
            await anyio.sleep(60)
        finally:
            closed.set()

    with pytest.raises(kind, match="too long"):
        await run(house, await planned(house, answer), timeout=0.05)
    assert closed.is_set()


async def test_leaving_early_closes_the_providers_stream(house: House) -> None:
    closed = anyio.Event()

    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        try:
            yield TextDelta("one")
            await anyio.sleep(60)
        finally:
            closed.set()

    events = house.models.stream(await planned(house, answer), ModelRequest("a", HI))
    async for _ in events:
        break
    await events.aclose()
    assert closed.is_set()


async def test_after_a_pause_one_request_probes_while_the_others_wait(house: House) -> None:
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("one")
        yield Finish()

    candidate = await planned(house, answer)
    house.models.report(candidate, NotReady("down"))
    house.clock.jump(2)
    probe = house.models.stream(candidate, ModelRequest("a", HI))
    await anext(probe)
    assert [each.model for each in await house.models.plan(RouteTask(), ())] == ["acme/b"]
    house.models.report(candidate, None)
    assert [each.model for each in await house.models.plan(RouteTask(), ())] == ["acme/a", "acme/b"]
    await probe.aclose()


async def fails(house: House, times: int, *models: Candidate, error: GituError | None = None) -> None:
    """Failures of the models in turn, one after the other."""
    for n in range(times):
        house.models.report(models[n % len(models)], error or NotReady("down"))


async def test_a_provider_whose_models_all_fail_is_left_alone_as_a_whole_and_probed_by_one_request(
    house: House,
) -> None:
    async def answer(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("one")
        yield Finish()

    a = await planned(house, answer)
    b = (await house.models.plan(RouteTask(), ()))[1]
    await fails(house, TRIP - 1, a, b)
    assert house.models.breakers() == []
    await fails(house, 1, b)
    assert house.models.breakers() == [("acme", "open", "not_ready")]
    with pytest.raises(NoModel, match=r"acme is left alone for 1 s \(not_ready\)") as failed:
        await house.models.plan(RouteTask(), ("acme/c",))  # nobody asked it yet
    assert failed.value.details["retry_after"] <= 1
    house.clock.jump(60)
    assert house.models.breakers() == [("acme", "half-open", "not_ready")]
    (first, *_) = await house.models.plan(RouteTask(), ())
    probe = house.models.stream(first, ModelRequest("a", HI))
    await anext(probe)
    with pytest.raises(NoModel):
        await house.models.plan(RouteTask(), ())
    await probe.aclose()
    house.models.report(first, Cancelled("stopped"))  # it decides nothing, and keeps nobody waiting
    (first, *_) = await house.models.plan(RouteTask(), ())
    await fails(house, 1, first)
    assert house.models.breakers() == [("acme", "open", "not_ready")]
    house.clock.jump(60)
    house.models.report(first, None)
    assert house.models.breakers() == []
    await fails(house, TRIP - 1, a, b)
    assert house.models.breakers() == []


@pytest.mark.parametrize(
    "error", [RateLimited("slow", retry_after=5), AuthFailed("no"), Rejected("no"), LimitReached("x")]
)
async def test_what_only_a_model_a_key_or_the_request_is_to_blame_for_opens_no_provider(
    house: House, error: GituError
) -> None:
    a = await planned(house, hello)
    await fails(house, 3 * TRIP, a, error=error)
    assert house.models.breakers() == []


def test_tokens_are_measured_once_while_a_message_lives() -> None:
    message = ModelMessage("user", (Text("x" * 3500),))
    tool = ToolSpec("clock", "Tells the time.")
    first = tokens_of((message,), (tool,))
    assert 800 < first < 1400
    assert tokens_of((message, message), (tool,)) > first
    known = len(measure._known)
    del message
    assert len(measure._known) == known - 1
