"""What it may cost."""

from gitu_core.budget.envelope import TurnBudget
from gitu_core.budget.envelopes import Envelopes, Line, money, period_at
from gitu_core.budget.governor import Alert, Governor

__all__ = ["Alert", "Envelopes", "Governor", "Line", "TurnBudget", "money", "period_at"]
