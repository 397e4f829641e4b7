"""The tools as a model meets them: specs, manifest, results, notes with person, label and idempotency."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import anyio
import jsonschema
import msgspec
import pytest

from gitu_basics import gitu_tools
from gitu_core import Label, ToolCall, ToolError
from gitu_core.contracts import CallInfo

from .conftest import Run, host_here

pytestmark = pytest.mark.anyio


def outside() -> Label:
    """The label of what a web page influenced."""
    return Label(origins=frozenset({"outside:web:example.org", "user:ana"}), readers=frozenset({"user:ana"}))


def test_the_manifest_is_what_the_code_says() -> None:
    """Names, specs, hooks and facets; the host refuses to load a plugin where they differ."""
    import tomllib

    raw = tomllib.loads((files("gitu_basics") / "gitu-plugin.toml").read_text("utf-8"))
    shipped = {each["name"]: msgspec.json.decode(each["spec"]) for each in raw["contributes"]}
    tools = gitu_tools(host_here())
    made = {each.spec.name: msgspec.to_builtins(each.spec, str_keys=True) for each in tools}
    assert shipped == msgspec.json.decode(msgspec.json.encode(made))
    assert (raw["id"], raw["isolation"], raw["contracts"], raw["hooks"]) == (
        "basics",
        "host",
        {"tool": 1},
        {"gitu_tools": 0},
    )
    assert raw["capabilities"] == {"facets": ["kv"]}


def test_specs_are_truthful_and_complete() -> None:
    """Only two tools write; what decides where an effect goes is a sink; every schema is valid."""
    specs = {each.spec.name: each.spec for each in gitu_tools(host_here())}
    assert {name for name, spec in specs.items() if spec.acts} == {"note", "forget_note"}
    assert {name for name, spec in specs.items() if spec.reversible} == {"note"}
    assert {name for name, spec in specs.items() if spec.verifiable} == {"note", "forget_note"}
    assert {name: spec.sinks for name, spec in specs.items() if spec.sinks} == {"forget_note": ("number",)}
    for spec in specs.values():
        jsonschema.Draft202012Validator.check_schema(spec.input_schema)
        assert spec.examples
        assert all(each.get("description") for each in spec.input_schema["properties"].values()), spec.name


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("what time is it in Paris?", "clock"),
        ("tell me the date today", "clock"),
        ("which day of the week is it", "clock"),
        ("what is 12 * 12", "calculate"),
        ("calculate 20% of 50", "calculate"),
        ("square root of 81", "calculate"),
        ("convert 10 miles to kilometres", "convert"),
        ("how many pounds are 3 kg", "convert"),
        ("20 celsius in fahrenheit", "convert"),
        ("note that Bob likes tea", "note"),
        ("remember to call mum", "note"),
        ("show my notes", "notes"),
        ("search my notes for tea", "notes"),
        ("forget note 2", "forget_note"),
        ("delete note number 7", "forget_note"),
    ],
)
def test_comparing_words_finds_the_right_tool(sentence: str, wanted: str) -> None:
    """A matcher without any model: rare words in common with description and examples decide."""
    tools = gitu_tools(host_here())
    known = {
        each.spec.name: _words(" ".join((each.spec.name, each.spec.description, *each.spec.examples))) for each in tools
    }

    def score(name: str) -> float:
        common = _words(sentence) & known[name]
        return sum(1 / sum(word in words for words in known.values()) for word in common)

    assert max(known, key=score) == wanted


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+|[%*+/]|\d", text.lower().replace("_", " ")))


async def test_each_tool_answers_in_words_and_data(run: Run) -> None:
    """Every result has a text that can be read out."""
    assert (await run("clock", place="Tokyo")).content["text"] == (
        "It is 14:05 on Sunday 22 November 2026 in Tokyo (Asia/Tokyo, UTC+09:00)."
    )
    assert (await run("calculate", expression="15% of 80")).content == {
        "result": "12",
        "exact": True,
        "text": "15% of 80 = 12",
    }
    assert (await run("calculate", expression="10/3")).content["text"] == "10/3 ≈ 3.33333333333333"
    assert (await run("convert", value=5, source="miles", target="km")).content[
        "text"
    ] == "5 miles = 8.04672 kilometres"


async def test_the_clock_uses_the_setting_without_a_place() -> None:
    """Which is how an operator makes "here" mean something."""
    from .conftest import Call

    tools = gitu_tools(host_here(time_zone="Rome"))
    result = await tools[0].run(ToolCall(id="1", tool="clock"), Call(CallInfo(call="1", key="1")))
    assert result.content["zone"] == "Europe/Rome"


async def test_notes_are_kept_found_and_forgotten(run: Run) -> None:
    """Numbers count up per person and are never given twice."""
    assert (await run("note", text=" buy milk ")).content == {"number": 1, "text": "Noted as number 1: buy milk"}
    await run("note", text="Call Anna about milk")
    await run("note", text="secret", person_="bob")
    found = (await run("notes")).content
    assert [each["number"] for each in found["notes"]] == [2, 1]
    assert found["notes"][0]["written"] == "2026-11-22T05:05:00+00:00"
    assert [each["number"] for each in (await run("notes", query="MILK anna")).content["notes"]] == [2]
    assert (await run("notes", query="tea")).content["text"] == "There are no notes about 'tea'."
    assert (await run("forget_note", number=2)).content["text"] == "Note 2 is gone."
    assert (await run("note", text="third")).content["number"] == 3
    with pytest.raises(ToolError) as error:
        await run("forget_note", number=2)
    assert error.value.hint == "the notes are 1, 3"
    with pytest.raises(ToolError, match="there is no note 1"):
        await run("forget_note", number=1, person_="carol")


async def test_notes_carry_person_and_label(run: Run, host: Any) -> None:
    """Export and erasure reach them, and what a page influenced stays marked when it is read again."""
    await run("note", text="my own", label_=Label(origins=frozenset({"user:ana"})))
    await run("note", text="from a page", label_=outside())
    stored = [each for key, each in host.kv.entries.items() if key.startswith("note/")]
    assert {each.person for each in host.kv.entries.values()} == {"ana"}
    assert stored[1].label == outside()
    both = await run("notes")
    assert both.label == outside().join(Label(origins=frozenset({"user:ana"})))
    assert both.fields == {"notes.1": Label(origins=frozenset({"user:ana"}))}
    assert (await run("notes", query="own")).label == Label(origins=frozenset({"user:ana"}))


async def test_the_same_call_writes_one_note(run: Run) -> None:
    """Law T4: the key of the call is the idempotency key."""
    first = await run("note", text="once", key_="k1")
    again = await run("note", text="once", key_="k1")
    assert first == again
    assert len((await run("notes")).content["notes"]) == 1


async def test_verify_tells_what_became_of_a_call(run: Run) -> None:
    """Law T5, for both tools, before and after."""
    assert (await run("note", text="x", key_="k1", verify_=True)).status == "error"
    done = await run("note", text="x", key_="k1")
    assert await run("note", text="x", key_="k1", verify_=True) == done
    assert (await run("forget_note", number=1, verify_=True)).status == "error"
    gone = await run("forget_note", number=1)
    assert await run("forget_note", number=1, verify_=True) == gone
    assert (await run("forget_note", number=9, verify_=True)).status == "error"


async def test_many_notes_at_once_get_numbers_of_their_own(run: Run) -> None:
    """Nothing is overwritten."""

    async def write(n: int) -> None:
        await run("note", text=f"note {n}", key_=f"k{n}")

    async with anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(write, n)
    assert sorted(each["number"] for each in (await run("notes")).content["notes"]) == list(range(1, 21))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": "  "}, "empty"),
        ({"text": "x" * 10_001}, "longer"),
        ({"text": "x", "person_": ""}, "belong to a person"),
    ],
)
async def test_what_cannot_be_noted_says_why(run: Run, arguments: dict[str, Any], words: str) -> None:
    """Nothing is stored then."""
    with pytest.raises(ToolError, match=words):
        await run("note", **arguments)
