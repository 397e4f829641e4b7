"""Durable timers."""

from gitu_core.timers.timers import Timers

__all__ = ["Timers"]
