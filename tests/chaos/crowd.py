"""People who keep an assistant busy: each goes on when they were answered or lost patience."""

from __future__ import annotations

import random
import time

from gitu_core.testing.counting import answer_to
from gitu_core.testing.world import World

WORDS = ("plain", "plain", "effect", "approval")

PATIENCE = 2.0
"""Seconds after which a person says something else."""

MANY = 3
"""How many messages a person leaves unanswered before nobody says anything more."""


class Crowd:
    """*count* people of a world."""

    def __init__(self, world: World, count: int, chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self._open: dict[str, tuple[str, float]] = {f"p{number}": ("", 0.0) for number in range(count)}
        self._seen = 0
        self._said = self._answered = 0

    def talk(self) -> None:
        """Everybody who has nothing to wait for says something."""
        sent = self._world.events("sent")
        for each in sent[self._seen :]:
            text, _ = self._open.get(each.user, ("", 0.0))
            if text and answer_to(text) in each.text:
                self._answered += 1
                self._open[each.user] = "", 0.0
        self._seen = len(sent)
        now = time.monotonic()
        if self._said - self._answered > MANY * len(self._open):
            return
        for person, (text, since) in self._open.items():
            if not text or now - since > PATIENCE:
                self._open[person] = self._say(person), now

    def _say(self, person: str) -> str:
        self._said += 1
        if self._chance.random() < 0.1:
            self._world.trigger(f"good morning {self._said}", person, f"t{self._said}")
        if self._chance.random() < 0.05:
            self._world.alarm(f"the tea is ready {self._said}", person, f"a{self._said}")
        text = f"{self._chance.choice(WORDS)} {self._said}"
        self._world.say(text, person, f"m{self._said}")
        return text
