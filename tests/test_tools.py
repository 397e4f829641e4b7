"""`@tool`: schemas are valid, what a schema accepts the function gets, and what is wrong is said in words."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gitu_core.contracts import CallInfo, ToolCall, ToolResult, ToolSpec
from gitu_core.errors import ConfigError, ToolInputError
from gitu_core.tools import FunctionTool, Role, ToolContext, as_tool, read_signature, to_json, tool

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Colour(enum.Enum):
    """An enumeration of text."""

    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    """A model with a default and a nested list."""

    name: str
    tags: list[str] = []


@dataclass
class Pair:
    """A dataclass."""

    left: int
    right: str | None = None


class Context:
    """What a running call gets."""

    def __init__(self, deps: object = None) -> None:
        self.info = CallInfo("c", "k")
        self.deps = deps
        self.said: list[str] = []

    async def progress(self, text: str, fraction: float | None = None) -> None:
        self.said.append(text)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
whole = st.integers(-(2**53), 2**53)
finite = st.floats(allow_nan=False, allow_infinity=False)
place = st.fixed_dictionaries({"name": text}, optional={"tags": st.lists(text, max_size=2)})
HINTS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, text),
    (int, whole),
    (float, finite | whole),
    (bool, st.booleans()),
    (str | None, st.none() | text),
    (list[int], st.lists(whole, max_size=3)),
    (tuple[int, ...], st.lists(whole, max_size=3)),
    (dict[str, float], st.dictionaries(text, finite, max_size=2)),
    (Literal["a", "b", 3], st.sampled_from(["a", "b", 3])),
    (Colour, st.sampled_from(["red", "blue"])),
    (Place, place),
    (list[Place], st.lists(place, max_size=2)),
    (Pair, st.fixed_dictionaries({"left": whole}, optional={"right": st.none() | text})),
    (date, st.dates().map(str)),
    (Any, st.none() | text | whole),
    (int | str, whole | text),
    (Annotated[str, Role("recipient")], text),
]
argument_names = st.sampled_from(
    ["a", "self", "class_", "model_config", "json", "schema", "copy", "x1", "_y", "id", "é"]
)


@st.composite
def functions(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A function with assorted hints and defaults, and arguments that its schema accepts."""
    chosen = draw(st.lists(argument_names, unique=True, max_size=4))
    hints = {name: draw(st.sampled_from(HINTS)) for name in chosen}
    optional = {name for name in chosen if draw(st.booleans())}
    ordered = [name for name in chosen if name not in optional] + [name for name in chosen if name in optional]
    words = ", ".join(f"{name}=None" if name in optional else name for name in ordered)
    scope: dict[str, Any] = {}
    exec(f"def made({words}):\n    'Does it.'\n    return locals()", scope)  # noqa: S102 - made of the names above
    function = scope["made"]
    function.__annotations__ = {name: hint for name, (hint, _) in hints.items()}
    given = {name: draw(values) for name, (_, values) in hints.items() if name not in optional or draw(st.booleans())}
    return function, given


@QUICK
@given(functions())
def test_every_schema_is_valid_and_what_it_accepts_reaches_the_function(made: tuple[Any, dict[str, Any]]) -> None:
    """Draft 2020-12; accepted arguments pass `coerce`, under the parameters' own names, defaults filled
    in."""
    function, arguments = made
    spec = FunctionTool(function, {}).spec
    jsonschema.Draft202012Validator.check_schema(spec.input_schema)
    assert spec.input_schema["type"] == "object"
    jsonschema.Draft202012Validator(spec.input_schema).validate(arguments)
    signature = read_signature(function)
    coerced = signature.coerce(arguments)
    assert set(function(**coerced)) == set(signature.schema["properties"]) == set(coerced)


@QUICK
@given(functions(), st.sampled_from(["more", "p0", "p1"]))
def test_an_argument_that_the_schema_does_not_know_is_refused(made: tuple[Any, dict[str, Any]], name: str) -> None:
    """By the schema and by `coerce` alike, also under the names that are used inside."""
    function, arguments = made
    arguments = {**arguments, name: 1}
    signature = read_signature(function)
    assert not jsonschema.Draft202012Validator(signature.schema).is_valid(arguments)
    with pytest.raises(ToolInputError) as caught:
        signature.coerce(arguments)
    assert caught.value.details["path"]


