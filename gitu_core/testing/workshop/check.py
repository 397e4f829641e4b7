"""``gitu check``: the rules, one after the other, and the tier that comes out of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from gitu_core import __version__
from gitu_core.errors import GituError, InputError
from gitu_core.testing.workshop.rules import Outcome, load
from gitu_core.testing.workshop.shapes import Result, as_json, shaped
from gitu_core.testing.workshop.source import Source, find
from gitu_core.testing.workshop.tier import compared, tier_of


def run(options: argparse.Namespace) -> int:
    """Checks and prints; 0 = no error was found, 1 = there are errors, 2 = it could not be checked."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = check(options.plugin, Path(folder), fast=options.fast, wheel=options.wheel,
                           build=options.report is not None)  # fmt: skip
        print(shaped(result, options.format, options.brief))
        if options.report is not None:
            options.report.write_text(as_json(result) + "\n", "utf-8")
    except BrokenPipeError:  # whoever read has left: the command line knows what to do
        raise
    except (GituError, OSError) as error:
        hint = getattr(error, "hint", "")
        print(f"gitu: {getattr(error, 'message', error)}" + (f"\nnext: {hint}" if hint else ""), file=sys.stderr)
        return 2
    return exit_of(result.rules)


def exit_of(outcomes: tuple[Outcome, ...]) -> int:
    """The exit status of what was found."""
    return int(any(each.status == "failed" and each.level == "error" for each in outcomes))


def check(word: str, scratch: Path, *, fast: bool = False, wheel: Path | None = None, build: bool = False) -> Result:
    """Everything that is found of the plugin *word*, or of a *wheel* alone. With *build*, a wheel of it is built."""
    from gitu_core.testing.workshop import wheel as wheels

    if not word and wheel is None:
        raise InputError("no plugin was named", hint="name its folder, its id, or a wheel: --wheel FILE")
    unpacked = wheels.unpacked(wheel, scratch / "wheel") if wheel is not None else None
    source = find(word) if word else unpacked
    assert source is not None
    outcomes = apply(source, fast)
    if build and wheel is None:
        if source.kind != "folder":
            raise InputError(f"{word} has no sources here, so that no wheel can be built", hint="use --wheel FILE")
        wheel = wheels.build(source, scratch)
        unpacked = wheels.unpacked(wheel, scratch / "wheel")
    if word and unpacked is not None and wheel is not None:
        outcomes.append(wheels.same(source, unpacked, wheel.name))
    done = not any(each.status == "unchecked" and each.tier for each in outcomes)
    return Result(
        source.id, str(source.project.get("name", "")), str(source.project.get("version", "")), __version__,
        "" if exit_of(tuple(each for each in outcomes if not each.tier)) else tier_of(outcomes), done, tuple(outcomes),
        wheel.name if wheel is not None else "", wheels.digest(wheel) if wheel is not None else "",
    )  # fmt: skip


def apply(source: Source, fast: bool) -> list[Outcome]:
    """What became of every rule; with *fast*, those that take long are left unchecked."""
    found = []
    for each in load().values():
        if fast and each.runs and each.id != "agrees":
            found.append(Outcome(each.id, each.level, "unchecked", each.tier, "left out by --fast"))
        else:
            found.append(each.apply(source))
    return compared(source, found)
