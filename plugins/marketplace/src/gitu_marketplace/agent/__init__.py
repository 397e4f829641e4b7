"""Runs an Agent Plugins package as a plugin: what the module of such a release uses, in the plugin's own process."""

from __future__ import annotations

from gitu_marketplace.agent.package import Package

__all__ = ["Package"]
