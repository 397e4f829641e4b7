"""The difference of two states of the public names: each kind of change gets the verdict that it deserves."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import pytest

from gitu_core.errors import GituError
from gitu_core.model import Value
from scripts import api

ROOT = Path(__file__).resolve().parents[2]


def state(names: dict[str, Any], **versions: Any) -> api.Api:
    """A made-up state: things by name, and two contracts, of which the host fulfils `host.kv`."""
    entries = {name: each if isinstance(each, dict) else api.entry(each) for name, each in names.items()}
    for seam, protocol in (("tool", "Tool"), ("host.kv", "Kv")):
        about = {"protocol": protocol, "host_only": [], "crosses": True, "oldest": 1}
        entries.setdefault(f"seam {seam}", {"kind": "seam", "data": about})
    numbers = {"gitu_core": [0, 1], "wire": [1], "seam tool": [1], "seam host.kv": [1], **versions}
    return {"versions": numbers, "names": entries, "accepted": []}


def one(name: str, before: Any, after: Any) -> list[api.Change]:
    """The differences where one thing changed."""
    return api.compare(state({name: before}), state({name: after}))


def struct(**fields: Any) -> type[Value]:
    """A made-up value; a field is its type, or a pair with its default."""
    given = [(name, *each) if isinstance(each, tuple) else (name, each) for name, each in fields.items()]
    return msgspec.defstruct("Made", given, bases=(Value,), frozen=True, kw_only=False)  # type: ignore[return-value]


STRUCTS = [
    ("a field with a default", struct(a=int), struct(a=int, b=(int, 0)), "additive"),
    ("a field without one", struct(a=int), struct(a=int, b=int), "breaking"),
    ("a field removed", struct(a=int, b=(int, 0)), struct(a=int), "breaking"),
    ("a field renamed", struct(a=int), struct(b=int), "breaking"),
    ("the order of positional fields", struct(a=int, b=int), struct(b=int, a=int), "breaking"),
    ("a field in the middle", struct(a=(int, 1), b=(int, 2)), struct(a=(int, 1), c=(int, 0), b=(int, 2)), "breaking"),
    ("a type narrowed", struct(a=int | None), struct(a=int), "breaking"),
    ("a type widened", struct(a=int), struct(a=int | None), "additive"),
    ("a type replaced", struct(a=int), struct(a=str), "breaking"),
    ("anything is taken", struct(a=int), struct(a=Any), "additive"),
    ("no longer anything", struct(a=Any), struct(a=int), "breaking"),
    ("a choice removed", struct(a=Literal["x", "y"]), struct(a=Literal["x"]), "breaking"),
    ("a choice added", struct(a=Literal["x"]), struct(a=Literal["x", "y"]), "additive"),
    ("a default changed", struct(a=(int, 1)), struct(a=(int, 2)), "breaking"),
    ("a default gained", struct(a=int), struct(a=(int, 2)), "additive"),
    ("a default lost", struct(a=(int, 2)), struct(a=int), "breaking"),
    ("inside a list", struct(a=list[Literal[1, 2]]), struct(a=list[Literal[1]]), "breaking"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "verdict"), [each[1:] for each in STRUCTS], ids=[e[0] for e in STRUCTS])
def test_a_value(before: Any, after: Any, verdict: str) -> None:
    found = one("gitu_core.contracts.Made", before, after)
    assert found
    assert max(each.verdict for each in found) == verdict
    assert one("gitu_core.contracts.Made", before, before) == []


def none() -> None: ...
def one_more(a: int = 0) -> None: ...
def a_must(a: int) -> None: ...
def b_must(b: int) -> None: ...
def two(a: int, b: int) -> None: ...
def swapped(b: int, a: int) -> None: ...
def named(*, a: int) -> None: ...
def wide(a: int | str) -> None: ...
def gives_less() -> int: ...  # type: ignore[empty-body]
def gives_more() -> int | None: ...
async def waits() -> None: ...


FUNCTIONS: list[tuple[Callable[..., Any], Callable[..., Any], str]] = [
    (none, one_more, "additive"), (none, a_must, "breaking"), (one_more, none, "breaking"), (two, swapped, "breaking"),
    (a_must, one_more, "additive"), (one_more, a_must, "breaking"), (a_must, named, "breaking"),
    (named, a_must, "additive"),
    (a_must, wide, "additive"), (wide, a_must, "breaking"), (gives_less, gives_more, "breaking"),
    (gives_more, gives_less, "additive"), (none, waits, "breaking"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "verdict"), FUNCTIONS, ids=[f"{b.__name__}-{a.__name__}" for b, a, _ in FUNCTIONS]
)
def test_a_function(before: Any, after: Any, verdict: str) -> None:
    found = one("gitu_core.made", before, after)
    assert max(each.verdict for each in found) == verdict


class Less(Protocol):
    """A contract."""

    name: str

    async def run(self, a: int) -> int: ...


class MoreArguments(Protocol):
    """A parameter with a default."""

    name: str

    async def run(self, a: int, b: int = 0) -> int: ...


class MoreMethods(Less, Protocol):
    """A method more."""

    async def stop(self) -> None: ...


class GivesMore(Protocol):
    """May give more."""

    name: str

    async def run(self, a: int) -> int | None: ...


class TakesMore(Protocol):
    """Is handed more."""

    name: str

    async def run(self, a: int | str) -> int: ...


class Nameless(Protocol):
    """Something is gone."""

    async def run(self, a: int) -> int: ...


@pytest.mark.parametrize(
    ("after", "by_host", "by_plugins"),
    [
        (MoreArguments, "additive", "breaking"), (MoreMethods, "additive", "breaking"),
        (GivesMore, "breaking", "additive"), (TakesMore, "additive", "breaking"), (Nameless, "breaking", "breaking"),
    ],
)  # fmt: skip
def test_who_fulfils_a_contract_decides_what_breaks_it(after: Any, by_host: str, by_plugins: str) -> None:
    """What the host calls has to be there already; what plugins call may become more."""
    for name, verdict in (("Kv", by_host), ("Tool", by_plugins)):
        found = one(f"gitu_core.contracts.{name}", Less, after)
        assert max(each.verdict for each in found) == verdict, name


def hook(mode: str = "observe", timeout: float = 5, function: Any = two) -> dict[str, Any]:
    """A made-up hook."""
    return {**api.entry(function), "kind": "hook", "data": {"mode": mode, "timeout": timeout, "value": "", "seam": ""}}


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (hook(), hook(timeout=6), "additive"), (hook(), hook(timeout=4), "breaking"),
        (hook(), hook(mode="guard"), "breaking"), (hook(function=a_must), hook(), "additive"),
        (hook(), hook(function=a_must), "breaking"), (hook(function=a_must), hook(function=wide), "breaking"),
        (hook(function=gives_less), hook(function=gives_more), "additive"),
    ],
)  # fmt: skip
def test_a_hook(before: Any, after: Any, verdict: str) -> None:
    assert max(each.verdict for each in one("hook gitu_made", before, after)) == verdict


def error(base: type, code: str) -> Any:
    """A made-up class."""
    return type("Made", (base,), {}, code=code)


def test_errors_aliases_and_constants() -> None:
    assert one("gitu_core.errors.Made", error(GituError, "a"), error(GituError, "b"))[0].verdict == "breaking"
    assert (
        one("gitu_core.errors.Made", error(GituError, "a"), error(error(GituError, "x"), "a"))[0].verdict == "breaking"
    )
    assert one("gitu_core.contracts.X", Literal["a", "b"], Literal["a"])[0].verdict == "breaking"
    assert one("gitu_core.contracts.X", Literal["a"], Literal["a", "b"])[0].verdict == "additive"
    assert one("gitu_core.contracts.X", ("kv", "log"), ("kv",))[0].verdict == "breaking"
    assert one("gitu_core.contracts.X", ("kv",), ("kv", "log"))[0].verdict == "additive"
    assert one("gitu_core.contracts.X", 1, 2)[0].verdict == "breaking"
    assert one("gitu_core.contracts.X", struct(a=int), none)[0].words == "it was a struct, and is a function"
    assert one("gitu_core.contracts.X", Callable[[str], Awaitable[None]], Callable[[int], Awaitable[None]])


def test_names_come_go_and_are_renamed() -> None:
    (added,) = api.compare(state({}), state({"gitu_core.x": none}))
    assert (added.verdict, added.what) == ("additive", "added")
    (removed,) = api.compare(state({"gitu_core.x": none}), state({}))
    assert (removed.verdict, removed.what, removed.words) == ("breaking", "removed", "")
    both = api.compare(state({"gitu_core.x": none}), state({"gitu_core.y": none}))
    assert [str(each) for each in both] == [
        "breaking  removed  gitu_core.x: renamed to gitu_core.y?", "additive  added    gitu_core.y",
    ]  # fmt: skip
    assert [str(each) for each in one("gitu_core.made", a_must, b_must)] == [
        "breaking  removed  gitu_core.made(a): renamed to b?", "breaking  added    gitu_core.made(b): no default",
    ]  # fmt: skip
    seam = {"kind": "seam", "data": {"protocol": "Tool", "host_only": [], "crosses": True, "oldest": 2}}
    (ended,) = api.compare(state({}), state({"seam tool": seam}))
    assert str(ended) == "breaking  changed  seam tool: oldest was 1, and is 2"


@pytest.mark.parametrize(
    ("name", "raised", "excused"),
    [
        ("gitu_core.contracts.Spec", {}, "raise the version of seam tool"),
        ("gitu_core.contracts.Spec", {"gitu_core": [0, 2]}, "raise the version of seam tool"),
        ("gitu_core.contracts.Spec", {"seam tool": [2]}, ""),
        ("gitu_core.contracts.Other", {"seam tool": [2]}, "raise the version of gitu_core"),
        ("gitu_core.contracts.Other", {"gitu_core": [0, 2]}, ""),
        ("frame Made", {"gitu_core": [0, 2]}, "raise the version of wire"),
        ("frame Made", {"wire": [2]}, ""),
    ],
)
def test_what_breaks_needs_a_new_version_of_what_it_belongs_to(
    name: str, raised: dict[str, Any], excused: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = {"kind": "protocol", "members": {"spec": {"kind": "attribute", "types": ["Spec"]}}}
    spec = {"gitu_core.contracts.Spec": struct(a=int), "gitu_core.contracts.Tool": tool}
    before = state({**spec, name: struct(a=int)})
    after = copy.deepcopy(state({**spec, name: struct(b=int)}, **raised))
    file = tmp_path / "api.json"
    assert api.main(["--write"], file, before) == 0
    assert api.main([], file, before) == 0
    assert api.main([], file, after) == 1, "an old snapshot fails, whatever the verdict"
    was = file.read_text()
    assert api.main(["--write"], file, after) == (1 if excused else 0)
    assert excused in capsys.readouterr().err
    assert (file.read_text() == was) is bool(excused)
    if excused:
        assert api.main(["--write", "--because", "nobody has it yet"], file, after) == 0
        assert json.loads(file.read_text())["accepted"][0]["because"] == "nobody has it yet"
    assert api.main([], file, after) == 0


def test_additive_changes_fail_until_the_snapshot_is_renewed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "api.json"
    api.main(["--write"], file, state({}))
    after = state({"gitu_core.x": none})
    assert api.main([], file, after) == 1
    said = capsys.readouterr()
    assert "1 differences, additive" in said.out
    assert "python scripts/api.py --write" in said.err
    assert api.main(["--write"], file, after) == 0
    assert api.main([], file, after) == 0


def test_the_snapshot_holds_everything_public_and_is_the_same_in_every_process() -> None:
    found = subprocess.run([sys.executable, "scripts/api.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    names = api.snapshot()["names"]
    fields = [each[0] for each in names["gitu_core.contracts.ToolSpec"]["params"]]
    assert fields[:3] == ["name", "description", "input_schema"]
    assert names["gitu_core.contracts.Adapter"]["members"]["send"]["kind"] == "async function"
    assert names["hook gitu_timer"]["data"]["timeout"] == 300
    assert names["gitu_core.errors.Denied"]["data"] == {"code": "denied", "base": "GituError"}
    assert names["gitu_core.contracts.FACETS"]["types"] == sorted(map(repr, __import__("gitu_core").contracts.FACETS))
    assert "frame Hello" in names
    assert "manifest Manifest" in names
    assert len(names["gitu_core.tool"]["members"]) == 2, "its overloads"
    assert {"None", "'open'"} <= set(
        dict((e[0], e[2]) for e in names["gitu_core.contracts.Channel"]["params"])["access"]
    )
    owned = api.owners(api.snapshot())
    assert owned["gitu_core.contracts.Entry"] == {"seam host.kv"}
    assert owned["gitu_core.contracts.ToolSpec"] >= {"seam tool", "seam provider"}
    assert owned["gitu_core.Gitu"] == {"gitu_core"}
