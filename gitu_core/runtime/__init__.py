"""The turn: context, loop, tools, streaming."""

from gitu_core.runtime.calls import Approve, describe_call, refuse
from gitu_core.runtime.failures import as_error, error_info
from gitu_core.runtime.runtime import Runtime
from gitu_core.runtime.work import Emit, Outcome, Profiles, Work, silent

__all__ = [
    "Approve",
    "Emit",
    "Outcome",
    "Profiles",
    "Runtime",
    "Work",
    "as_error",
    "describe_call",
    "error_info",
    "refuse",
    "silent",
]
