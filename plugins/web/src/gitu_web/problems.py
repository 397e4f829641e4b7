"""What went wrong, as `application/problem+json` (RFC 9457), from the typed errors of Gitu."""

from __future__ import annotations

import logging
import math
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from gitu_core.errors import (
    AuthFailed,
    ConfigError,
    Denied,
    GituError,
    InputError,
    LimitReached,
    NotReady,
    PluginError,
    RateLimited,
    StoreError,
)

log = logging.getLogger("gitu.plugins.web")

STATUS: tuple[tuple[type[GituError], int], ...] = (
    (AuthFailed, 401), (Denied, 403), (RateLimited, 429), (LimitReached, 429), (InputError, 400), (NotReady, 503),
    (StoreError, 503), (ConfigError, 422), (PluginError, 422),
)  # fmt: skip
"""The status of each kind of error; the first that fits counts, anything else is a 500."""


def status_of(error: GituError) -> int:
    """The HTTP status of an error; one that names a `status` among its details has that."""
    said = error.details.get("status")
    if isinstance(said, int):
        return said
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def problem(status: int, title: str, detail: str = "", hint: str = "", **more: Any) -> Response:
    """A response that says what happened and what to do next."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "hint": hint, **more}
    content = msgspec.json.encode({key: value for key, value in body.items() if value != ""})
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="gitu"'
    if (wait := more.get("retry_after")) is not None:
        headers["retry-after"] = str(max(1, math.ceil(float(wait))))
    return Response(content, status, headers, media_type="application/problem+json")


def of_error(error: GituError) -> Response:
    """The problem that an error of Gitu's is."""
    more: dict[str, Any] = {}
    if (wait := getattr(error, "retry_after", None)) is not None:
        more["retry_after"] = wait
    if field := error.details.get("field"):
        more["field"] = str(field)
    return problem(status_of(error), type(error).__name__, error.message, error.hint, **more)


async def on_gitu_error(request: Request, error: Exception) -> Response:
    """Answers what a route raised on purpose."""
    assert isinstance(error, GituError)
    if (status := status_of(error)) >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    elif status in (401, 403):
        log.info("%s %s was refused: %s", request.method, request.url.path, error.message)
    return of_error(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answers what the framework refuses: unknown paths, wrong methods."""
    assert isinstance(error, HTTPException)
    found = problem(error.status_code, "HTTPException", error.detail, "/v1/openapi.json says what there is")
    found.headers.update(error.headers or {})
    if error.status_code == 405:
        found.headers["allow"] = ", ".join(sorted(_methods(request)))
    return found


def _methods(request: Request) -> set[str]:
    """What can be done with a path, which may have a route for each method."""
    routes = [each for each in request.app.routes if isinstance(each, Route)]
    return {method for each in routes if each.matches(request.scope)[0] != Match.NONE for method in each.methods or ()}


async def on_crash(request: Request, error: Exception) -> Response:
    """Answers a defect of ours, without showing it."""
    log.exception("%s %s raised", request.method, request.url.path, exc_info=error)
    return problem(500, "InternalError", "the server made a mistake", "whoever runs it finds it in the log")
