"""A side that speaks several versions of a contract or of the wire meets one that speaks fewer."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gitu_core.border import frames
from gitu_core.border.peer import Peer
from gitu_core.contracts import SEAMS, MemoryStore, Tool
from gitu_core.errors import IncompatibleError, ManifestError
from gitu_core.manifest import Manifest, check_versions
from gitu_core.model import ToolSpec
from gitu_core.registry.describe import summarise
from gitu_core.testing.loopback import memory_transports

OFFER: Any = {"ref": 1, "data": {"spec": ToolSpec("here", "Says where it is.")}}


@pytest.fixture
def speaks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets this host speak other versions of the contract `tool`."""

    def change(version: int, oldest: int) -> None:
        changed = dataclasses.replace(SEAMS["tool"], version=version, oldest=oldest)
        monkeypatch.setitem(SEAMS, "tool", changed)

    return change


@pytest.mark.parametrize(
    ("version", "oldest", "wanted"),
    [(2, 1, 1), (2, 1, 2), (2, 1, "1-2"), (2, 2, "1-2"), (3, 2, "1-2"), (3, 2, "3-9"), (4, 1, "2-3")],
)
def test_a_plugin_fits_where_both_speak_a_version(speaks: Any, version: int, oldest: int, wanted: Any) -> None:
    speaks(version, oldest)
    check_versions(Manifest("a", contracts={"tool": wanted}))


@pytest.mark.parametrize(
    ("version", "oldest", "wanted", "words"),
    [
        (2, 2, 1, "needs contract tool 1; this host offers version 2 .*upgrade the plugin a"),
        (3, 2, 1, "needs contract tool 1; this host offers version 2-3 .*upgrade the plugin a"),
        (2, 1, 3, "needs contract tool 3; this host offers version 1-2 .*upgrade gitu-core"),
        (2, 1, "3-4", "upgrade gitu-core"),
    ],
)
def test_a_plugin_that_shares_no_version_is_told_what_to_upgrade(
    speaks: Any, version: int, oldest: int, wanted: Any, words: str
) -> None:
    speaks(version, oldest)
    with pytest.raises(IncompatibleError, match=words):
        check_versions(Manifest("a", contracts={"tool": wanted}))


def test_a_range_that_runs_backwards_is_none(speaks: Any) -> None:
    speaks(3, 1)
    with pytest.raises(ManifestError, match="neither a number nor a range"):
        check_versions(Manifest("a", contracts={"tool": "3-1"}))


def test_what_the_author_wrote_for_is_kept_when_a_manifest_is_written_again(speaks: Any) -> None:
    speaks(2, 1)
    cases: list[tuple[dict[str, str | int], str | int]] = [({"tool": "1-2"}, "1-2"), ({"tool": 1}, 1), ({}, 2)]
    for declared, kept in cases:
        found = summarise(
            Manifest("a", contracts=declared), {}, {"tool": [SimpleNamespace(spec=OFFER["data"]["spec"])]}
        )
        assert found.contracts == {"tool": kept}


def newer(change: dict[str, Any]) -> frames.Hello:
    """The greeting of a side that differs from this one."""
    return msgspec.structs.replace(frames.greeting(), **change)


@pytest.mark.parametrize(
    ("hello", "both"),
    [
        (newer({"contracts": {"tool": 2}, "oldest": {"tool": 1}}), 1),
        (newer({"contracts": {"tool": 1}, "oldest": {}}), 1),
        (newer({"contracts": {}}), 1),
    ],
    ids=["newer", "older", "silent"],
)
def test_an_old_side_and_a_newer_one_that_still_speaks_its_version_agree(hello: frames.Hello, both: int) -> None:
    assert frames.agree(hello, Tool) == both


@pytest.mark.parametrize(("theirs", "both"), [(1, 1), (2, 2), (3, 3)])
def test_a_new_host_takes_the_newest_version_that_an_older_worker_speaks(speaks: Any, theirs: int, both: int) -> None:
    speaks(3, 1)
    assert frames.agree(newer({"contracts": {"tool": theirs}, "oldest": {}}), Tool) == both


@pytest.mark.parametrize(
    ("version", "oldest", "theirs", "their_oldest", "side"),
    [(3, 2, 1, 1, "the other"), (1, 1, 3, 2, "this"), (1, 1, 2, None, "this"), (2, 2, 1, None, "the other")],
)
def test_sides_without_a_common_version_are_told_which_one_to_upgrade(
    speaks: Any, version: int, oldest: int, theirs: int, their_oldest: int | None, side: str
) -> None:
    speaks(version, oldest)
    hello = newer({"contracts": {"tool": theirs}, "oldest": {} if their_oldest is None else {"tool": their_oldest}})
    with pytest.raises(IncompatibleError, match=f"contract tool .*upgrade gitu-core on {side} side"):
        frames.agree(hello, Tool)
    assert frames.agree(hello, MemoryStore) == 1


def test_the_wire_itself_is_agreed_upon_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert frames.agree(newer({"wire": 2, "oldest": {"": 1}})) == 1
    with pytest.raises(IncompatibleError, match="the wire protocol in version 2"):
        frames.agree(newer({"wire": 2, "oldest": {}}))
    monkeypatch.setattr(frames, "WIRE_VERSION", 3)
    assert frames.agree(newer({"wire": 2, "oldest": {}})) == 2
    monkeypatch.setattr(frames, "WIRE_OLDEST", 3)
    with pytest.raises(IncompatibleError, match="on the other side"):
        frames.agree(newer({"wire": 2, "oldest": {}}))


@pytest.mark.anyio
@pytest.mark.parametrize("new", ["worker", "host"])
async def test_a_connection_opens_between_an_old_and_a_new_side(new: str, speaks: Any) -> None:
    """The other end's first frame is written out: a worker of the first generation knows no `oldest`."""
    if new == "host":
        speaks(2, 1)
        frame = ["hello", 1, {"tool": 1}, OFFER]
    else:
        frame = ["hello", 2, {"tool": 2}, OFFER, {"": 1, "tool": 1}, "what comes later"]
    near, far = memory_transports()
    await far.send(msgspec.json.encode(frame))
    async with Peer(near) as peer:
        assert peer.remote(Tool).spec.name == "here"
        greeting = msgspec.json.decode(await far.receive())
        assert (greeting[1], greeting[4][""]) == (1, 1)
        assert (greeting[2]["tool"], greeting[4]["tool"]) == ((2, 1) if new == "host" else (1, 1))
