"""The built-in ranking: which models can serve a task, and in what order. Pure: the same input, the same
order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gitu_core.model import Candidate, ModelInfo, RouteTask

TASK_WEIGHTS: dict[str, tuple[float, float, float]] = {
    "quality": (1.0, 0.1, 0.05),
    "cost": (0.1, 1.0, 0.05),
    "latency": (0.15, 0.1, 1.0),
    "balanced": (0.5, 0.3, 0.2),
}
"""How much quality, cheapness and speed count, by what the task prefers."""

SMALL_TASKS = frozenset({"title", "summary", "classify", "extract"})
"""Tasks that a small model does well: cheapness counts more than quality."""

LEAST_ANSWER = 256
"""Tokens that must be left for an answer, unless the window is tiny."""


def fits(info: ModelInfo, task: RouteTask) -> bool:
    """True if the input and a short answer go into the model's window."""
    return task.input_tokens + min(LEAST_ANSWER, info.window // 8) <= info.window


def capable(info: ModelInfo, task: RouteTask) -> bool:
    """True if the model can do all that the task needs."""
    return task.needs <= info.capabilities


def affordable(candidate: Candidate, task: RouteTask) -> bool:
    """True if its worst case stays within what the task may cost; unknown prices do not."""
    if task.max_cost is None:
        return True
    return candidate.estimate is not None and candidate.estimate <= task.max_cost


def rank(task: RouteTask, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates by score, best first; at equal score the order they came in."""
    weights = TASK_WEIGHTS["cost" if task.prefer == "balanced" and task.task in SMALL_TASKS else task.prefer]
    known = [candidate.estimate for candidate in candidates if candidate.estimate is not None]
    dearest = max(known, default=0) or 1
    slowest = max((candidate.info.latency for candidate in candidates), default=0.0) or 1.0

    def score(candidate: Candidate) -> float:
        # A model of unknown price ranks as the dearest.
        cost = dearest if candidate.estimate is None else candidate.estimate
        cheap = 1.0 - math.sqrt(cost / dearest)
        fast = 1.0 - candidate.info.latency / slowest
        return weights[0] * candidate.info.quality + weights[1] * cheap + weights[2] * fast

    return sorted(candidates, key=score, reverse=True)
