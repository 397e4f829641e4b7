"""From a status code or an error frame to a typed failure. No message ever holds the credential."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gitu_core.errors import AuthFailed, ContextOverflow, GituError, NotReady, RateLimited, Rejected

_TOO_LONG = re.compile(
    r"context[_ ](length|window|size)|maximum context|too many (input )?tokens|prompt is too long"
    r"|exceeds? the (available )?context",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class _Error(msgspec.Struct):
    message: Any = ""
    code: Any = None
    type: Any = None
    param: Any = None


class _Body(msgspec.Struct):
    error: _Error | str | None = None
    message: Any = None
    detail: Any = None


def failure(status: int, headers: Mapping[str, str], body: bytes, secret: str) -> GituError:
    """What a response with an error status means."""
    message, code = read_error(body)
    message = scrub(message, secret) or f"the server answered with status {status}"
    details: dict[str, Any] = {"status": status, "reason": code}
    if status in (401, 403):
        return AuthFailed(message, hint="set another key", **details)
    if status == 429:
        if code in _MONEY:
            return AuthFailed(message, hint="look at the plan and the bills of this account", **details)
        return RateLimited(message, retry_after=retry_after(headers), **details)
    if status in (408, 409, 425) or status >= 500:
        return NotReady(message, retry_after=retry_after(headers), **details)
    if status == 413 or code == "context_length_exceeded" or (status in (400, 422) and _TOO_LONG.search(message)):
        return ContextOverflow(message, hint="send less, or use a model with a larger window", **details)
    if status == 404:
        return Rejected(message, hint="check the name of the model and the address of the server", **details)
    return Rejected(message, **details)


def frame_failure(error: bytes, secret: str) -> GituError:
    """What an error inside a stream means, before any words came."""
    message, code = read_error(b'{"error":' + error + b"}")
    if code in ("rate_limit_exceeded", "429"):
        return RateLimited(scrub(message, secret), reason=code)
    if code == "context_length_exceeded" or _TOO_LONG.search(message):
        return ContextOverflow(scrub(message, secret), reason=code)
    return NotReady(scrub(message, secret) or "the server reported an error", reason=code)


def read_error(body: bytes) -> tuple[str, str]:
    """The message and the code in an error's body, empty where it has none."""
    try:
        found = msgspec.json.decode(body, type=_Body)
    except msgspec.MsgspecError:
        return "", ""
    error = found.error
    if isinstance(error, _Error):
        return _short(error.message), _short(error.code or error.type)
    return _short(error or found.message or found.detail), ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text[:1000]


def scrub(text: str, secret: str) -> str:
    """*text* without the credential: servers like to repeat it."""
    return text.replace(secret, "[key]") if secret else text


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from ``Retry-After`` or the reset headers; None where nothing is said."""
    if exact := headers.get("retry-after-ms"):
        return _number(exact, 0.001)
    if after := headers.get("retry-after"):
        seconds = _number(after, 1.0)
        return seconds if seconds is not None else _until(after)
    left = [
        _span(headers[f"x-ratelimit-reset-{what}"])
        for what in ("requests", "tokens")
        if f"x-ratelimit-reset-{what}" in headers and headers.get(f"x-ratelimit-remaining-{what}", "0") == "0"
    ]
    return max(left, default=None)


def _number(text: str, unit: float) -> float | None:
    try:
        return max(0.0, float(text) * unit)
    except ValueError:
        return None


def _until(date: str) -> float | None:
    """Seconds until an HTTP date."""
    import time
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except ValueError:
        return None


def _span(text: str) -> float:
    """Seconds in a span like ``1m30s`` or ``250ms``."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(text))
