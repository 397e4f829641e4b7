"""A provider, a tool or a channel that raises `StoreError`: that of its own store, which is none of ours."""

from __future__ import annotations

import pytest

from gitu_core import Profile, tool
from gitu_core.errors import Damaged, LeaseLost, StoreError
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from tests.app.around import OK, on

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("error", [StoreError, LeaseLost, Damaged])]


class Broken(FunctionModel):
    """A model whose provider fails at one point: in the call, before the first event, in the middle, or in closing."""

    def __init__(self, error, where):
        super().__init__(lambda request: "some words")
        self.asked, self._error, self._where = 0, error("mine", scope="database"), where

    def stream(self, request):
        self.asked += 1
        if self._where == "call":
            raise self._error
        return self._broken(request)

    async def _broken(self, request):
        if self._where == "first":
            raise self._error
        try:
            async for event in super().stream(request):
                yield event
                if self._where == "middle":
                    raise self._error
        finally:
            if self._where == "close":
                raise self._error


@pytest.mark.parametrize("where", ["call", "first", "middle"])
async def test_of_a_provider_is_told_as_a_failure_of_the_model(error, where):
    model, adapter = Broken(error, where), RecordingAdapter()
    async with on(adapter, model):
        assert f"failed with {error.__name__}" in await adapter.talk("go")
    assert model.asked == 1


async def test_of_a_provider_that_closes_does_no_harm_to_its_answer(error):
    model, adapter = Broken(error, "close"), RecordingAdapter()
    async with on(adapter, model):
        assert await adapter.talk("go") == "some words"
    assert model.asked == 1


@pytest.mark.parametrize("delegates", [(), ("helper",)])
async def test_of_a_tool_is_its_result(error, delegates):
    ran = []

    @tool
    def look() -> str:
        """Looks."""
        ran.append(1)
        raise error("mine", hint="try later", scope="database")

    def think(request):
        if request.messages[-1].role != "user":
            return request.messages[-1].text
        names = [each.name for each in request.tools]
        return call("ask_helper", task="look") if "ask_helper" in names else call("look")

    profiles = [Profile("default", delegates=delegates, tools=() if delegates else ("look",)),
                Profile("helper", tools=("look",))]  # fmt: skip
    adapter = RecordingAdapter()
    async with on(adapter, FunctionModel(think), tools=[look], profiles=profiles):
        assert "mine" in await adapter.talk("go")
    assert ran == [1]


async def test_of_a_channel_leaves_the_outcome_unknown(error):
    class Odd(RecordingAdapter):
        raised = 0

        async def send(self, outgoing):
            if not self.raised:
                self.raised += 1
                raise error("mine", scope="database")
            return await super().send(outgoing)

    adapter = Odd(delivery="blind")
    async with on(adapter, OK):
        assert await adapter.talk("go") == ""
        said = await adapter.talk("more")
    assert "I do not know whether this reached you" in said
    assert said.endswith("ok")
