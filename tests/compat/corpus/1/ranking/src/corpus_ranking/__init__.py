"""A router that prefers the last name of the alphabet."""

from gitu_core.contracts import Candidate, RouteTask


class Backwards:
    """From Z to A, without those that cannot serve or cost too much."""

    name = "backwards"

    async def rank(self, task: RouteTask, candidates):
        """The candidates to try, best first."""
        fit = [each for each in candidates if task.needs <= each.info.capabilities and self._affordable(task, each)]
        return sorted(fit, key=lambda each: each.model, reverse=True)

    @staticmethod
    def _affordable(task: RouteTask, candidate: Candidate):
        return task.max_cost is None or (candidate.estimate or 0) <= task.max_cost


def gitu_model_routers(host):
    """Routers that choose among models."""
    return [Backwards()]
