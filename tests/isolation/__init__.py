"""Plugins in processes of their own."""
