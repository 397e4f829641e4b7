"""What somebody could try with the REST of the installation and the pages of the console, on a whole assistant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from gitu_web.auth.codes import Code
from gitu_web.auth.doors import Doors
from gitu_web.console.routes import PAGES

from .whole import Whole, whole

pytestmark = pytest.mark.anyio

LONG = "0" * 5_000
DEEP = '{"a":' * 5_000 + "1" + "}" * 5_000


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Whole]:
    """An assistant."""
    async with whole(tmp_path) as found:
        yield found


async def terminal(place: Whole, person: str = "local", *scopes: Any) -> dict[str, str]:
    """The headers of a device of a person."""
    doors: Doors = place.doors
    await doors.known(person)
    device, secret = await doors.devices.add(person, "desk", "terminal", scopes or ("chat", "admin"))
    return {"authorization": f"Bearer {(await doors.devices.pair(device, secret)).access}"}


async def form(client: Any, path: str, action: str, hidden: Any = None, **typed: str) -> Any:
    """Sends a form of a page."""
    data = {"action": action, "hidden": hidden if isinstance(hidden, str) else json.dumps(hidden or {})}
    return await client.post(path, data={**data, **{f"v.{name}": value for name, value in typed.items()}})


@pytest.mark.parametrize("limit", [f"000001{LONG}", "0005000000", "٣", "1e2", "+5", " 5"])
async def test_no_limit_gets_around_the_largest_page(place: Whole, limit: str) -> None:
    async with await place.client() as local:
        assert (await local.get("/v1/sessions", params={"limit": limit})).status_code == 400


@pytest.mark.parametrize("since", ["nan", "inf", "-1", "1e300", LONG + "x"])
async def test_no_time_is_one_that_is_none(place: Whole, since: str) -> None:
    async with await place.client() as local:
        assert (await local.get("/v1/usage", params={"since": since})).status_code == 400


async def test_who_is_not_there_is_not_found(place: Whole) -> None:
    async with await place.client("local", "chat", "admin") as boss:
        for answer in (
            await boss.patch("/v1/users/nobody", json={"enabled": False}),
            await boss.delete("/v1/accounts/web/nobody"),
            await boss.delete("/v1/grants/nobody"),
            await boss.delete("/v1/sessions/nobody"),
            await boss.get("/v1/plugins/..%2fopenai/configuration"),
        ):
            assert answer.status_code in (400, 404, 405), answer.text
            assert answer.headers["content-type"] == "application/problem+json"


async def test_the_audit_tells_which_device_changed_a_user(place: Whole) -> None:
    await place.doors.known("ana")
    async with await place.client("local", "chat", "admin") as boss:
        assert (await boss.patch("/v1/users/ana", json={"enabled": False})).status_code == 200
        newest = (await boss.get("/v1/audit", params={"user": "ana"})).json()["items"][0]
        assert newest["facts"]["by"] == "local (program)"
        assert (await form(boss, "/people", "enable", {"id": "ana"})).status_code == 403, "a key opens no page"
        desk = await terminal(place)
        assert (
            await boss.post("/people", headers=desk, data={"action": "enable", "hidden": '{"id": "ana"}'})
        ).is_success
        newest = (await boss.get("/v1/audit", params={"user": "ana"})).json()["items"][0]
        assert newest["facts"]["by"] == "local (desk)"


async def test_a_key_makes_no_code_on_a_page_either(place: Whole) -> None:
    async with await place.client() as local:
        for path in ("/devices", "/pair", "/chat", "/permissions"):
            assert (await local.get(path)).status_code == 403
        found = await form(local, "/devices", "code")
        assert found.status_code == 403
        assert (await local.post("/pair", data={"request": "x", "accept": "yes"})).status_code == 403


@pytest.mark.parametrize("page", [*PAGES, "pair", "p/market/admin/shelf", "auth/sign-out"])
async def test_no_page_does_what_another_site_or_nobody_asks(place: Whole, page: str) -> None:
    code = Code("local", ("chat", "admin"), 0.0)
    _, cookie = await place.doors.sign_in(code, "Firefox", "127.0.0.1")
    body = {"action": "disable", "hidden": '{"id": "openai"}', "csrf": "guessed"}
    async with httpx.AsyncClient(base_url=place.url) as http:
        assert (await http.post(f"/{page}", data=body)).status_code == 401
        http.cookies.set(place.doors.cookie, cookie, domain="127.0.0.1")
        assert (await http.get("/plugins")).status_code == 200, "the cookie is a good one"
        for headers in ({}, {"origin": "https://evil.example"}, {"content-type": "text/plain"}):
            assert (await http.post(f"/{page}", data=body, headers=headers)).status_code == 403


async def test_codes_made_on_the_page_are_counted_as_those_made_over_rest(place: Whole) -> None:
    async with await place.client() as local:
        local.headers.update(await terminal(place))
        answers = [(await form(local, "/devices", "code")).status_code for _ in range(12)]
        assert answers[:10] == [200] * 10
        assert answers[10:] == [429, 429]


async def test_a_list_of_models_survives_the_form_of_settings(place: Whole) -> None:
    place.file.write_text('model = ["openai/a", "openai/b"]\n', "utf-8")
    house = place.gitu.house
    house.settings = replace(house.settings, model=("openai/a", "openai/b"))
    async with await place.client() as local:
        local.headers.update(await terminal(place))
        shown = await local.get("/settings")
        assert "openai/a, openai/b" in shown.text
        done = await form(local, "/settings", "model", model="openai/a, openai/b", timezone="Europe/Berlin")
        assert done.status_code == 200
        text = place.file.read_text("utf-8")
        assert 'model = ["openai/a", "openai/b"]' in text
        assert 'timezone = "Europe/Berlin"' in text
        assert "router" not in text


async def test_what_was_not_changed_in_a_form_is_not_written(place: Whole) -> None:
    async with await place.client() as local:
        local.headers.update(await terminal(place))
        values = (await local.get("/v1/plugins/openai/configuration")).json()["values"]
        typed = {name: json.dumps(each) if isinstance(each, dict) else str(each) for name, each in values.items()}
        typed |= {name: "on" if each else "" for name, each in values.items() if isinstance(each, bool)}
        typed["max_connections"] = "7"
        done = await form(local, "/plugins", "configure", {"id": "openai"}, **typed)
        assert done.status_code == 303, done.text
        assert place.file.read_text("utf-8").count("=") == 1, place.file.read_text("utf-8")
        assert "max_connections = 7" in place.file.read_text("utf-8")


@pytest.mark.parametrize(
    ("path", "action", "hidden"),
    [
        ("/setup", "begin", {"provider": {"a": 1}}), ("/setup", "begin", {"provider": "openai", "name": ["x"]}),
        ("/settings", "key", {"name": 7, "secret": []}), ("/settings", "model", {"model": 5}),
        ("/setup", "begin", {"": 1, "id": []}), ("/settings", "key", "{" * 100_000), ("/settings", "key", DEEP),
        ("/plugins", "configure", {}), ("/plugins", "configure", {"id": "nobody"}), ("/plugins", "enable", {"id": "x"}),
        ("/people", "unlink", {}), ("/people", "disable", {"id": []}), ("/devices", "unlink", {"id": {}}),
        ("/permissions", "revoke", {}), ("/sessions", "continue", {"id": "a\r\nset-cookie: x=1"}), ("/audit", "x", {}),
        ("/usage", "x", {}), ("/feedback", "", {}),
    ],
)  # fmt: skip
async def test_a_form_that_was_made_by_hand_is_refused_and_breaks_nothing(
    place: Whole, path: str, action: str, hidden: Any
) -> None:
    before = place.file.read_text("utf-8")
    async with await place.client() as local:
        local.headers.update(await terminal(place))
        found = await form(local, path, action, hidden)
        assert found.status_code < 500, found.text
        assert "set-cookie" not in found.headers or "x=1" not in found.headers["set-cookie"]
    assert place.file.read_text("utf-8") == before


async def test_a_typed_secret_does_not_stand_in_the_page_that_refuses_it() -> None:
    from gitu_web.console import fields

    schema = {"type": "object", "properties": {
        "pin": {"type": "string", "writeOnly": True, "maxLength": 3}, "codes": {"type": "array", "maxItems": 1,
        "items": {"type": "string", "writeOnly": True}}}}  # fmt: skip
    _, errors = fields.read(schema, {"pin": "s3cret-pin", "codes": "s3cret-a\ns3cret-b"})
    assert set(errors) == {"pin", "codes"}
    assert "s3cret" not in str(errors)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
async def test_a_number_is_one_that_can_be_counted_with(text: str) -> None:
    from gitu_web.console import fields

    values, errors = fields.read({"type": "object", "properties": {"n": {"type": "number"}}}, {"n": text})
    assert values == {}
    assert "n" in errors


async def test_every_user_is_on_the_page(place: Whole) -> None:
    for number in range(60):
        await place.doors.known(f"user-{number}")
    async with await place.client() as local:
        local.headers.update(await terminal(place))
        text = (await local.get("/people")).text
        assert all(f"user-{number}" in text for number in range(60))


async def test_what_others_are_asked_is_theirs(place: Whole) -> None:
    async with await place.client("ana") as ana, await place.client("local", "chat", "admin") as boss:
        await ana.post("/v1/messages", json={"text": "look at the page", "wait": 5})
        for _ in range(200):
            if (await ana.get("/v1/approvals")).json()["items"]:
                break
            await asyncio.sleep(0.05)
        (asked,) = (await boss.get("/v1/approvals", params={"user": "*"})).json()["items"]
        assert asked["user"] == "ana"
        assert "eve@example.org" not in json.dumps(asked), "the words of the call are hers"
        assert (await boss.post(f"/v1/approvals/{asked['id']}", json={"choice": "yes"})).status_code == 404


async def test_opinions_with_names_of_any_kind_are_kept(place: Whole) -> None:
    async with await place.client() as local:
        for key in ("я" * 300, "a/b", "..", "%00", "\x00"):
            found = await local.post("/v1/feedback", json={"key": key, "good": True})
            assert found.status_code in (204, 400), found.text


async def test_so_many_opinions_of_a_person_are_kept(place: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitu_web.console.routes.OPINIONS", 3)
    async with await place.client() as local, await place.client("ana") as ana:
        await ana.post("/v1/feedback", json={"key": "hers", "good": True})
        for number in range(5):
            await local.post("/v1/feedback", json={"key": f"k{number}", "good": False})
    kept = await place.host.kv.list("feedback/")
    assert sorted(each.value["key"] for each in kept) == ["hers", "k2", "k3", "k4"]


async def test_a_stranger_with_the_address_on_a_terminal_gets_there_after_the_sign_in(place: Whole) -> None:
    async with httpx.AsyncClient(base_url=place.url, headers={"accept": "text/html"}) as http:
        sent = await http.get("/pair", params={"request": "a b"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/auth?next=%2Fpair%3Frequest%3Da%2Bb")


async def test_a_code_is_shown_with_the_address_that_its_reader_can_reach(tmp_path: Path) -> None:
    async with whole(tmp_path, host="0.0.0.0") as place, await place.client() as local:
        local.headers.update(await terminal(place))
        port = httpx.URL(place.url).port
        shown = await local.post("/devices", data={"action": "code"}, headers={"host": f"192.0.2.7:{port}"})
        assert f"--server http://192.0.2.7:{port}" in shown.text


async def test_what_is_not_there_is_said_with_the_next_step(place: Whole) -> None:
    async with await place.client() as local:
        for found in (await local.get("/v1/nothing"), await local.post("/v1/me")):
            assert found.status_code in (404, 405)
            assert found.json()["hint"] == "/v1/openapi.json says what there is"


async def test_the_last_account_goes_where_somebody_says_that_it_is_the_last(place: Whole) -> None:
    async with await place.client() as local:
        refused = await local.delete("/v1/accounts/web/local")
        assert (refused.status_code, refused.json()["field"]) == (400, "last")
        assert (await local.delete("/v1/accounts/web/local", params={"last": "true"})).status_code == 204
