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
    ├── LimitReached           a turn hit its limit on steps, time, output or cost, or a budget
    ├── Denied                 the policy or a person said no
    ├── StoreError             the database cannot be used as it is
    │   ├── SchemaError        its schema is older or newer than this program
    │   ├── KeyUnavailable     a master key is missing, another one, or cannot be read
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
    "GituError", "HookError", "IncompatibleError", "InputError", "KeyUnavailable", "LeaseLost", "LimitReached",
    "LoadError", "ManifestError", "ModelError", "NoModel", "NotReady", "OutputTooLarge", "PluginError", "Quarantined",
    "RateLimited", "Rejected", "SchemaError", "StoreError", "StreamBroken", "ToolError", "ToolInputError",
    "ToolTimeout", "Unknown",
]  # fmt: skip


class GituError(Exception):
    """The root. `code` is stable and travels over the process border; `details` holds only JSON values."""

    code: ClassVar[str] = "error"

    def __init_subclass__(cls, code: str = "") -> None:
        super().__init_subclass__()
        cls.code = code or cls.code

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


class ConfigError(GituError, code="config"):
    """A setting is wrong. `details["field"]` names it."""


class InputError(GituError, code="input"):
    """Input cannot be accepted. Nothing was stored; the session stays usable."""


class NotReady(GituError, code="not_ready"):
    """Try again later. `details["retry_after"]` is in seconds where it is known."""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before the next try, or None where the other side did not say."""
        value = self.details.get("retry_after")
        return float(value) if isinstance(value, int | float) else None


class RateLimited(NotReady, code="rate_limited"):
    """The other side limits the rate and, in `retry_after`, said for how long (seconds)."""


class AuthFailed(GituError, code="auth"):
    """A credential is missing, expired or refused."""


class Rejected(GituError, code="rejected"):
    """Understood and refused; the same request will be refused again."""


class Unknown(GituError, code="unknown"):
    """The outcome cannot be known (a time-out after the request left, a dropped connection)."""


class Cancelled(GituError, code="cancelled"):
    """Somebody stopped the work."""


class PluginError(GituError, code="plugin"):
    """A plugin misbehaved."""


class ManifestError(PluginError, code="manifest"):
    """A manifest cannot be read or disagrees with the code. `details["file"]` names the file."""


class IncompatibleError(PluginError, code="incompatible"):
    """A plugin needs a contract version that this host does not offer."""


class LoadError(PluginError, code="load"):
    """A plugin's code cannot be imported or activated."""


class HookError(PluginError, code="hook"):
    """A hook implementation raised, hung, or returned what its contract does not allow."""


class Quarantined(PluginError, code="quarantined"):
    """A plugin was switched off."""


class ToolError(GituError, code="tool"):
    """A tool could not do its work. Raise it inside a tool to tell the model what went wrong."""


class ToolInputError(ToolError, code="tool_input"):
    """Arguments do not fit the tool's schema. `details["path"]` points at the first that does not."""


class ToolTimeout(ToolError, code="tool_timeout"):
    """A tool took longer than it declared."""


class OutputTooLarge(ToolError, code="output_too_large"):
    """A tool returned more than it declared."""


class ModelError(GituError, code="model"):
    """A model could not answer."""


class NoModel(ModelError, code="no_model"):
    """No candidate can serve the request."""


class StreamBroken(ModelError, code="stream_broken"):
    """A streamed answer ended before its `Finish` event."""


class ContextOverflow(ModelError, code="context_overflow"):
    """A request does not fit the model's window."""


class LimitReached(GituError, code="limit"):
    """A turn hit a limit. `details["limit"]` names it: steps, time, output, cost, depth, loop or budget."""


class Denied(GituError, code="denied"):
    """The policy or a person said no."""


class StoreError(GituError, code="store"):
    """The database cannot be used as it is."""


class SchemaError(StoreError, code="schema"):
    """The schema of a database is older or newer than this program."""


class LeaseLost(StoreError, code="lease_lost"):
    """This worker was silent for so long that another one took over. What it tried to write was not written."""


class Damaged(StoreError, code="damaged"):
    """Stored bytes cannot be read back."""


class BorderError(GituError, code="border"):
    """A value or frame cannot cross the process border."""


class FacetUnavailable(GituError, code="facet_unavailable"):
    """This host does not offer the facet that was asked for."""


class KeyUnavailable(StoreError, code="key"):
    """A master key is missing, another one than the data needs, or cannot be read. `details["key"]` names it where it
    is known which one. Nothing was changed, and what could not be done is tried again once it is there."""


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint for a name that is not *known*: the nearest that is, else *otherwise*."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise


def by_code() -> dict[str, type[GituError]]:
    """Every error class of this module by its `code`; the border uses it to raise the same class on the other side."""
    return {kind.code: kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, GituError)}
