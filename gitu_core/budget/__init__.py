"""What it may cost."""

from gitu_core.budget.envelope import TurnBudget

__all__ = ["TurnBudget"]
