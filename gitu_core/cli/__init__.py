"""`gitu`: the assistant on the command line."""

from gitu_core.cli.main import main

__all__ = ["main"]
