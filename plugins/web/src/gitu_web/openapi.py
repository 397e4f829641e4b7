"""The description of the REST API: made from one table, to which every part of the site adds its own operations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

PROBLEMS = {
    400: "It does not fit; the detail says what.", 401: "Nobody is signed in, or the credential does not count.",
    403: "This device may not do that.", 404: "There is no such thing.", 408: "It did not come in time.",
    409: "It does not go together with what is there.", 413: "It is too large.", 415: "It has the wrong type.",
    421: "The server is not called so.", 422: "It was understood and cannot be done.",
    429: "Too many at once; `retry-after` says how many seconds to wait.", 500: "The server made a mistake.",
    503: "Not ready; try again later.",
}  # fmt: skip
"""Every status that is answered with a problem."""

ALWAYS = (400, 421, 429, 500, 503)


class Trouble(msgspec.Struct, rename={"kind": "type"}):
    """What went wrong (RFC 9457). `title` is the kind of error, `hint` the next step; `field` names what is wrong."""

    kind: str
    title: str
    status: int
    detail: str = ""
    hint: str = ""
    field: str = ""
    retry_after: float = 0.0


class Alive(msgspec.Struct):
    """The server is there."""

    status: str


@dataclass(frozen=True)
class Query:
    """A parameter of the query. `type` is what it is read as."""

    name: str
    description: str
    type: Any = str
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """One thing that can be done: *method* on *path*, where ``{name}`` stands for a part of the path.

    `scope`: whoever has no such scope is refused; empty = everybody may. `body` is what has to be sent as JSON,
    `answer` what comes back; `sends` and `gives` are media types where it is no JSON. `status` is that of success, and
    `also` others with the same answer; `problems` are the statuses of errors besides those that everything has;
    errors are told as `trouble`, in JSON, where they are no problems."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    summary: str
    scope: Literal["", "chat", "admin"] = "chat"
    tag: str = "messages"
    body: Any = None
    answer: Any = None
    sends: str = ""
    gives: tuple[str, ...] = ()
    status: int = 200
    also: tuple[int, ...] = ()
    query: tuple[Query, ...] = ()
    problems: tuple[int, ...] = ()
    trouble: Any = None


def routes() -> list[BaseRoute]:
    """Where the document is."""
    return [Route("/v1/openapi.json", show, methods=["GET"])]


def operations() -> list[Operation]:
    """The document itself."""
    return [Operation("GET", "/v1/openapi.json", "This document.", "", "about", gives=("application/json",))]


async def show(request: Request) -> Response:
    """The document. It is the same for everybody, so that a client can read it before it signs in."""
    return Response(_document(), media_type="application/json")


@cache
def _document() -> bytes:
    from gitu_web.app import PARTS

    found = [each for part in PARTS for each in getattr(part, "operations", list)()]
    return msgspec.json.encode(document(found))


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of *operations*."""
    found = sorted(operations, key=lambda each: (each.path, each.method))
    types = [Trouble, *(each for one in found for each in (one.body, one.answer, one.trouble) if each is not None)]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    known = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in found:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Gitu", "version": "1", "description": "The assistant over REST."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The credential of a paired device."}
            },
        },
    }


def _described(each: Operation, known: dict[str, Any]) -> dict[str, Any]:
    content = _content(known[repr(each.answer)] if each.answer is not None else {}, each.gives)
    answers: dict[str, Any] = {}
    for status in (each.status, *each.also):
        bare = status == 204 or (each.answer is None and not each.gives)
        answers[str(status)] = {"description": HTTPStatus(status).phrase, **({} if bare else {"content": content})}
    trouble = {"application/problem+json": {"schema": known[repr(Trouble)]}}
    own = _content(known[repr(each.trouble)], ()) if each.trouble is not None else {}
    body = (413, 415, 408) if each.body is not None or each.sends else ()
    for status in sorted({*ALWAYS, *each.problems, *body, *((401, 403) if each.scope else ())}):
        answers[str(status)] = {"description": PROBLEMS[status], "content": {**trouble, **own}}
    made: dict[str, Any] = {
        "operationId": _name(each), "summary": each.summary, "tags": [each.tag], "responses": answers,
        "security": [{"bearer": []}] if each.scope else [],
    }  # fmt: skip
    parameters = [
        {"name": part[1:-1].partition(":")[0], "in": "path", "required": True, "schema": {"type": "string"}}
        for part in each.path.split("/") if part.startswith("{")
    ]  # fmt: skip
    parameters += [
        {"name": one.name, "in": "query", "required": one.required, "description": one.description,
         "schema": msgspec.json.schema(one.type)} for one in each.query
    ]  # fmt: skip
    if parameters:
        made["parameters"] = parameters
    if each.body is not None or each.sends:
        sent = {each.sends: {"schema": {"type": "string", "format": "binary", "minLength": 1}}} if each.sends else {}
        content = {**_content(known[repr(each.body)], ()), **sent} if each.body is not None else sent
        made["requestBody"] = {"required": True, "content": content}
    return made


def _content(schema: dict[str, Any], types: Sequence[str]) -> dict[str, Any]:
    """What a body looks like: JSON unless it is of other *types*."""
    found: dict[str, Any] = {"application/json": {"schema": schema}} if schema else {}
    return {**found, **{each: {} if each == "application/json" else {"schema": {}} for each in types}}


def _name(each: Operation) -> str:
    """A name for programs that are written from the document: ``getMessages``."""
    words = [part.strip("{}").partition(":")[0] for part in each.path.split("/") if part not in ("", "v1")]
    text = "".join(word.replace(".", "-").title().replace("-", "").replace("_", "") for word in words)
    return each.method.lower() + text
