"""What shapes are made of: tools, profiles, and a turn in which a model says a script."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio

from gitu_core import Gitu, Limits, Profile, ToolResult, ToolSpec, tool
from gitu_core.errors import GituError
from gitu_core.model import Answer, ModelInfo, ToolCall
from gitu_core.testing import ScriptedModel, call, export
from gitu_core.testing.replay.file import Export
from tests.tools import broken, double, refuses, slow, slow_send

Shape = Callable[[], Awaitable[Export]]
SHAPES: dict[str, Shape] = {}
"""Every shape by name."""

PRICED = ModelInfo("priced", window=20_000, max_output=1_000, input_price=3.0, output_price=15.0,
                   capabilities=frozenset({"text", "tools", "stream", "structured"}))  # fmt: skip
"""A model that costs something."""


def shape(make: Shape) -> Shape:
    """Adds a shape under the name of its function."""
    SHAPES[make.__name__] = make
    return make


@tool
async def hangs() -> str:
    """Never ends."""
    await anyio.sleep_forever()
    return ""


@tool(effects=["send"])
async def hangs_sending() -> str:
    """Never ends and sends."""
    await anyio.sleep_forever()
    return ""


@tool
async def wait(seconds: float) -> float:
    """Waits."""
    await anyio.sleep(seconds)
    return seconds


@tool(effects=["send"], roles={"to": "recipient"})
async def mail(to: str, seconds: float = 0.0) -> str:
    """Sends a mail."""
    await anyio.sleep(seconds)
    return f"sent to {to}"


@tool(writers={"": "outside"})
def web() -> str:
    """Reads the web."""
    return "words from outside"


@tool(writers={"items.*.body": "outside", "": "field:author"})
def feed() -> dict[str, object]:
    """Reads a feed."""
    return {"items": [{"body": "buy"}, {"body": "sell"}], "author": "ana"}


@tool(output_limit=10, effects=["write"])
def chatty() -> str:
    """Says too much."""
    return "x" * 30


class Sure:
    """A tool that can say afterwards whether it was done."""

    spec = ToolSpec("sure", "Does something that can be asked about.", effects=("write",), verifiable=True)

    def __init__(self, done: bool) -> None:
        self.done = done

    async def run(self, call: ToolCall, context: object) -> ToolResult:
        return ToolResult(content="done now")

    async def verify(self, call: ToolCall, context: object) -> ToolResult:
        return ToolResult(content="it was done") if self.done else ToolResult("unknown")


ALL = [double, broken, refuses, slow, slow_send, hangs, hangs_sending, wait, mail, web, feed, chatty]


async def told(*script: object, says: str = "go", tools: object = ALL, **options: object) -> Export:
    """The turn in which a model says a script."""
    model = ScriptedModel(list(script))
    async with Gitu(model=model, tools=tools, **options) as gitu:  # type: ignore[arg-type]
        with suppress(GituError):
            await gitu.send(says, user="u")
        return await export(gitu)


async def answered(*choices: str, script: object = None, tools: object = ALL, **options: object) -> Export:
    """The turn that waits for a yes, with the choices that a person makes one after the other."""
    first = [call("web"), [call("mail", to="bob"), call("wait", seconds=0.0), call("mail", to="eve")], "done"]
    model = ScriptedModel(first if script is None else script)
    async with Gitu(model=model, tools=tools, **options) as gitu:  # type: ignore[arg-type]
        session = (await gitu.send("go", user="u")).session
        for choice in choices:
            asked = (await gitu.approvals("u"))[0]
            await gitu.send([Answer(asked.id, choice)], user="u")
        return await export(gitu, (await gitu.history(session))[0].turn)


def limited(**limits: object) -> dict[str, object]:
    return {"profiles": [Profile(limits=Limits(**limits), exact=True, tools=("*",))]}  # type: ignore[arg-type]


HELPED = [
    Profile(delegates=("helper", "other"), exact=True, tools=("*",)),
    Profile(name="helper", delegates=("other",), exact=True, tools=("*",)),
    Profile(name="other", exact=True, tools=("double", "wait"), limits=Limits(steps=2)),
]


def helper(request):
    """Asks, where it may, others for help; they double and wait."""
    last, tools = request.messages[-1], {spec.name for spec in request.tools}
    if last.role == "tool":
        return f"I heard {last.text}"
    if "ask_helper" in tools:
        return [call("ask_helper", task="help"), call("ask_other", task="wait 0.05"), call("ask_other", task="wait 0")]
    if "wait" in last.text:
        return call("wait", seconds=float(last.text.split()[1]))
    return [call("ask_other", task="wait 0.02"), call("double", number=2)]
