"""Who may do what."""

from gitu_core.policy.decide import LabelPolicy

__all__ = ["LabelPolicy"]
