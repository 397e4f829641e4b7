"""Compare the public names with their snapshot: what was added, changed, removed, and whether that breaks anybody.

    python scripts/api.py            print the differences; fail until the snapshot is renewed
    python scripts/api.py --write    renew it; refused where something breaks and what it belongs to kept its version
    … --write --because WORDS        renew it all the same; the snapshot keeps the words

What breaks is excused when every contract that it belongs to has a new version (the wire's for frames, the package's
for what no contract speaks in). docs/decisions/0022-versions.md says what counts as what.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

FILE = Path(__file__).resolve().parent.parent / "docs" / "api.json"
MODULES = ("gitu_core.contracts", "gitu_core", "gitu_core.errors", "gitu_core.testing")
TABLES = ("Manifest", "Capabilities", "SecretNeed", "Contribution")
VERSIONS = {"__version__", "WIRE_VERSION", "SEAMS"}
"""Names that are told as versions and seams."""
BY_HOST = re.compile(r"host(\..+)?|inbox|call")
"""Contracts that the host fulfils and plugins use; all others are the other way round."""

Entry = dict[str, Any]
Api = dict[str, Any]
Verdict = Literal["additive", "breaking"]


class Change(NamedTuple):
    """One difference."""

    verdict: Verdict
    what: Literal["added", "changed", "removed"]
    place: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:<9} {self.what:<8} {self.place}{': ' if self.words else ''}{self.words}"


# ---- the snapshot -------------------------------------------------------------------------------------------


def alternatives(hint: Any) -> list[str]:
    """A type as the alternatives that it allows, in order: members of a union, values of a Literal."""
    if isinstance(hint, str):
        return sorted(hint.split(" | ")) if "[" not in hint else [hint]
    if get_origin(hint) in (typing.Union, types.UnionType):
        return sorted({each for part in get_args(hint) for each in alternatives(part)})
    if get_origin(hint) is Literal:
        return sorted(repr(each) for each in get_args(hint))
    if get_origin(hint) is typing.Annotated:
        return alternatives(get_args(hint)[0])
    return [_text(hint)]


def _text(hint: Any) -> str:
    if hint is None or hint is type(None):
        return "None"
    if hint is ...:
        return "..."
    if isinstance(hint, list):
        return f"[{', '.join(' | '.join(alternatives(each)) for each in hint)}]"
    if isinstance(hint, typing.ForwardRef):
        return hint.__forward_arg__
    origin = get_origin(hint)
    name = getattr(origin or hint, "__name__", str(hint))
    inner = ", ".join(" | ".join(alternatives(each)) for each in get_args(hint))
    return f"{name}[{inner}]" if inner else name


def _hints(thing: Any) -> Mapping[str, Any]:
    try:
        return get_type_hints(thing, include_extras=True)
    except NameError:  # imported for type checkers only: as it is written
        return inspect.get_annotations(thing) if inspect.isclass(thing) else getattr(thing, "__annotations__", {})


def _value(value: Any) -> str:
    """A default in words that are the same in every process."""
    try:
        return msgspec.json.encode(value, order="deterministic").decode()
    except TypeError:
        return str(getattr(value, "__name__", type(value).__name__))


def _params(thing: Any, hints: Mapping[str, Any], made: Mapping[str, str]) -> list[list[Any]]:
    try:
        parameters = list(inspect.signature(thing).parameters.values())
    except ValueError:  # made in C: it has none to tell
        return []
    kinds: dict[Any, str] = {inspect.Parameter.KEYWORD_ONLY: "named", inspect.Parameter.VAR_POSITIONAL: "*",
             inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.POSITIONAL_ONLY: "unnamed"}  # fmt: skip
    found = []
    for each in parameters:
        if each.name not in ("self", "cls"):
            default = None if each.default is each.empty else _value(each.default)
            hint = hints.get(each.name, each.annotation)
            typed = [] if hint is each.empty else alternatives(hint)
            found.append([each.name, kinds.get(each.kind, "plain"), typed, made.get(each.name, default)])
    return found


def _function(function: Any) -> Entry:
    hints = _hints(inspect.unwrap(function))
    kind = "async function" if inspect.iscoroutinefunction(function) else "function"
    found: Entry = {"kind": kind, "params": _params(function, hints, {})}
    found["returns"] = alternatives(hints["return"]) if "return" in hints else []
    if function not in (overloads := typing.get_overloads(function)) and overloads:
        found["members"] = {f"overload {number}": _function(each) for number, each in enumerate(overloads, 1)}
    return found


def _library(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def _class(cls: type, kind: str = "class") -> Entry:
    members: dict[str, Entry] = {}
    for home in reversed([each for each in cls.__mro__ if _library(each) == _library(cls)]):
        for name, each in vars(home).items():
            each = each.__func__ if isinstance(each, staticmethod | classmethod) else each
            if inspect.isfunction(each) and not name.startswith("_"):
                members[name] = _function(each)
            elif isinstance(each, property) and not name.startswith("_"):
                returned = _hints(each.fget).get("return", "Any") if each.fget else "Any"
                members[name] = {"kind": "attribute", "types": alternatives(returned)}
    found: Entry = {"kind": kind, "members": members}
    if kind == "protocol":
        for name, hint in _hints(cls).items():
            members[name] = {"kind": "attribute", "types": alternatives(hint)}
        return found
    made = {}
    if issubclass(cls, msgspec.Struct):
        found["kind"], found["data"] = "struct", {"tag": cls.__struct_config__.tag}
        for field in msgspec.structs.fields(cls):
            if field.default_factory is not msgspec.NODEFAULT:
                made[field.name] = _value(field.default_factory())
    elif issubclass(cls, Exception):
        found["kind"], found["data"] = "error", {"code": getattr(cls, "code", ""), "base": cls.__bases__[0].__name__}
    init = {} if issubclass(cls, msgspec.Struct) else _hints(cls.__init__)
    return {**found, "params": _params(cls, {**_hints(cls), **init}, made)}


def entry(thing: Any) -> Entry:
    """One public thing as data."""
    if inspect.isclass(thing):
        return _class(thing, "protocol" if getattr(thing, "_is_protocol", False) else "class")
    if inspect.isroutine(thing):
        return _function(thing)
    if isinstance(thing, tuple | frozenset):
        return {"kind": "value", "types": sorted(map(repr, thing))}
    if isinstance(thing, str | int | float | msgspec.Struct):
        return {"kind": "value", "data": {"value": _value(thing)}}
    return {"kind": "type", "types": alternatives(thing)}


def snapshot() -> Api:
    """Every public name as it is now, the seams, hooks, manifest and frames included."""
    import gitu_core
    from gitu_core import hookspecs, manifest
    from gitu_core.border import frames
    from gitu_core.contracts.base import SEAMS, WIRE_VERSION

    major, minor, *_ = gitu_core.__version__.split(".")
    versions: dict[str, Any] = {"gitu_core": [int(major), int(minor) if major == "0" else 0], "wire": [WIRE_VERSION]}
    names: dict[str, Entry] = {}
    homes: dict[int, str] = {}
    for home in MODULES:
        module = importlib.import_module(home)
        for name in sorted(set(module.__all__) - VERSIONS):
            thing, place = getattr(module, name), f"{home}.{name}"
            first = homes.setdefault(id(thing), place) if inspect.isclass(thing) or inspect.isroutine(thing) else place
            names[place] = entry(thing) if first == place else {"kind": "name", "data": {"as": first}}
    for name in TABLES:
        names[f"manifest {name}"] = entry(getattr(manifest, name))
    for frame in get_args(frames.Frame):
        names[f"frame {frame.__name__}"] = entry(frame)
    for hook, meta in hookspecs.HOOKS.items():
        data = {"mode": meta.mode, "timeout": meta.timeout, "value": meta.value, "seam": meta.seam}
        names[f"hook {hook}"] = {**_function(getattr(hookspecs, hook)), "kind": "hook", "data": data}
    for seam in SEAMS.values():
        versions[f"seam {seam.name}"] = [seam.version]
        kept, oldest = sorted(seam.host_only), seam.oldest
        about = {"protocol": seam.protocol.__name__, "host_only": kept, "crosses": seam.crosses, "oldest": oldest}
        names[f"seam {seam.name}"] = {"kind": "seam", "data": about}
    found: Api = msgspec.json.decode(msgspec.json.encode({"versions": versions, "names": names, "accepted": []}))
    return found


# ---- the difference -----------------------------------------------------------------------------------------


def compare(before: Api, after: Api) -> list[Change]:
    """All differences; what breaks and is excused by new versions is still told as breaking."""
    old, new = before["names"], after["names"]
    hosts = {each["data"]["protocol"] for name, each in new.items()
             if each["kind"] == "seam" and BY_HOST.fullmatch(name.removeprefix("seam "))}  # fmt: skip
    found: list[Change] = []
    for name in sorted(old.keys() - new.keys()):
        same = [each for each in sorted(new.keys() - old.keys()) if new[each] == old[name]]
        found.append(Change("breaking", "removed", name, f"renamed to {same[0]}?" if same else ""))
    found += [Change("additive", "added", name) for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        ours = new[name]["kind"] != "protocol" or name.rpartition(".")[2] in hosts
        found += _entry(name, old[name], new[name], ours)
    return found


def _entry(place: str, old: Entry, new: Entry, ours: bool) -> Iterator[Change]:
    """*ours*: the host fulfils it and others use it."""
    if old["kind"] != new["kind"]:
        yield Change("breaking", "changed", place, f"it was a {old['kind']}, and is a {new['kind']}")
        return
    yield from _data(place, old.get("data", {}), new.get("data", {}))
    if old["kind"] == "attribute" and ours and "." in place:
        yield from _types(place, old["types"], new["types"], given=True)
    else:
        yield from _types(place, old.get("types", []), new.get("types", []))
    rules = _hook_params if old["kind"] == "hook" else _params_ours if ours else _params_theirs
    yield from rules(place, old.get("params", []), new.get("params", []), old["kind"] == "struct")
    given = ours and old["kind"] != "hook"
    yield from _types(f"{place} gives", old.get("returns", []), new.get("returns", []), given=given)
    before, after = old.get("members", {}), new.get("members", {})
    for name in sorted(before.keys() - after.keys()):
        yield Change("breaking", "removed", f"{place}.{name}")
    for name in sorted(after.keys() - before.keys()):
        words = "" if ours else "what was written before does not have it"
        yield Change("additive" if ours else "breaking", "added", f"{place}.{name}", words)
    for name in sorted(before.keys() & after.keys()):
        yield from _entry(f"{place}.{name}", before[name], after[name], ours)


def _data(place: str, old: Entry, new: Entry) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        was: Any = old.get(key)
        now: Any = new.get(key)
        if was != now:
            fine = None not in (was, now) and ((key == "timeout" and now > was) or (key == "oldest" and now < was))
            yield Change("additive" if fine else "breaking", "changed", place, f"{key} was {was!r}, and is {now!r}")


def _types(place: str, old: list[str], new: list[str], *, given: bool = False) -> Iterator[Change]:
    """What is taken may become more, what is *given* may become less."""
    less, more = ("widened", "narrowed") if given else ("narrowed", "widened")
    old, new = (new, old) if given else (old, new)
    gone = sorted(set(old) - set(new)) if "Any" not in new else []
    come = sorted(set(new) - set(old)) if "Any" not in old else []
    if gone or ("Any" in old and "Any" not in new):
        yield Change("breaking", "changed", place, f"its type was {less}: {', '.join(gone)}")
    elif come or old != new:
        yield Change("additive", "changed", place, f"its type was {more}: {', '.join(come)}")


def _params_ours(place: str, old: list[list[Any]], new: list[list[Any]], struct: bool) -> Iterator[Change]:
    """What others call or make: nothing that they hand over may stop to be taken."""
    before, after = ({each[0]: each for each in side} for side in (old, new))
    order = [each[0] for each in old if each[1] in ("plain", "unnamed")]
    now = [each[0] for each in new if each[1] in ("plain", "unnamed")]
    kept = [each for each in order if each in after]
    if order == kept and now[: len(order)] != order and not any(after[each][1] == "named" for each in order):
        yield Change("breaking", "changed", place, f"the order was {', '.join(order)}, and is {', '.join(now)}")
    for name, each in before.items():
        if name not in after:
            at = old.index(each)
            other = new[at] if at < len(new) and new[at][0] not in before and new[at][1:] == each[1:] else None
            yield Change("breaking", "removed", f"{place}({name})", f"renamed to {other[0]}?" if other else "")
        else:
            yield from _param(f"{place}({name})", each, after[name], struct)
    for name, (_, kind, _, default) in after.items():
        if name not in before:
            fine = default is not None or kind in ("*", "**")
            yield Change("additive" if fine else "breaking", "added", f"{place}({name})", "" if fine else "no default")


def _param(place: str, old: list[Any], new: list[Any], struct: bool) -> Iterator[Change]:
    (_, kind, typed, default), (_, kind_now, typed_now, default_now) = old, new
    if kind != kind_now:
        fine = kind_now == "plain" and kind in ("named", "unnamed")
        yield Change("additive" if fine else "breaking", "changed", place, f"it was {kind}, and is {kind_now}")
    yield from _types(place, typed, typed_now)
    if default != default_now:
        fine = default_now is not None and (default is None or not struct)
        words = f"its default was {default}, and is {default_now}"
        yield Change("additive" if fine else "breaking", "changed", place, words)


def _params_theirs(place: str, old: list[list[Any]], new: list[list[Any]], struct: bool) -> Iterator[Change]:
    """What others fulfil and the host calls: it may hand over nothing that they do not take."""
    before, after = ({each[0]: each for each in side} for side in (old, new))
    for name in [each for each in before if each not in after]:
        yield Change("breaking", "removed", f"{place}({name})")
    for name in [each for each in after if each not in before]:
        yield Change("breaking", "added", f"{place}({name})", "what was written before does not take it")
    if (kept := [each for each in before if each in after]) != [each for each in after if each in before]:
        yield Change("breaking", "changed", place, f"the order was {', '.join(kept)}")
    for name in kept:
        (_, kind, typed, default), (_, kind_now, typed_now, default_now) = before[name], after[name]
        yield from _types(f"{place}({name})", typed, typed_now, given=True)
        if kind != kind_now:
            yield Change("breaking", "changed", f"{place}({name})", f"it was {kind}, and is {kind_now}")
        if default != default_now:
            fine = default is None or default_now is not None
            words = f"its default was {default}, and is {default_now}"
            yield Change("additive" if not fine else "breaking", "changed", f"{place}({name})", words)


def _hook_params(place: str, old: list[list[Any]], new: list[list[Any]], struct: bool) -> Iterator[Change]:
    """A hook's function takes the arguments that it names, so that more of them harm nobody."""
    before, after = ({each[0]: each for each in side} for side in (old, new))
    yield from (Change("breaking", "removed", f"{place}({name})") for name in before if name not in after)
    yield from (Change("additive", "added", f"{place}({name})") for name in after if name not in before)
    for name in [each for each in before if each in after]:
        yield from _types(f"{place}({name})", before[name][2], after[name][2], given=True)


