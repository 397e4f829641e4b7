"""What a plugin asks for while a call is worked on is asked on behalf of that call."""

from __future__ import annotations

import pytest

from gitu_core import Gitu, Host, Limits, Profile, tool
from gitu_core.errors import InputError, LimitReached
from gitu_core.model import ModelInfo
from gitu_core.testing import ScriptedModel, call

pytestmark = pytest.mark.anyio


async def test_a_plugins_own_question_draws_on_the_envelope_of_the_turn():
    info = ModelInfo("m", window=100_000, max_output=100, input_price=0.0, output_price=10_000_000.0)

    class Plugin:
        def gitu_tools(self, host: Host):
            @tool
            async def think() -> str:
                """Asks a model."""
                return str(await host.model.complete("what now?"))

            return [think]

    # A token costs a cent and the worst case of a call a dollar: the inner answer leaves no room for the next call.
    model = ScriptedModel([call("think"), "word" * 30, "never said"], info=info)
    profile = Profile(limits=Limits(cost=1.3))
    async with Gitu(model=model, plugins=[Plugin()], profiles=[profile], use=["*"]) as gitu:
        with pytest.raises(LimitReached):
            await gitu.send("go", user="u")
    assert model.remaining == 1


@pytest.mark.parametrize("text", [5, None, b"bytes", ["words"]])
async def test_what_is_no_message_is_refused(text):
    async with Gitu(model=ScriptedModel([])) as gitu:
        with pytest.raises(InputError):
            await gitu.send(text, user="u")
