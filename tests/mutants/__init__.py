"""Plugins that each break one law, and the right ones that they are derived from."""
