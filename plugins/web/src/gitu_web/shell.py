"""What lies around all routes: hosts that are ours, security headers, and pages of other origins only where allowed."""

from __future__ import annotations

import logging
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gitu_web import sockets
from gitu_web.problems import problem
from gitu_web.site import Site

log = logging.getLogger("gitu.plugins.web")

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
"""On every answer that does not say otherwise; pages bring a policy of their own that lets them load what is theirs."""

CORS = {
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": "authorization, content-type, idempotency-key, last-event-id",
    "access-control-max-age": "600",
}


class Shell:
    """The application with all that holds for every route."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self.app, self._site, self._settings = app, site, site.settings

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)  # tests and mounts look at the application within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._settings.known_host(host := headers.get("host", "")):
            log.warning("a request for the host %.100r was refused", host)
            hint = "set public_url in [plugins.web] to the address that people use"
            await problem(421, "Misdirected", "this server is not called so", hint)(scope, receive, send)
            return
        if scope["type"] == "websocket":
            if scope["path"] == sockets.PATH:  # straight on: each step on the way is kept for as long as it is open
                scope["app"] = self.app
                await sockets.serve(self._site, WebSocket(scope, receive, send))
            else:
                await self.app(scope, receive, send)
            return
        origin = headers.get("origin", "")
        allowed = {"access-control-allow-origin": origin, "vary": "Origin"} if origin in self._settings.origins else {}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in {**SECURITY, **allowed}.items():
                    found.setdefault(name, value)
                if scope["scheme"] == "https" or self._settings.public_url.startswith("https://"):
                    found.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        if allowed and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(scope, receive, sent)
            return
        await self.app(scope, receive, sent)


async def _preflight(scope: Scope, receive: Receive, send: Send) -> None:
    names = [(name.encode(), value.encode()) for name, value in CORS.items()]
    await send({"type": "http.response.start", "status": 204, "headers": names})
    await send({"type": "http.response.body", "body": b""})
