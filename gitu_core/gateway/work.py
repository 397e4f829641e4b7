"""What the gateway needs from the runtime: a turn for a job, wired in `wiring.py`."""

from __future__ import annotations

from typing import Protocol

from gitu_core.contracts import Adapter
from gitu_core.contracts.ports import Outcome
from gitu_core.gateway.jobs import Job
from gitu_core.model import Reply


class TurnRunner(Protocol):
    """Runs the turn that a job asks for."""

    async def run(self, job: Job, adapter: Adapter | None) -> Outcome:
        """Runs it to its end, or until it waits; a stopped job gives a cancelled reply."""

    async def finished(self, job: Job, adapter: Adapter | None, reply: Reply) -> None:
        """The answer was handed over; tells whoever watches."""