# ---- who may break what -------------------------------------------------------------------------------------


def owners(api: Api) -> dict[str, set[str]]:
    """What each thing belongs to: the contracts that speak in it, the wire, or else the package."""
    names = api["names"]
    words = {name: set(re.findall(r"[A-Z]\w+", msgspec.json.encode(each).decode())) for name, each in names.items()}
    by_short: dict[str, list[str]] = {}
    for name in names:
        if name.startswith("gitu_core"):
            by_short.setdefault(name.rpartition(".")[2], []).append(name)
    protocols = {each["data"]["protocol"]: name for name, each in names.items() if each["kind"] == "seam"}
    found: dict[str, set[str]] = {name: set() for name in names}
    for protocol, seam in protocols.items():
        seen, open_ = {protocol}, [protocol]
        while open_:
            for name in by_short.get(open_.pop(), ()):
                found[name].add(seam)
                new = {each for each in words[name] if each in by_short and each not in protocols} - seen
                seen |= new
                open_ += new
        found[seam].add(seam)
    for name, each in names.items():
        if name.startswith("frame "):
            found[name] = {"wire"}
        elif each["kind"] == "hook" and each["data"]["seam"]:
            found[name].add(f"seam {each['data']['seam']}")
    return {name: seams or {"gitu_core"} for name, seams in found.items()}


