"""Whether the server is there, for whoever watches over it. Nothing is told that a stranger should not know."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gitu_core.errors import GituError
from gitu_web.openapi import Alive, Operation
from gitu_web.problems import problem
from gitu_web.site import Site


def routes() -> list[BaseRoute]:
    """The two of them."""
    return [Route("/healthz", alive), Route("/readyz", ready)]


def operations() -> list[Operation]:
    """The same, described."""
    return [
        Operation("GET", "/healthz", "Whether the process answers.", "", "about", answer=Alive),
        Operation("GET", "/readyz", "Whether it can do its work.", "", "about", answer=Alive),
    ]


async def alive(request: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"}, headers={"cache-control": "no-store"})


async def ready(request: Request) -> Response:
    """It can do its work: the store answers."""
    try:
        await Site.of(request).host.kv.get("ready")
    except GituError:
        return problem(503, "NotReady", "the store does not answer", "whoever runs it finds the reason in the log")
    return JSONResponse({"status": "ready"}, headers={"cache-control": "no-store"})
