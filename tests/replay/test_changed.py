"""What is not as it was recorded is told, at the step where it shows first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gitu_core.contracts.authority import Verdict
from gitu_core.policy import LabelPolicy
from gitu_core.runtime import model_step
from gitu_core.testing.replay.differ import Difference
from gitu_core.testing.replay.file import Export, read, written
from gitu_core.testing.replay.run import replay
from tests.replay.shapes import SHAPES

pytestmark = pytest.mark.anyio
Raw = dict[str, Any]
Change = Callable[[Raw], object]


def steps(raw: Raw, kind: str = "") -> list[Raw]:
    """The steps of the first turn, of one kind where given."""
    return [each["step"] for each in raw["turns"][0]["steps"] if kind in ("", each["step"]["type"])]


def numbered(raw: Raw, kind: str, nth: int = 0) -> int:
    """The number of a step."""
    return [n for n, step in enumerate(steps(raw)) if step["type"] == kind][nth]


def swap(raw: Raw, first: int, second: int) -> None:
    """Lets two steps change places."""
    taken = raw["turns"][0]["steps"]
    taken[first], taken[second] = taken[second], taken[first]


async def changed(shape: str, change: Change) -> tuple[Raw, Difference]:
    """The difference that a change of the file makes, and the file as it was."""
    raw: Raw = msgspec.json.decode(written(await SHAPES[shape]()))
    before: Raw = msgspec.json.decode(msgspec.json.encode(raw))
    change(raw)
    found = [each.difference for each in await replay(read(msgspec.json.encode(raw))) if each.difference is not None]
    assert found, "nobody noticed"
    return before, found[0]


def words(raw: Raw) -> None:
    steps(raw, "model_answered")[-1]["message"]["parts"][0]["text"] = "9"


def result(raw: Raw) -> None:
    steps(raw, "call_finished")[0]["result"]["content"] = 9


def asked_for(raw: Raw) -> None:
    steps(raw, "model_answered")[0]["message"]["calls"][0]["arguments"] = {"number": 5}


def decided(raw: Raw) -> None:
    steps(raw, "call_decided")[0]["call"]["arguments"] = {"number": 5}


def verdict(raw: Raw) -> None:
    steps(raw, "call_decided")[0]["verdict"] = "ask"


def reason(raw: Raw) -> None:
    steps(raw, "call_decided")[0]["reason"] = "because"


def label(raw: Raw) -> None:
    steps(raw, "call_finished")[0]["result"]["label"]["origins"].append("outside:somewhere")


def less_label(raw: Raw) -> None:
    steps(raw, "call_finished")[0]["result"]["label"]["origins"].remove("system")


def asked_label(raw: Raw) -> None:
    steps(raw, "model_asked")[1]["label"]["origins"].remove("system")


def digest(raw: Raw) -> None:
    steps(raw, "model_asked")[1]["digest"] = "0"


def model(raw: Raw) -> None:
    steps(raw, "ended")[0]["reply"]["model"] = "another/model"


def usage(raw: Raw) -> None:
    steps(raw, "model_answered")[0]["usage"]["input_tokens"] = 10_000


def ask(raw: Raw) -> None:
    raw["turns"][0]["ask"]["parts"][0]["text"] = "stop"


def ask_label(raw: Raw) -> None:
    raw["turns"][0]["ask"]["label"]["origins"] = ["outside:mail"]


def seconds(raw: Raw) -> None:
    raw["profiles"]["default"].setdefault("limits", {})["steps"] = 1


def history(raw: Raw) -> None:
    del raw["history"][-1]


@pytest.mark.parametrize(
    ("change", "kind", "nth", "path"),
    [
        (words, "model_answered", 1, "message.parts.0.text"),
        (result, "call_finished", 0, "message.parts.0.text"),
        (asked_for, "model_answered", 0, "message.calls.0.arguments.number"),
        (decided, "call_decided", 0, "call.arguments.number"),
        (verdict, "call_decided", 0, "verdict"),
        (reason, "call_decided", 0, "reason"),
        (label, "call_finished", 0, "message.label.origins"),
        (less_label, "call_finished", 0, "result.label.origins"),
        (asked_label, "model_asked", 1, "label.origins"),
        (digest, "model_asked", 1, "digest"),
        (model, "ended", 0, "reply.model"),
        (usage, "ended", 0, "reply.usage.input_tokens"),
        (ask, "begun", 0, "message.parts.0.text"),
        (ask_label, "begun", 0, "label.origins"),
        (seconds, "model_asked", 1, ""),
        (history, "ended", 0, "history.3"),
    ],
)
async def test_a_change_is_told_at_its_step(change: Change, kind: str, nth: int, path: str) -> None:
    before, found = await changed("a_tool", change)
    assert (found.step, found.kind, found.path) == (numbered(before, kind, nth), kind, path)
    assert f"step {found.step} ({kind}) of turn {found.turn}" in str(found)


async def test_results_in_another_order_are_told_where_the_model_reads_them() -> None:
    before, found = await changed("several_tools_at_once", lambda raw: swap(raw, 6, 7))
    assert before["turns"][0]["steps"][6]["step"]["type"] == "call_finished"
    assert (found.kind, found.path, found.step) == ("model_asked", "digest", numbered(before, "model_asked", 1))
    assert "other messages or other tools; now: system, " in found.words


async def test_decisions_in_another_order_are_told_at_the_first() -> None:
    before, found = await changed("several_tools_at_once", lambda raw: swap(raw, 3, 4))
    assert (found.step, found.path) == (numbered(before, "call_decided"), "call.id")


async def test_a_result_before_its_call_is_told_where_it_stands() -> None:
    def change(raw: Raw) -> None:
        swap(raw, numbered(raw, "call_started", 1), numbered(raw, "call_finished"))

    before, found = await changed("effects_at_once", change)
    assert (found.step, found.kind) == (numbered(before, "call_started", 1), "call_finished")


async def test_a_result_of_a_call_that_nobody_makes_is_told_and_nobody_waits_for_it() -> None:
    def change(raw: Raw) -> None:
        steps(raw, "call_finished")[0]["call"] = "another"

    before, found = await changed("several_tools_at_once", change)
    assert found.step == numbered(before, "call_finished")
    assert "is not what comes next" in found.words


@pytest.mark.parametrize("n", range(1, 7))
async def test_a_step_that_is_missing_is_told_where_it_was(n: int) -> None:
    _, found = await changed("a_tool", lambda raw: raw["turns"][0]["steps"].pop(n))
    assert found.step in (n, n - 1)


@pytest.mark.parametrize("n", range(8))
async def test_a_step_that_is_there_twice_is_told_where_it_is(n: int) -> None:
    def change(raw: Raw) -> None:
        taken = raw["turns"][0]["steps"]
        taken.insert(n, taken[n])

    _, found = await changed("a_tool", change)
    assert found.step in (n, n + 1)


async def test_a_tool_that_is_not_offered_any_more_is_told_with_what_is_offered() -> None:
    def change(raw: Raw) -> None:
        raw["profiles"]["default"]["tools"] = ["broken", "mail"]

    before, found = await changed("a_tool", change)
    assert (found.step, found.path) == (numbered(before, "model_asked"), "digest")
    assert "tools: broken, mail" in found.words


def instructions(raw: Raw) -> None:
    raw["profiles"]["default"]["instructions"] = "Be somebody else."


def description(raw: Raw) -> None:
    next(each for each in raw["tools"] if each["name"] == "double")["spec"]["description"] = "Triples a number."


def schema(raw: Raw) -> None:
    tool = next(each for each in raw["tools"] if each["name"] == "double")
    tool["spec"]["input_schema"]["properties"]["number"]["description"] = "how many"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (instructions, "request.messages.system"),
        (description, "request.tools.double"),
        (schema, "request.tools.double"),
    ],
)
async def test_another_prompt_is_told_where_a_model_first_reads_it(change: Change, path: str) -> None:
    before, found = await changed("a_tool", change)
    assert (found.step, found.kind, found.path) == (numbered(before, "model_asked"), "model_asked", path)


async def test_other_words_of_before_are_told_where_a_model_reads_them() -> None:
    def change(raw: Raw) -> None:
        raw["history"][0]["message"]["parts"][0]["text"] = "went"
        raw["turns"] = raw["turns"][1:]

    _, found = await changed("another_model_answers", change)
    assert (found.step, found.kind) == (1, "model_asked")
    assert found.path == f"request.messages.{found.now.id}"
    assert found.now.text == "went"


async def test_what_a_delegate_reads_is_compared_too() -> None:
    def change(raw: Raw) -> None:
        raw["profiles"]["other"]["instructions"] = "Be somebody else."

    before, found = await changed("delegates", change)
    assert found.turn in {inner["info"]["id"] for inner in before["turns"][0]["inner"]}
    assert (found.step, found.path) == (1, "request.messages.system")


async def test_another_model_is_told_where_it_is_asked() -> None:
    def change(raw: Raw) -> None:
        steps(raw, "model_asked")[0]["model"] = "another/model"

    before, found = await changed("a_tool", change)
    assert (found.step, found.path) == (numbered(before, "model_asked"), "digest")


async def test_a_message_of_before_that_is_missing_is_told_where_the_model_would_read_it() -> None:
    def change(raw: Raw) -> None:
        del raw["history"][0], raw["history"][0]
        raw["turns"] = raw["turns"][1:]

    _, found = await changed("another_model_answers", change)
    assert (found.step, found.path) == (1, "digest")


async def test_a_question_in_other_words_is_told_where_it_is_asked() -> None:
    def change(raw: Raw) -> None:
        raw["turns"][0]["approvals"][0]["ask"]["question"] = "May I?"

    before, found = await changed("waiting", change)
    assert (found.kind, found.step) == ("parked", numbered(before, "parked"))
    assert found.path.endswith(".ask.question")


@pytest.mark.parametrize(("field", "value"), [("choice", "no"), ("digest", "0" * 32), ("by", "mallory")])
async def test_another_answer_to_a_question_is_told(field: str, value: str) -> None:
    def change(raw: Raw) -> None:
        steps(raw, "call_answered")[0][field] = value

    raw: Raw = msgspec.json.decode(written(await SHAPES["a_yes_and_a_no"]()))
    change(raw)
    (found,) = await replay(read(msgspec.json.encode(raw)))
    if field == "by":  # who said it came from outside, and leads to nothing else
        assert found.difference is None
    else:
        assert found.difference is not None
        assert found.difference.step == numbered(raw, "call_answered") + 1


async def test_the_answer_of_a_delegate_is_found_out_again() -> None:
    before, found = await changed("delegates", result)
    assert (found.kind, found.step) == ("call_finished", numbered(before, "call_finished"))


async def test_what_happens_inside_of_a_delegate_is_told_with_its_turn() -> None:
    def change(raw: Raw) -> None:
        inner = raw["turns"][0]["inner"][0]
        inner["steps"][1]["step"]["digest"] = "0"

    before, found = await changed("delegates", change)
    assert (found.turn, found.step) == (before["turns"][0]["inner"][0]["info"]["id"], 1)


async def test_a_delegate_that_was_not_asked_then_or_is_not_asked_now_is_told() -> None:
    _, found = await changed("a_delegate_that_fails", lambda raw: raw["turns"][0]["inner"].clear())
    assert "was not run then" in found.words
    assert found.kind == "call_finished"


async def test_a_failure_of_another_kind_is_told_where_it_leads_to_something_else() -> None:
    def change(raw: Raw) -> None:
        steps(raw, "model_failed")[0]["error"]["code"] = "rejected"

    _, found = await changed("another_model_answers", change)
    assert (found.kind, found.path) == ("ended", "reply.failures.0.code")


async def test_another_decision_of_the_policy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    export: Export = await SHAPES["a_tool"]()
    monkeypatch.setattr(LabelPolicy, "decide", lambda *_: Verdict("deny", "nobody may do anything"))
    (found,) = await replay(export)
    assert found.difference is not None
    assert (found.difference.kind, found.difference.path) == ("call_decided", "verdict")
    assert found.difference.now == "deny"


async def test_a_request_that_is_built_in_another_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    export: Export = await SHAPES["a_tool"]()
    monkeypatch.setattr(model_step, "fit", lambda system, history, added, room: (system, *added[1:]))
    (found,) = await replay(export)
    assert found.difference is not None
    assert (found.difference.step, found.difference.path) == (1, "digest")


async def test_prices_are_compared_where_they_are_known() -> None:
    def change(raw: Raw) -> None:
        raw["models"]["scripted/priced"]["output_price"] = 16.0

    before, found = await changed("too_dear_in_the_end", change)
    assert (found.kind, found.path, found.step) == ("model_asked", "estimate", numbered(before, "model_asked"))


async def test_a_recording_that_stops_before_the_end_is_the_same_as_far_as_it_goes() -> None:
    export: Export = await SHAPES["a_tool"]()
    turn = export.turns[0]
    for length in range(1, len(turn.steps)):
        part = msgspec.structs.replace(turn, steps=turn.steps[:length])
        (found,) = await replay(msgspec.structs.replace(export, turns=(part,)))
        assert found.difference is None
        assert (found.unfinished, found.steps) == (True, length)
        assert "stops before it ended" in str(found)
