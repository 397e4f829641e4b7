"""Recorded turns: exported, run again, changed, redacted."""
