"""The kit for routers of models: the laws R1 and R2."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from gitu_core.contracts import ModelRouter
from gitu_core.model import Candidate, ModelInfo, RouteTask
from gitu_core.testing.borders import Across
from gitu_core.testing.conformance.base import Laws, tried
from gitu_core.testing.conformance.watch import io

_ABLE = ("text", "tools", "stream", "images")
_prices = st.none() | st.integers(0, 10**12)
_infos: Any = st.builds(
    ModelInfo, st.just("m"), window=st.integers(1, 10**6), input_price=_prices, output_price=_prices,
    capabilities=st.frozensets(st.sampled_from(_ABLE)), quality=st.floats(0, 1), latency=st.floats(0, 60),
)  # fmt: skip
candidates = st.lists(
    st.builds(Candidate, st.text("abcdef", min_size=1, max_size=3), _infos, estimate=_prices),
    max_size=6, unique_by=lambda each: each.model,
)  # fmt: skip
"""Models that could be asked, each with another name."""

tasks = st.builds(
    RouteTask, input_tokens=st.integers(0, 10**6), needs=st.frozensets(st.sampled_from(_ABLE), max_size=2),
    prefer=st.sampled_from(["quality", "cost", "latency", "balanced"]), max_cost=_prices,
)  # fmt: skip


class ModelRouterLaws(Laws):
    """A router keeps the laws R1 and R2. Give the fixture `router`. It needs no `remote`."""

    @pytest.fixture
    def router(self) -> ModelRouter:
        """The router under test; its author gives it."""
        raise NotImplementedError("give a fixture `router`")

    @pytest.fixture
    async def subject(self, router: ModelRouter, across: Across) -> ModelRouter:
        """The router, or what is seen of it through the border."""
        return await across(router, ModelRouter)

    @tried(task=tasks, given=candidates)
    async def test_r1_only_what_it_was_handed_and_each_once(
        self, subject: ModelRouter, task: RouteTask, given: list[Candidate]
    ) -> None:
        """Nothing invented, nothing changed, nothing twice."""
        ranked = list(await subject.rank(task, tuple(given)))
        assert [each for each in ranked if each not in given] == [], "a candidate that nobody handed over"
        assert len({each.model for each in ranked}) == len(ranked), "a candidate twice"

    @tried(task=tasks, given=candidates)
    async def test_r1_the_same_input_gives_the_same_order(
        self, subject: ModelRouter, task: RouteTask, given: list[Candidate]
    ) -> None:
        """Whatever was asked between."""
        first = list(await subject.rank(task, tuple(given)))
        await subject.rank(RouteTask(), tuple(given[:1]))
        again = [list(await subject.rank(task, tuple(given))) for _ in range(2)]
        assert again == [first, first]

    async def test_r1_it_does_no_io(self, router: ModelRouter) -> None:
        """No file, no socket, no process. What it needs once, it reads before it is asked."""
        given = tuple(Candidate(name, ModelInfo(name), estimate) for name, estimate in (("a", 5), ("b", None)))
        await router.rank(RouteTask(), given)
        with io() as noted:
            await router.rank(RouteTask(needs=frozenset({"tools"})), given)
        assert noted == []

    @tried(task=tasks, given=candidates)
    async def test_r2_what_cannot_serve_or_costs_too_much_is_left_out(
        self, subject: ModelRouter, task: RouteTask, given: list[Candidate]
    ) -> None:
        """What nobody knows the cost of does not cost too much. Whoever can serve is not forgotten."""
        ranked = list(await subject.rank(task, tuple(given)))
        unable = [each.model for each in ranked if not task.needs <= each.info.capabilities]
        assert unable == [], f"they cannot {', '.join(sorted(task.needs))}"
        if task.max_cost is not None:
            assert [each.model for each in ranked if (each.estimate or 0) > task.max_cost] == [], "too dear"
