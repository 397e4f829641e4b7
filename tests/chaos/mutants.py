"""Hosts that do it wrong are caught: each by the invariant that it breaks, with the case that shows it."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitu_core.testing.crash import Result, crash, folder
from tests.chaos import show, wrong
from tests.chaos.workers import judged, paused_at


@dataclass(frozen=True)
class Mutant:
    """A function of `wrong`, the case that shows it, and the invariant that has to break."""

    name: str
    invariant: str
    fault: str
    scenario: str = "plain"
    delivery: Any = "idempotent"


MUTANTS = (
    Mutant("acknowledges_early", "I1", "inbox.accept.before:kill"),
    Mutant("acts_first", "I3", "world.effect.after:kill", "effect"),
    Mutant("never_asks_for_its_epoch", "I2", "turn.end.before:pause", delivery="verifiable"),
    Mutant("sends_blindly_again", "I2", "world.send.after:kill", delivery="blind"),
    Mutant("hopes_for_the_best", "I1", "world.send.before:kill", delivery="blind"),
    Mutant("marks_before_it_sends", "I1", "world.send.before:kill"),
    Mutant("forgets_what_models_said", "I4", "world.effect.before:kill", "effect"),
    Mutant("lies_about_effects", "I3", "world.effect.after:kill", "effect"),
    Mutant("crosses_off_first", "I1", "world.timer.before:kill", "timer"),
    Mutant("keeps_what_it_set_aside", "I1", "world.effect.before:kill", "budget"),
    Mutant("sleeps_long", "I6", "world.model.begun:kill"),
    Mutant("scribbles", "I5", "world.model.begun:kill"),
)


def run(options: argparse.Namespace) -> list[Result]:
    """Tries every mutant; a result is broken where one was not caught."""
    show.head("mutants")
    mutants = [each for each in MUTANTS if all(word in each.name for word in options.only)]
    with folder() as base, ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(lambda each: tried(each, base / each.name), mutants))


def tried(mutant: Mutant, place: Path) -> Result:
    """Runs the case of a mutant and looks whether it was caught."""
    before = f"{wrong.__name__}:{mutant.name}"
    point = mutant.fault.partition(":")[0]
    if mutant.fault.endswith(":pause"):
        result = judged(place, "sqlite", mutant.delivery, mutant.name, paused_at(point), "", quiet=True, before=before)
    else:
        result = crash(mutant.scenario, mutant.fault, place, delivery=mutant.delivery, before=before)
    caught = [each for name, found in result.breaches.items() if name.startswith(mutant.invariant) for each in found]
    what = (getattr(wrong, mutant.name).__doc__ or "").strip()
    log = (place / "child.log").read_text("utf-8", "replace")
    if "TypeError" in log or "AttributeError" in log:  # what is wrong with it is not what it is for
        caught, what = [], f"{what} It does not fit the code any more"
    breaches = {} if caught else {"not caught": [f"{what} ({mutant.invariant}, {mutant.fault}) {result.breaches}"]}
    show.verdict(bool(caught), f"{mutant.name}: {what}", caught[:1] or [f"not caught by {mutant.invariant}"])
    return replace(result, scenario=f"mutant {mutant.name}", breaches=breaches)
