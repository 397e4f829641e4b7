"""What it may cost."""

from gitu_core.budget.envelope import TurnBudget
from gitu_core.budget.envelopes import Envelopes, Line, amounts, money, period_at
from gitu_core.budget.governor import Governor

__all__ = ["Envelopes", "Governor", "Line", "TurnBudget", "amounts", "money", "period_at"]
