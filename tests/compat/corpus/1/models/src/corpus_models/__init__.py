"""A provider whose model calls a lamp where there is one, and repeats what it hears."""

from gitu_core import Usage
from gitu_core.contracts import CallDelta, Finish, ModelInfo, ReasoningDelta, TextDelta


class Parrots:
    """Models that repeat."""

    name = "parrots"

    async def catalogue(self):
        """One model."""
        return [ModelInfo("grey", window=4000, max_output=500, input_price=0.0, output_price=0.0, quality=0.1)]

    async def stream(self, request):
        """Calls a lamp once, then repeats."""
        last = request.messages[-1]
        lamps = [tool.name for tool in request.tools if tool.name == "lamp"]
        if lamps and last.role == "user":
            yield CallDelta(0, "c1", lamps[0])
            yield CallDelta(0, arguments='{"number"')
            yield CallDelta(0, arguments=": 7}")
            yield Finish("calls", Usage(3, 2), f"parrots/{request.model}")
            return
        yield ReasoningDelta("What was it?")
        for word in ("You said: ", last.text):
            yield TextDelta(word)
        yield Finish("stop", Usage(input_tokens=5, output_tokens=4), f"parrots/{request.model}")


def gitu_model_providers(host):
    """Providers of models."""
    return [Parrots()]
