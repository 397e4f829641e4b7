"""What must hold however often a process died, as functions of the evidence: each gives a sentence for every breach.

I1  nothing is lost: every message is answered, every trigger told and every timer rings, or it is shown as unknown
    where the channel is blind; nothing stays set aside in a budget
I2  what is said is seen once; on a blind channel at most once; a timer rings once, again only where a death cut it off;
    a warning about a budget is told once
I3  an effect happens at most once, and what people are told about it is true
I4  a model call whose answer was on disk is never made again, one in flight at most once a death
I5  the database is whole, and so is the audit
I6  work goes on soon after a restart
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from gitu_core.contracts.ports import InboxEntry, Store
from gitu_core.testing.counting import answer_to
from gitu_core.testing.world import PROGRESS, Happening, World

SHOWN = re.compile(
    r"\bunknown\b|\b(?:nobody|not|n't) (?:be )?(?:know|known|sure|certain)|\bmay (?:not )?(?:have|be)\b", re.IGNORECASE
)
"""How a person is told that nobody knows whether something reached them."""

GROWS = " …"
"""What stands behind an answer that is not all there yet."""

SOON = 2.0
"""Seconds after a restart within which work goes on."""

ENOUGH = 4
"""How many deaths a turn has to go through before it may be given up: one that kills its process would do so for ever.
"""


@dataclass(frozen=True)
class Run:
    """One life of a process: its id, when it was started (monotonic seconds), its exit status (negative = the signal
    that ended it), how many answers of a model to each message were on disk at a time after its end, and its last
    word."""

    pid: int
    started: float
    status: int
    answered: dict[str, int] = field(default_factory=dict)
    looked: float = 0.0
    said: str = ""


@dataclass(frozen=True)
class Evidence:
    """What the world saw, the lives of the processes (*paused*: those that stood still for a while), and what is wrong
    with the database or left in it."""

    world: World
    runs: Sequence[Run]
    delivery: Literal["idempotent", "verifiable", "blind"] = "idempotent"
    faults: Sequence[str] = ()
    pending: Sequence[str] = ()
    soon: float = SOON
    paused: Sequence[int] = ()

    @property
    def scripted(self) -> bool:
        """True if the model was `CountingModel`, whose answers are known."""
        return bool(self.world.events("model.begun"))

    @property
    def shown(self) -> list[Happening]:
        """What people saw."""
        return self.world.seen(self.delivery)


async def open_messages(store: Store) -> list[tuple[str, InboxEntry]]:
    """The messages that nobody has dealt with, each with its receipt id."""
    return [found for lane, _ in await store.waiting() for found in await store.pending_in(lane)]


def lost(evidence: Evidence) -> list[str]:
    """I1: what nobody answered, told or took."""
    found = [f"message {each.key} was never taken from its channel" for each in evidence.world.unacknowledged()]
    found += [f"trigger {each.key} was never taken over" for each in evidence.world.untold()]
    found += [f"timer {each.key} never rang" for each in evidence.world.silent()]
    found += evidence.pending
    for said in evidence.world.events("said"):
        if said.ask or _admitted(evidence, said):
            continue
        given = answers(evidence, said)
        if not given:
            found.append(f"message {said.key} ({said.text}) was never answered")
        elif evidence.scripted and not any(answer_to(said.text) in each.text for each in given):
            deaths = sum(said.at < each.looked < given[0].at for each in evidence.runs)
            if deaths >= ENOUGH:
                continue
            found.append(f"the turn of message {said.key} was given up: {given[0].text[:100]}")
    for trigger in (*evidence.world.events("trigger"), *evidence.world.events("alarm")):
        if not _told(evidence, trigger) and not _admitted(evidence, trigger):
            found.append(f"{trigger.kind} {trigger.key} was never told")
    if evidence.runs and evidence.runs[-1].status != 0:
        last = evidence.runs[-1]
        word = f" ({last.said})" if last.said else ""
        found.append(f"the last process ended with {last.status}: it never came to rest{word}")
    return found


def repeated(evidence: Evidence) -> list[str]:
    """I2: what people saw more than once."""
    found = [
        f"message {said.key} ({said.text}) was answered {count} times"
        for said in evidence.world.events("said")
        if not said.ask and (count := len(answers(evidence, said))) > 1
    ]
    found += [
        f"{trigger.kind} {trigger.key} was told {count} times"
        for trigger in (*evidence.world.events("trigger"), *evidence.world.events("alarm"))
        if (count := len(_told(evidence, trigger))) > 1
    ]
    unfinished = sum(each.text.endswith(GROWS) for each in evidence.shown)
    if unfinished > len(_dead(evidence)):
        found.append(f"{unfinished} answers were left unfinished on the screen")
    found += _rang_again(evidence)
    found += _above_one("the warning", (each.key for each in evidence.shown if each.key.startswith("gitu.budget.")))
    questions = Counter(each.ask for each in evidence.shown if each.ask)
    return found + [f"question {ask} was asked {count} times" for ask, count in questions.items() if count > 1]


def doubled(evidence: Evidence) -> list[str]:
    """I3: what was done more than once, and what was said about it that is not true."""
    effects = evidence.world.events("effect")
    found = _above_one("the effect with the key", (each.key for each in effects))
    found += _above_one("the effect on", (each.text for each in effects if each.text))
    done = Counter(each.text for each in effects)
    for said in evidence.world.events("said"):
        for answer in answers(evidence, said):
            _, _, claim = answer.text.partition(answer_to(said.text) + ": ")
            if claim.startswith("ok:") and not done[said.text]:
                found.append(f"message {said.key}: the person was told that it was done, and it was not")
            if claim.startswith("error") and done[said.text]:
                found.append(f"message {said.key}: the person was told that it was not done, and it was")
    return found


def paid_again(evidence: Evidence) -> list[str]:
    """I4: model calls that were made again although their answer was on disk, or more than once in one life."""
    begun = evidence.world.events("model.begun")
    found = [
        f"model call {call} was made {count} times in one life"
        for (_, call), count in Counter((each.pid, each.key) for each in begun).items() if count > 1
    ]  # fmt: skip
    known: dict[str, list[tuple[float, int]]] = {}
    for run in evidence.runs:
        for text, answers in run.answered.items():
            known.setdefault(text, []).append((run.looked, answers))
    for each in begun:
        text, _, number = each.key.rpartition("#")
        if any(each.at > at and int(number) < answers for at, answers in known.get(text, ())):
            found.append(f"model call {each.key} was made again although its answer was on disk")
    return found


def damaged(evidence: Evidence) -> list[str]:
    """I5: what is wrong with the database."""
    return list(evidence.faults)


def late(evidence: Evidence) -> list[str]:
    """I6: restarts after which nothing went on for too long."""
    found = []
    for before, run in zip(evidence.runs, evidence.runs[1:], strict=False):
        seconds = resumed(evidence.world, run)
        if before.status < 0 and seconds is not None and seconds > evidence.soon:
            found.append(f"work went on {seconds:.1f} s after the restart, {evidence.soon:g} s are allowed")
    return found


INVARIANTS: dict[str, Callable[[Evidence], list[str]]] = {
    "I1 lost": lost, "I2 seen once": repeated, "I3 effect once": doubled, "I4 paid once": paid_again,
    "I5 intact": damaged, "I6 resumed": late,
}  # fmt: skip


def breaches(evidence: Evidence) -> dict[str, list[str]]:
    """What is broken, by invariant; the ones that hold are left out."""
    return {name: found for name, holds in INVARIANTS.items() if (found := holds(evidence))}


def answers(evidence: Evidence, said: Happening) -> list[Happening]:
    """What the person saw in answer to a message: questions and the like do not count."""
    receipts = tuple({each.id for each in evidence.world.events("acked") if each.key == said.key and each.id})
    return [
        each for each in evidence.shown
        if not each.ask and each.user == said.user and not each.text.endswith(GROWS)
        and (each.text.startswith(answer_to(said.text)) or each.key in [f"{receipt}.answer" for receipt in receipts])
    ]  # fmt: skip


def resumed(world: World, run: Run) -> float | None:
    """Seconds from the start of a process to the first thing it did, or until it was ready where nothing was left to
    do; None if it died before. The time that it stood in line for a processor does not count: a busy machine is not
    the host's doing."""
    own = [each for each in world.events() if each.pid == run.pid]
    contact = next((each.at for each in own if each.kind == "said" and each.key.startswith("contact-")), float("inf"))
    did = next((each for each in own if each.kind in PROGRESS and each.at < contact), None)
    first = did or next((each for each in own if each.kind == "ready"), None)
    return None if first is None else first.at - run.started - first.waited


