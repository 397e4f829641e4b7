"""The document says what the routes do: every one of them is in there, and what they answer is as described."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest
from starlette.routing import Route

from gitu_core.contracts import Ask, Conversation, Media, Outgoing, Text
from gitu_web.app import PARTS

from .around import Place, served

pytestmark = pytest.mark.anyio


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(one.method, one.path) for part in PARTS for one in getattr(part, "operations", list)()}
    routed = {
        (method, route.path)
        for part in PARTS for route in part.routes() if isinstance(route, Route) for method in route.methods or ()
        if method != "HEAD" and route.path.startswith(("/v1/", "/healthz", "/readyz", "/metrics"))
    }  # fmt: skip
    assert described == routed


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A server with something in Ana's mailbox."""
    async with served() as found:
        ana = Conversation("web", "ana")
        await found.adapter.send(Outgoing("o1", "o1", ana, (Text("hello", "markdown"), Ask("a", "May I?", ("yes",)))))
        blob = await found.host.blobs.store(b"picture", "image/png", "p.png")
        await found.adapter.send(Outgoing("o2", "o2", ana, (Media(blob, "image", "look"),)))
        yield found


async def test_what_comes_back_is_as_described(place: Place) -> None:
    async with place.client("ana-phone") as http, place.client() as stranger:
        whole = (await stranger.get("/v1/openapi.json")).json()
        assert whole["openapi"].startswith("3.1")
        answers = [
            ("/healthz", "get", await stranger.get("/healthz")), ("/readyz", "get", await stranger.get("/readyz")),
            ("/v1/messages", "get", await http.get("/v1/messages")),
            ("/v1/messages", "get", await http.get("/v1/messages", params={"limit": "many"})),
            ("/v1/messages", "get", await stranger.get("/v1/messages")),
            ("/v1/messages", "post", await http.post("/v1/messages", json={"text": "hi"})),
            ("/v1/messages", "post", await http.post("/v1/messages", json={"texts": "hi"})),
            ("/v1/messages", "post", await http.post("/v1/messages", content=b"hi")),
            ("/v1/files", "post", await http.post("/v1/files", content=b"hi")),
            ("/v1/files/{digest}", "get", await http.get("/v1/files/sha256:0")),
        ]  # fmt: skip
    assert {answer.status_code for _, _, answer in answers} == {200, 201, 202, 400, 401, 404, 415}
    for path, method, answer in answers:
        fits(whole, whole["paths"][path][method], answer)


def fits(whole: dict[str, Any], operation: dict[str, Any], answer: Any) -> None:
    """Fails unless an answer is as described."""
    content = operation["responses"][str(answer.status_code)]["content"]
    schema = content[answer.headers["content-type"]]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": whole["components"]}).validate(json.loads(answer.content))


async def test_programs_can_be_written_from_it(place: Place) -> None:
    """Names are there once, and every reference leads somewhere."""
    async with place.client() as http:
        text = (await http.get("/v1/openapi.json")).text
    whole = json.loads(text)
    names = [one["operationId"] for path in whole["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))
    referred = {piece.partition('"')[0] for piece in text.split('"#/components/schemas/')[1:]}
    assert referred <= whole["components"]["schemas"].keys()
