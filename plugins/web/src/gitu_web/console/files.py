"""What browsers fetch beside pages: files whose address changes with them, and what makes the console an app."""

from __future__ import annotations

import mimetypes

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitu_web.console.render import FOLDERS, static
from gitu_web.console.texts import say

FOR_EVER = "public, max-age=31536000, immutable"
SHELL = ("console.css", "console.js", "theme.js", "chat.js", "files.js", "gitu-client.js", "icon.svg")
"""What the app keeps, so that it opens at once; never a page, which has data in it."""


async def file(request: Request) -> Response:
    """A file. Asked for under an older address, what is there now is given, and not kept."""
    folder, name = request.url.path.split("/")[1], request.path_params["name"]
    if name not in {each.name for each in FOLDERS[folder].iterdir()}:
        raise HTTPException(404, say("error.missing"))
    now = request.url.path == static(name, folder)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"cache-control": FOR_EVER if now else "no-cache", "x-content-type-options": "nosniff"}
    return Response((FOLDERS[folder] / name).read_bytes(), 200, headers, media_type=kind)


async def client(request: Request) -> Response:
    """The client for scripts of others, under an address that stays."""
    data = (FOLDERS["static"] / "gitu-client.js").read_bytes()
    return Response(data, 200, {"cache-control": "no-cache"}, media_type="text/javascript")


async def worker(request: Request) -> Response:
    """The script that opens the app without a network, with the addresses of what it keeps."""
    text = (FOLDERS["static"] / "sw.js").read_text("utf-8")
    listed = msgspec.json.encode([static(name) for name in SHELL]).decode()
    policy = "default-src 'none'; connect-src 'self'"  # it fetches what it keeps, and nothing else
    headers = {"cache-control": "no-cache", "service-worker-allowed": "/", "content-security-policy": policy}
    return Response(text.replace("[/* files */]", listed), 200, headers, media_type="text/javascript")


async def manifest(request: Request) -> Response:
    """What makes it an app that can be installed."""
    icons = [{"src": static(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
             for size in (192, 512) for purpose in ("any", "maskable")]  # fmt: skip
    told = {"name": say("app"), "short_name": say("app"), "start_url": "/chat", "scope": "/", "display": "standalone",
            "background_color": "#f6f5f1", "theme_color": "#f6f5f1", "icons": icons}  # fmt: skip
    return Response(msgspec.json.encode(told), 200, {"cache-control": "no-cache"},
                    media_type="application/manifest+json")  # fmt: skip


def routes() -> list[BaseRoute]:
    """Where all of it is found."""
    return [
        Route("/manifest.webmanifest", manifest, methods=["GET"]),
        Route("/sw.js", worker, methods=["GET"]),
        Route("/gitu-client.js", client, methods=["GET"]),
        *(Route(f"/{folder}/{{stamp}}/{{name}}", file, methods=["GET"], name=folder) for folder in FOLDERS),
    ]
