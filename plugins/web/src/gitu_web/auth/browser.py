"""The sign-in of browsers: a link or a code becomes a cookie that no script reads and no other site sends."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gitu_core.errors import GituError, InputError
from gitu_web.auth.devices import LASTS
from gitu_web.auth.rest import LARGEST, doors
from gitu_web.console.texts import say
from gitu_web.limits import address_of, form_of
from gitu_web.problems import status_of
from gitu_web.site import Site

FORM_TYPE = "application/x-www-form-urlencoded"


def page(code: str = "", to: str = "/", why: str = "", status: int = 200) -> Response:
    """The page of the sign-in, with a *code* to send where a link brought one; or *why* it did not work."""
    from gitu_web.console.render import html

    return html("sign-in.html", say("sign_in.title"), status, code=code, to=to, why=why)


async def form(request: Request) -> Response:
    """The form for a code. Looking at it changes nothing: programs look at links before people do."""
    code, to = request.query_params.get("code", "")[:40], _local(request.query_params.get("next", "/"))
    return page(code, to)


async def sign_in(request: Request) -> Response:
    """Takes the code."""
    guard, to = doors(request), "/"
    try:
        guard.same_origin(request)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            raise InputError(say("sign_in.form"), hint=say("sign_in.form_next", type=FORM_TYPE), status=415)
        told = await form_of(request, LARGEST, 10)
        to = _local(str(told.get("next", "/")))
        code = await guard.redeem(str(told.get("code", "")), address_of(request))
        name = browser_of(request.headers.get("user-agent", ""))
        _, cookie = await guard.sign_in(code, name, address_of(request))
    except GituError as error:
        return page(to=to, why=f"{error.message}; {error.hint}", status=status_of(error))
    response = RedirectResponse(to, 303)
    response.set_cookie(guard.cookie, cookie, max_age=int(LASTS["browser"]), path="/", secure=guard.secure,
                        httponly=True, samesite="lax")  # fmt: skip
    return response


async def sign_out(request: Request) -> Response:
    """Ends this browser's visit."""
    guard = doors(request)
    visitor = await Site.of(request).guard.visitor(request)
    await guard.devices.unlink(visitor.device)
    response = RedirectResponse("/auth", 303)
    response.delete_cookie(guard.cookie, path="/", secure=guard.secure, httponly=True, samesite="lax")
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


def browser_of(agent: str) -> str:
    """What a browser calls itself, in words for a list of devices."""
    names = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
    systems = {"Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS": "macOS",
               "CrOS": "ChromeOS", "Linux": "Linux"}  # fmt: skip
    name = next((word for mark, word in names.items() if mark in agent), say("sign_in.browser"))
    system = next((word for mark, word in systems.items() if mark in agent), "")
    return say("sign_in.device", browser=name, system=system) if system else name


def _local(to: str) -> str:
    """Where to go after the sign-in: a page of this site, whatever the address said; none about signing out."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\", "/auth")) and to.isprintable() else "/"


def routes() -> list[BaseRoute]:
    """Where all of it is found."""
    return [
        Route("/auth", form, methods=["GET"]),
        Route("/auth/link", form, methods=["GET"]),
        Route("/auth/sign-in", sign_in, methods=["POST"]),
        Route("/auth/sign-out", sign_out, methods=["POST"]),
    ]
