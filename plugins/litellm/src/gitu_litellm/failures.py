"""From LiteLLM's exceptions to typed failures. They all carry a status; no message may carry the key."""

from __future__ import annotations

import re
from typing import Any

from gitu_core.errors import AuthFailed, ContextOverflow, GituError, NotReady, RateLimited, Rejected, StreamBroken

_TOO_LONG = re.compile(r"context[_ ](length|window)|maximum context|too many tokens|prompt is too long", re.IGNORECASE)
_NOISE = re.compile(r"^(?:litellm\.\w+: )?(?:\w+: )?(?:\w+Exception - )?")


def failure(error: Exception, begun: bool, secret: str) -> GituError:
    """What an exception of LiteLLM means; *begun* = words of the answer came before it."""
    status = getattr(error, "status_code", None)
    message = _NOISE.sub("", str(error))[:1000]
    message = message.replace(secret, "[key]") if secret else message
    details: dict[str, Any] = {"status": status if isinstance(status, int) else None}
    if begun:
        return StreamBroken(f"the answer broke off: {message}", **details)
    if type(error).__name__ == "ContextWindowExceededError" or (
        status in (400, 413, 422) and _TOO_LONG.search(message)
    ):
        return ContextOverflow(message, hint="send less, or use a model with a larger window", **details)
    if status in (401, 403):
        return AuthFailed(message, hint="set another key", **details)
    if status == 429:
        return RateLimited(message, retry_after=_retry_after(error), **details)
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409):
        return Rejected(message, **details)
    return NotReady(message or type(error).__name__, **details)


def _retry_after(error: Exception) -> float | None:
    for holder in (error, getattr(error, "response", None)):
        headers = getattr(holder, "litellm_response_headers", None) or getattr(holder, "headers", None)
        try:
            return max(0.0, float(headers["retry-after"])) if headers else None
        except (KeyError, TypeError, ValueError):
            continue
    return None
