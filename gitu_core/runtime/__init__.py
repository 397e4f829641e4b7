"""The turn: context, loop, tools, streaming."""

from gitu_core.runtime.consent import Approve
from gitu_core.runtime.failures import as_error, error_info
from gitu_core.runtime.runtime import Runtime
from gitu_core.runtime.work import Emit, Profiles, Work, silent

__all__ = ["Approve", "Emit", "Profiles", "Runtime", "Work", "as_error", "error_info", "silent"]
