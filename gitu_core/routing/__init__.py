"""Routing: which model is asked, at what worst cost, with whose key, and who comes next when it fails."""

from gitu_core.routing.models import Models

__all__ = ["Models"]