def unexcused(before: Api, after: Api, changes: list[Change]) -> list[tuple[Change, list[str]]]:
    """What breaks although its owners kept their versions, with those owners."""
    owned, now = owners(before), after["versions"]
    raised = {each for each, version in before["versions"].items() if each not in now or now[each] > version}
    found = []
    for change in changes:
        name = next(each for each in sorted({**before["names"], **after["names"]}, key=len, reverse=True)
                    if change.place.startswith(each))  # fmt: skip
        if change.verdict == "breaking" and (kept := owned.get(name, {"gitu_core"}) - raised):
            found.append((change, sorted(kept)))
    return found


def written(api: Api) -> str:
    """A snapshot as text: a line a name, so that a change is seen, and merged, where it is."""
    lines = [
        f'"{name}":{msgspec.json.encode(each, order="sorted").decode()}' for name, each in sorted(api["names"].items())
    ]
    head = msgspec.json.encode({"versions": api["versions"], "accepted": api["accepted"]}, order="sorted").decode()
    return head[:-1] + ',"names":{\n' + ",\n".join(lines) + "\n}}\n"


def main(arguments: list[str], file: Path = FILE, now: Api | None = None) -> int:
    """Prints the differences and a verdict; 0 where there are none, or they were written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="renew the snapshot")
    parser.add_argument("--because", default="", help="why something may break although its version stays")
    options = parser.parse_args(arguments)
    now = now or snapshot()
    before: Api = msgspec.json.decode(file.read_bytes()) if file.exists() else {**now, "names": {}, "accepted": []}
    changes = compare(before, now)
    broken = unexcused(before, now, changes)
    for change in changes:
        print(change)
    for change, kept in broken:
        print(f"error: {change.place} breaks; raise the version of {', '.join(kept)}, or do it additively",
              file=sys.stderr)  # fmt: skip
    verdict = "breaking" if any(each.verdict == "breaking" for each in changes) else "additive"
    print(f"{len(now['names'])} public things, {len(changes)} differences{f', {verdict}' if changes else ''}")
    same = not changes and before["versions"] == now["versions"]
    if not options.write:
        if not same:
            print("error: the snapshot is old; renew it with: python scripts/api.py --write", file=sys.stderr)
        return 0 if same else 1
    if broken and not options.because:
        return 1
    accepted = [{"what": str(change), "because": options.because} for change, _ in broken]
    file.write_text(written({**now, "accepted": [*before["accepted"], *accepted]}), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
