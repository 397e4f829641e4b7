"""Puts the routes together. Each part of the site brings its own list of them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gitu_core.errors import GituError
from gitu_web import completions, files, health, manage, messages, metrics, openapi, sockets
from gitu_web.auth import browser, rest
from gitu_web.console import routes as console
from gitu_web.problems import on_crash, on_gitu_error, on_http_error
from gitu_web.shell import Shell
from gitu_web.site import Site

PARTS = (health, metrics, messages, completions, files, sockets, rest, manage, openapi, browser, console)
"""The modules whose `routes()` make up the site, in the order in which they are looked at. What of them is REST, their
`operations()` describe."""


async def on_error(request: Request, error: Exception) -> Response:
    """Answers a person with a page and a program with a problem."""
    answer = on_http_error if isinstance(error, HTTPException) else on_gitu_error
    response = await answer(request, error)
    return console.error_page(request, error) if console.wants_html(request) else response


def make_app(site: Site) -> Shell:
    """The application that serves *site*."""
    handlers = {GituError: on_error, HTTPException: on_error, Exception: on_crash}
    app = Starlette(routes=[route for part in PARTS for route in part.routes()], exception_handlers=handlers)
    app.state.site = site
    return Shell(app, site)