@tool(effects=["send"], roles={"note.title": "title"}, writers={"": "outside"}, examples=["send it"])
async def send(context: ToolContext[str], to: Annotated[str, Role("recipient")], note: Place, times: int = 1) -> Any:
    """Sends a note.

    Longer words.

    Args:
        to: Who gets it.
        times: How often.
    """
    await context.progress("sending", 0.5)
    return {"to": to, "note": note, "times": times, "deps": context.deps}


def test_a_spec_says_all_that_hints_docstring_and_options_say() -> None:
    """The context is no argument; roles come from both sides; titles that say nothing are gone."""
    spec = send.spec
    assert (spec.name, spec.description) == ("send", "Sends a note.\n\nLonger words.")
    assert spec.roles == {"to": "recipient", "note.title": "title"}
    assert spec.input_schema["properties"]["to"] == {"description": "Who gets it.", "type": "string"}
    assert spec.input_schema["required"] == ["to", "note"]
    assert (spec.effects, spec.examples, spec.writers) == (("send",), ("send it",), {"": "outside"})
    assert send.spec is spec


@pytest.mark.anyio
async def test_a_tool_runs_with_its_context_and_gives_json() -> None:
    """Models become JSON; progress reaches the context; deps are those of the embedder."""
    context = Context(deps="mine")
    result = await send.run(ToolCall("c", "send", {"to": "ann", "note": {"name": "x"}}), context)
    assert result.content == {"to": "ann", "note": {"name": "x", "tags": []}, "times": 1, "deps": "mine"}
    assert context.said == ["sending"]


@pytest.mark.anyio
async def test_plain_functions_run_beside_the_loop_and_results_stay_results() -> None:
    """A ToolResult is passed on as it is; `verify` is asked where there is one."""

    @tool(verify=lambda x: ToolResult("ok", x))
    def double(x: int) -> ToolResult:
        """Doubles."""
        return ToolResult(content=2 * x)

    @tool
    def nothing() -> None:
        """Does nothing."""

    assert (await double.run(ToolCall("c", "double", {"x": 2}), Context())).content == 4
    assert (await double.verify(ToolCall("c", "double", {"x": 2}), Context())).content == 2
    assert double.spec.verifiable
    assert (await nothing.verify(ToolCall("c", "nothing"), Context())).status == "unknown"
    assert double(3).content == 6


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({}, "to"),
        ({"to": 1, "note": {"name": "x"}}, "to"),
        ({"to": "a", "note": {}}, "note.name"),
        ({"to": "a", "note": {"name": "x"}, "times": "many"}, "times"),
    ],
)
def test_wrong_arguments_are_named_by_their_path(arguments: dict[str, Any], path: str) -> None:
    """So that a model can correct them."""
    with pytest.raises(ToolInputError, match=path) as caught:
        read_signature(send.function).coerce(arguments)
    assert caught.value.details["path"] == path


def test_what_cannot_be_a_tool_says_why() -> None:
    """No description, nameless parameters, types without a JSON form, roles for nobody, no function at
    all."""

    def silent(x: int) -> int:
        return x

    def anything(*args: int) -> None:
        """Takes anything."""

    def odd(x: object, y: Context) -> None:
        """Takes an object."""

    def unknown(x: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821 - that is the point
        """Takes what does not exist."""

    for function, words in ((silent, "no description"), (anything, "args"), (odd, "Context"), (unknown, "Nowhere")):
        with pytest.raises(ConfigError, match=words):
            _ = FunctionTool(function, {}).spec
    with pytest.raises(ConfigError, match="unknown argument"):
        _ = FunctionTool(silent, {"description": "d", "roles": {"z": "url"}}).spec
    with pytest.raises(ConfigError, match="not a tool"):
        as_tool(7)


def test_anything_with_a_spec_and_run_is_a_tool_already() -> None:
    """A function is made one."""
    assert as_tool(send) is send
    assert isinstance(as_tool(test_what_cannot_be_a_tool_says_why), FunctionTool)
    assert isinstance(send.spec, ToolSpec)


def test_results_are_json_or_refused() -> None:
    """What msgspec and pydantic know; keys become text."""
    assert to_json({1: Place(name="a"), "b": Pair(1)}) == {
        "1": {"name": "a", "tags": []},
        "b": {"left": 1, "right": None},
    }
    with pytest.raises(TypeError, match="object"):
        to_json(object())
