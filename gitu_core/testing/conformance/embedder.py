"""The kit for embedders: the law E1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import anyio
import pytest
from hypothesis import strategies as st

from gitu_core.contracts import Embedder
from gitu_core.testing.borders import Across
from gitu_core.testing.conformance.base import HOSTILE, Laws, texts, tried

NEAR = 1e-4
"""How far a number of the same vector may be off: a batch of another size may be added up in another order."""


class EmbedderLaws(Laws):
    """An embedder keeps the law E1. Give the fixture `embedder`. It needs no `remote`."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        """The embedder under test; its author gives it."""
        raise NotImplementedError("give a fixture `embedder`")

    @pytest.fixture
    async def subject(self, embedder: Embedder, across: Across) -> Embedder:
        """The embedder, or what is seen of it through the border."""
        return await across(embedder, Embedder)

    @tried(text=texts)
    async def test_e1_any_text_has_a_vector_of_the_right_length(self, subject: Embedder, text: str) -> None:
        """Of finite numbers, for both purposes; the same again for the same text, whatever stands beside it."""
        purposes: tuple[Literal["passage", "query"], ...] = ("passage", "query")
        for purpose in purposes:
            (first,) = await subject.embed([text], purpose)
            assert len(first) == subject.dimensions
            assert all(math.isfinite(number) for number in first)
            beside = ["another text", text][-subject.batch :]
            assert _near((await subject.embed(beside, purpose))[-1], first), "the same text has another vector"

    @tried(given=st.lists(st.text("abc ", max_size=6), max_size=5))
    async def test_e1_one_vector_a_text_in_order(self, subject: Embedder, given: list[str]) -> None:
        """However many, none included; turned round, the vectors are turned round."""
        given = given[: subject.batch]
        vectors, turned = list(await subject.embed(given)), list(await subject.embed(given[::-1]))
        assert len(vectors) == len(given)
        assert all(_near(one, other) for one, other in zip(vectors, turned[::-1], strict=True))

    async def test_e1_a_full_batch_and_many_at_once(self, subject: Embedder) -> None:
        """As many texts as it says it takes, and several callers beside each other."""
        given = [f"{HOSTILE[n % len(HOSTILE)][:50]} {n}" for n in range(min(subject.batch, 256))]
        wanted = list(await subject.embed(given))
        assert len(wanted) == len(given)
        got: dict[int, Sequence[Sequence[float]]] = {}

        async def embed(number: int) -> None:
            got[number] = await subject.embed(given[number : number + 2])

        async with anyio.create_task_group() as tasks:
            for number in range(min(5, len(given))):
                tasks.start_soon(embed, number)
        for number, vectors in got.items():
            assert all(_near(one, other) for one, other in zip(vectors, wanted[number : number + 2], strict=True))


def _near(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(abs(x - y) <= NEAR for x, y in zip(one, other, strict=True))
