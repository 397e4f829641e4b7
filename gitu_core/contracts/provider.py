"""Models: who can be asked (`ModelProvider`), who to ask (`ModelRouter`), and text as vectors (`Embedder`).

Laws
    P1  A stream ends with exactly one `Finish`, as its last event, or raises; it never just stops.
    P2  The arguments of a call, joined in order, are JSON text as the model wrote it; broken JSON is passed on.
    P3  What goes wrong is a typed failure: `AuthFailed`, `RateLimited`, `NotReady`, `ContextOverflow`, `Rejected`,
        `StreamBroken` (events came before it broke).
    P4  Closing a stream early frees its connection.
    P5  `catalogue` needs no network and no credential.
    P6  A credential never appears in an event, an error or a log.
    R1  `rank` does no I/O, gives only candidates it was handed, each at most once, and is the same for the same input.
    R2  A candidate that cannot serve `task.needs` or costs more than `task.max_cost` is left out.
    E1  `embed` gives one vector a text, in order, each of `dimensions` floats; the same text gives the same vector
        under the same `version` and purpose.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal, Protocol

from gitu_core.contracts.base import contract
from gitu_core.model import Candidate, ModelEvent, ModelInfo, ModelRequest, RouteTask

__all__ = ["Embedder", "ModelProvider", "ModelRouter"]


@contract("provider")
class ModelProvider(Protocol):
    """Somebody who offers models. `name` is the first half of ``name/model``."""

    name: str

    async def catalogue(self) -> Sequence[ModelInfo]:
        """What is offered, the default first. Models that are not listed may be asked for all the same."""

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Asks a model."""


@contract("router")
class ModelRouter(Protocol):
    """Ranks models for a task."""

    name: str

    async def rank(self, task: RouteTask, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """The candidates to try, best first."""


@contract("embedder")
class Embedder(Protocol):
    """Turns texts into vectors. At most `batch` texts a call."""

    name: str
    dimensions: int
    version: str
    batch: int

    async def embed(
        self, texts: Sequence[str], purpose: Literal["passage", "query"] = "passage"
    ) -> Sequence[Sequence[float]]:
        """One vector a text, made to be found (``passage``) or to find (``query``)."""
