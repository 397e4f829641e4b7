"""Exports as files: what is named, what is kept, what is refused; and the corpus of every format."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from gitu_core import Gitu
from gitu_core.errors import InputError
from gitu_core.testing import ScriptedModel, call, export, replay_file
from gitu_core.testing.replay.file import FORMAT, FORMATS, load, read, save, written
from gitu_core.testing.replay.run import replay
from tests.replay.corpus_make import KEPT
from tests.replay.shapes import ALL, SHAPES

pytestmark = pytest.mark.anyio
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))


async def test_a_turn_a_message_a_session_and_the_last_turn_are_found_by_their_names() -> None:
    async with Gitu(model=ScriptedModel(["one", "two"])) as gitu:
        first = await gitu.send("1", user="u")
        second = await gitu.send("2", user="u")
        for name in (first.turn, first.turn.rpartition("-")[0], f"{first.turn}.inner"):
            assert [turn.info.id for turn in (await export(gitu, name)).turns] == [first.turn]
        assert [turn.info.id for turn in (await export(gitu)).turns] == [second.turn]
        both = await export(gitu, first.session)
        assert [turn.info.id for turn in both.turns] == [first.turn, second.turn]
        with pytest.raises(InputError, match="no turn, session or message 'nothing'"):
            await export(gitu, "nothing")


async def test_where_nothing_was_recorded_nothing_is_exported() -> None:
    async with Gitu(model=ScriptedModel([])) as gitu:
        with pytest.raises(InputError, match="nothing was recorded yet"):
            await export(gitu)


async def test_a_turn_that_runs_is_exported_as_far_as_it_came() -> None:
    async with Gitu(model=ScriptedModel([call("hangs")]), tools=ALL) as gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.send, "go")
        await anyio.sleep(0.3)
        found = await export(gitu)
        group.cancel_scope.cancel()
    (same,) = await replay(found)
    assert (same.difference, same.unfinished) == (None, True)


async def test_only_what_was_in_the_context_leaves_the_house() -> None:
    async with Gitu(model=ScriptedModel(["one", "two", "three"])) as gitu:
        for text in ("first", "second", "third"):
            reply = await gitu.send(text, user="u")
        turns = [entry.turn for entry in await gitu.history(reply.session)]
        found = await export(gitu, turns[2])
    assert [said.message.text for said in found.history] == ["first", "one", "second", "two"]


async def test_what_this_version_does_not_know_is_kept(tmp_path: Path) -> None:
    raw: dict[str, Any] = msgspec.json.decode(written(await SHAPES["a_tool"]()))
    places: list[dict[str, Any]] = [
        raw, raw["turns"][0], raw["turns"][0]["steps"][0], raw["turns"][0]["steps"][0]["step"],
        raw["turns"][0]["steps"][2]["step"]["message"]["calls"][0], raw["history"][0], raw["profiles"]["default"],
    ]  # fmt: skip
    for place in places:
        place["from_tomorrow"] = {"a": [1]}
    found = read(msgspec.json.encode(raw))
    assert written(found).count(b'"from_tomorrow"') == len(places)
    assert read(written(found)) == found
    assert all(each.difference is None for each in await replay(found))


async def test_a_file_is_only_for_its_owner(tmp_path: Path) -> None:
    save(await SHAPES["plain"](), tmp_path / "a.json")
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600
    with pytest.raises(InputError, match="cannot be written"):
        save(load(tmp_path / "a.json"), tmp_path / "no" / "a.json")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"format": 1000}', f"has the format 1000; this program knows {FORMAT}"),
        (b"{}", "is no export"),
        (b"not json", "is no export"),
        (b'{"format": 1, "gitu": 3}', "is no export"),
    ],
)
async def test_what_is_no_export_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(InputError, match=words):
        load(tmp_path / "x.json")


async def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load("nowhere.json")


async def test_a_turn_whose_message_is_not_in_the_file_cannot_be_run_again() -> None:
    found = await SHAPES["plain"]()
    turn = msgspec.structs.replace(found.turns[0], ask=None)
    with pytest.raises(InputError, match="is not in the file"):
        await replay(msgspec.structs.replace(found, turns=(turn,)))


def test_every_format_has_a_sentence_and_a_file() -> None:
    assert list(FORMATS) == list(range(1, FORMAT + 1))
    assert all(sentence.endswith(".") for sentence in FORMATS.values())
    formats = {msgspec.json.decode(path.read_bytes())["format"] for path in CORPUS}
    assert formats == set(FORMATS)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_file_of_every_format_goes_the_same_way_again(path: Path) -> None:
    """What a version has written is read and run by all that follow."""
    found = replay_file(path)
    assert sum(each.steps for each in found) > 5


def test_every_shape_that_is_to_be_kept_has_a_file() -> None:
    names = {path.stem for path in CORPUS}
    assert {f"format-1-{name}" for name in KEPT} <= names
    assert set(KEPT.values()) <= set(SHAPES)


def test_a_test_that_fails_tells_the_first_difference(tmp_path: Path) -> None:
    raw = msgspec.json.decode(next(path for path in CORPUS if path.stem == "format-1").read_bytes())
    raw["turns"][0]["steps"][1]["step"]["digest"] = "0"
    (tmp_path / "x.json").write_bytes(msgspec.json.encode(raw))
    with pytest.raises(AssertionError, match=r"step 1 \(model_asked\) of turn .*: digest: recorded was"):
        replay_file(tmp_path / "x.json")


async def test_a_file_is_not_run_where_a_loop_runs_already(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in async code") as told:
        replay_file(tmp_path / "any.json")
    assert "await gitu_core.testing.replay.run.replay(load(path))" in told.value.hint
