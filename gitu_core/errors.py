"""Every error that Gitu raises on purpose.

    GituError
    ├── ConfigError            a setting is wrong: stop and show the field
    ├── InputError             what somebody handed in cannot be accepted; nothing was stored
    ├── NotReady               try again later, with back-off
    │   └── RateLimited        the other side said when
    ├── AuthFailed             a credential is missing or refused: ask a person
    ├── Rejected               the other side understood and said no; repeating it is useless
    ├── Unknown                the outcome cannot be known; never repeat it blindly
    ├── Cancelled              somebody stopped it
    ├── PluginError            a plugin misbehaved (plugin, version, hook say where)
    │   ├── ManifestError      its manifest cannot be read or disagrees with its code
    │   ├── IncompatibleError  it needs another contract version
    │   ├── LoadError          its code cannot be imported or activated
    │   ├── HookError          one of its hooks raised, hung or returned something else
    │   └── Quarantined        it was switched off, with the reason
    ├── ToolError              a tool could not do its work
    │   ├── ToolInputError     the arguments do not fit its schema
    │   ├── ToolTimeout        it took longer than it declared
    │   └── OutputTooLarge     it returned more than it declared
    ├── ModelError             a model could not answer
    │   ├── NoModel            no candidate can serve the request
    │   ├── StreamBroken       the answer stopped before it was complete
    │   └── ContextOverflow    the request does not fit the model's window
    ├── LimitReached           a turn hit its limit on steps, time, output or cost
    ├── Denied                 the policy or a person said no
    ├── StoreError             the database cannot be used as it is
    │   ├── SchemaError        its schema is older or newer than this program
    │   ├── LeaseLost          another worker took over what this one was doing
    │   └── Damaged            stored bytes cannot be read back
    ├── BorderError            a value or frame cannot cross the process border
    └── FacetUnavailable       this host does not offer the facet that was asked for

Each says what happened, where, and the next step. The first seven below `GituError` are the *typed failures* that
adapters, providers and tools use to tell the host what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

__all__ = [
    "AuthFailed", "BorderError", "Cancelled", "ConfigError", "ContextOverflow", "Damaged", "Denied", "FacetUnavailable",
    "GituError", "HookError", "IncompatibleError", "InputError", "LeaseLost", "LimitReached", "LoadError",
    "ManifestError", "ModelError", "NoModel", "NotReady", "OutputTooLarge", "PluginError", "Quarantined", "RateLimited",
    "Rejected", "SchemaError", "StoreError", "StreamBroken", "ToolError", "ToolInputError", "ToolTimeout", "Unknown",
]  # fmt: skip


class GituError(Exception):
    """The root. `code` is stable and travels over the process border; `details` holds only JSON values."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, hint: str = "", **details: Any) -> None:
        super().__init__(message or self.__class__.__name__)
        self.message = message or self.__class__.__name__
        self.hint = hint
        self.details = {key: value for key, value in details.items() if value not in (None, "")}

    def __str__(self) -> str:
        where = self.where
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} (next: {self.hint})" if self.hint else text

    @property
    def where(self) -> str:
        """Plugin, version and hook, as far as they are known: ``basics 0.1.0 gitu_tools``."""
        known = (str(self.details[key]) for key in ("plugin", "version", "hook") if key in self.details)
        return " ".join(known)

    def at(self, **where: Any) -> GituError:
        """The same error with *where* added; what is known already stays."""
        for key, value in where.items():
            if value not in (None, ""):
                self.details.setdefault(key, value)
        return self


class ConfigError(GituError):
    """A setting is wrong. `details["field"]` names it."""

    code = "config"


class InputError(GituError):
    """Input cannot be accepted. Nothing was stored; the session stays usable."""

    code = "input"


class NotReady(GituError):
    """Try again later. `details["retry_after"]` is in seconds where it is known."""

    code = "not_ready"

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before the next try, or None where the other side did not say."""
        value = self.details.get("retry_after")
        return float(value) if isinstance(value, int | float) else None


class RateLimited(NotReady):
    """The other side limits the rate and, in `retry_after`, said for how long (seconds)."""

    code = "rate_limited"


class AuthFailed(GituError):
    """A credential is missing, expired or refused."""

    code = "auth"


class Rejected(GituError):
    """Understood and refused; the same request will be refused again."""

    code = "rejected"


class Unknown(GituError):
    """The outcome cannot be known (a time-out after the request left, a dropped connection)."""

    code = "unknown"


class Cancelled(GituError):
    """Somebody stopped the work."""

    code = "cancelled"


class PluginError(GituError):
    """A plugin misbehaved."""

    code = "plugin"


class ManifestError(PluginError):
    """A manifest cannot be read or disagrees with the code. `details["file"]` names the file."""

    code = "manifest"


class IncompatibleError(PluginError):
    """A plugin needs a contract version that this host does not offer."""

    code = "incompatible"


class LoadError(PluginError):
    """A plugin's code cannot be imported or activated."""

    code = "load"


class HookError(PluginError):
    """A hook implementation raised, hung, or returned what its contract does not allow."""

    code = "hook"


class Quarantined(PluginError):
    """A plugin was switched off."""

    code = "quarantined"


class ToolError(GituError):
    """A tool could not do its work. Raise it inside a tool to tell the model what went wrong."""

    code = "tool"


class ToolInputError(ToolError):
    """Arguments do not fit the tool's schema. `details["path"]` points at the first that does not."""

    code = "tool_input"


class ToolTimeout(ToolError):
    """A tool took longer than it declared."""

    code = "tool_timeout"


class OutputTooLarge(ToolError):
    """A tool returned more than it declared."""

    code = "output_too_large"


class ModelError(GituError):
    """A model could not answer."""

    code = "model"


class NoModel(ModelError):
    """No candidate can serve the request."""

    code = "no_model"


class StreamBroken(ModelError):
    """A streamed answer ended before its `Finish` event."""

    code = "stream_broken"


class ContextOverflow(ModelError):
    """A request does not fit the model's window."""

    code = "context_overflow"


class LimitReached(GituError):
    """A turn hit a limit. `details["limit"]` names it: steps, time, output or cost."""

    code = "limit"


class Denied(GituError):
    """The policy or a person said no."""

    code = "denied"


class StoreError(GituError):
    """The database cannot be used as it is."""

    code = "store"


class SchemaError(StoreError):
    """The schema of a database is older or newer than this program."""

    code = "schema"


class LeaseLost(StoreError):
    """This worker was silent for so long that another one took over. What it tried to write was not written."""

    code = "lease_lost"


class Damaged(StoreError):
    """Stored bytes cannot be read back."""

    code = "damaged"


class BorderError(GituError):
    """A value or frame cannot cross the process border."""

    code = "border"


class FacetUnavailable(GituError):
    """This host does not offer the facet that was asked for."""

    code = "facet_unavailable"


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint for a name that is not *known*: the nearest that is, else *otherwise*."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise


def by_code() -> dict[str, type[GituError]]:
    """Every error class of this module by its `code`; the border uses it to raise the same class on the other side."""
    found: dict[str, type[GituError]] = {}
    todo: list[type[GituError]] = [GituError]
    while todo:
        kind = todo.pop()
        if kind.__module__ == __name__:  # somebody's own subclass must not take the place of ours
            found[kind.code] = kind
            todo.extend(kind.__subclasses__())
    return found