def _rang_again(evidence: Evidence) -> list[str]:
    """Timers that rang more often than they were set although nobody died over them."""
    wanted = Counter(each.key for each in evidence.world.events("arming"))
    rang: dict[str, list[Happening]] = {}
    for each in evidence.world.events("rang"):
        rang.setdefault(each.key, []).append(each)
    found = []
    for key, rings in rang.items():
        if (count := sum(each.number == 1 for each in rings)) > wanted[key]:
            found.append(f"timer {key} was set {wanted[key]} times and rang {count} times")
        cut_off = _dead(evidence) | {*evidence.paused}
        again = sum(later.number > 1 and each.pid not in cut_off for each, later in pairwise(rings))
        found += [f"timer {key} rang again although nothing had cut it off"] * again
    return found


def _dead(evidence: Evidence) -> set[int]:
    return {run.pid for run in evidence.runs if run.status != 0}


def _told(evidence: Evidence, trigger: Happening) -> list[Happening]:
    return [each for each in evidence.shown if each.user == trigger.user and each.text == trigger.text]


def _admitted(evidence: Evidence, what: Happening) -> bool:
    """True if the channel is blind, and the person was told later that something may not have reached them."""
    return evidence.delivery == "blind" and any(
        each.at > what.at and each.user == what.user and not each.ask and SHOWN.search(each.text)
        for each in evidence.shown
    )


def _above_one(what: str, keys: Iterable[str]) -> list[str]:
    return [f"{what} {key} happened {count} times" for key, count in Counter(keys).items() if count > 1]
