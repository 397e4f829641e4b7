"""How the assistant is, in numbers, in the text format of Prometheus; for a device that may look after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gitu_web.openapi import Operation
from gitu_web.site import Site

TYPE = "text/plain; version=0.0.4; charset=utf-8"


def lines(told: Mapping[str, Any], connections: int) -> Iterator[str]:
    """The numbers that an overview holds, a line each."""
    yield from _gauge("gitu_info", "Which version runs.", "version", {told["version"]: 1})
    yield from _gauge("gitu_turns_running", "Turns that run now.", "", {"": told["load"]["running"]})
    yield from _gauge("gitu_messages_waiting", "Messages that wait for their turn.", "", {"": told["load"]["waiting"]})
    yield from _gauge("gitu_web_connections", "Open connections of apps and pages.", "", {"": connections})
    channels = {each["name"]: int(each["state"] == "ok") for each in told["channels"]}
    yield from _gauge("gitu_channel_up", "1 where a channel works.", "channel", channels)
    providers = {each["name"]: int(not each["missing"]) for each in told["providers"]}
    yield from _gauge("gitu_provider_ready", "1 where a provider of models can be asked.", "provider", providers)
    yield from _gauge("gitu_plugins", "Plugins by state.", "state", told["plugins"])


def _gauge(name: str, what: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} gauge"
    for word, value in values.items():
        inside = f'{{{label}="{_escaped(word)}"}}' if label else ""
        yield f"{name}{inside} {value:g}"


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


async def metrics(request: Request) -> Response:
    """All of them."""
    site = Site.of(request)
    await site.guard.visitor(request, "admin")
    text = "\n".join(lines(await site.host.admin.overview(), site.hub.count)) + "\n"
    return Response(text, headers={"cache-control": "no-store", "content-type": TYPE})


def routes() -> list[BaseRoute]:
    """Where they are."""
    return [Route("/metrics", metrics, methods=["GET"])]


def operations() -> list[Operation]:
    """The same, described."""
    return [Operation("GET", "/metrics", "Numbers for Prometheus.", "admin", "about", gives=("text/plain",))]
