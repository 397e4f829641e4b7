"""Browsers: a link signs one in once, and no other site can use its visit."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from gitu_core.errors import AuthFailed, Denied
from gitu_web.auth.browser import browser_of

from .house import HOME, House

pytestmark = pytest.mark.anyio


async def test_the_first_link_signs_the_owner_in_and_is_not_offered_again() -> None:
    house = House()
    url = await house.doors.welcome()
    assert url.startswith(f"{HOME}/auth/link?code=")
    async with house.client() as client:
        for _ in range(2):  # a program that looks at links burns nothing
            assert (await client.get(url)).status_code == 200
        found = await client.post("/auth/sign-in", data={"code": url.partition("code=")[2], "next": "/chat"})
        assert (found.status_code, found.headers["location"]) == (303, "/chat")
        cookie = found.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        told = (await client.get("/v1/auth/status")).json()
        assert (told["person"], told["scopes"], told["kind"]) == ("local", ["chat", "admin"], "browser")
    assert await house.doors.welcome() == ""
    async with house.client() as client:
        again = await client.post("/auth/sign-in", data={"code": url.partition("code=")[2]})
        assert again.status_code == 401
        assert "does not count" in again.text


async def test_who_mistypes_the_code_still_gets_where_they_wanted_to() -> None:
    house = House()
    async with house.client() as client:
        wrong = await client.post("/auth/sign-in", data={"code": "WRONG-WRONG", "next": "/pair?request=a1"})
        assert wrong.status_code == 401
        assert 'name="next" value="/pair?request=a1"' in wrong.text
        away = await client.get("/auth", params={"next": "/auth/sign-out"})
        assert 'name="next" value="/"' in away.text, "who came by signing out would be lost there"


async def test_a_site_with_tls_has_cookies_that_go_nowhere_else() -> None:
    house = House(["https://gitu.example.org"])
    async with house.client() as client:
        code = (await house.doors.link()).partition("code=")[2]
        found = await client.post("/auth/sign-in", data={"code": code})
    cookie = found.headers["set-cookie"]
    assert cookie.startswith("__Host-gitu=gb1.")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, 204), ({"origin": HOME}, 204), ({"origin": HOME, "sec-fetch-site": "same-origin"}, 204),
        ({"origin": "https://evil.example"}, 403), ({"origin": "null"}, 403), ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": HOME, "sec-fetch-site": "same-site"}, 403), ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"x-csrf-token": "wrong"}, 403), ({"x-csrf-token": ""}, 403),
    ],
)  # fmt: skip
async def test_what_another_site_sends_is_refused(headers: dict[str, str], wanted: int) -> None:
    house = House()
    client, csrf = await house.signed_in()
    async with client:
        found = await client.post("/v1/auth/logout", headers={"x-csrf-token": csrf, **headers})
        assert found.status_code == wanted
        assert (await client.get("/v1/auth/status")).status_code == (401 if wanted == 204 else 200)


async def test_a_visit_of_one_browser_is_none_of_another() -> None:
    house = House()
    one, _ = await house.signed_in()
    other, csrf = await house.signed_in()
    async with one, other:
        assert (await one.post("/v1/auth/logout", headers={"x-csrf-token": csrf})).status_code == 403
        assert (await other.post("/v1/auth/logout", headers={"x-csrf-token": csrf})).status_code == 204


async def test_a_form_carries_its_token_too_and_signing_out_ends_the_visit() -> None:
    house = House()
    client, csrf = await house.signed_in()
    async with client:
        assert (await client.post("/auth/sign-out", data={"csrf": "x"})).status_code == 403
        stolen = client.cookies[house.doors.cookie]
        found = await client.post("/auth/sign-out", data={"csrf": csrf})
        assert found.status_code == 303
        assert (await client.get("/v1/auth/status")).status_code == 401
    async with house.client(cookie=f"gitu={stolen}") as client:
        assert (await client.get("/v1/auth/status")).status_code == 401, "the cookie is worth nothing afterwards"


async def test_nobody_is_signed_in_by_another_site() -> None:
    house = House()
    code = (await house.doors.link()).partition("code=")[2]
    async with house.client(origin="https://evil.example") as client:
        assert (await client.post("/auth/sign-in", data={"code": code})).status_code == 403
    async with house.client(origin=HOME) as client:
        assert (await client.post("/auth/sign-in", data={"code": code})).status_code == 303


@pytest.mark.parametrize(
    "to", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/x\r\nset-cookie: a=b"]
)
async def test_a_link_leads_nowhere_else(to: str) -> None:
    house = House()
    code = (await house.doors.link()).partition("code=")[2]
    async with house.client() as client:
        shown = await client.get("/auth/link", params={"code": '"><script>', "next": to})
        assert "<script>" not in shown.text
        assert "evil" not in shown.text
        found = await client.post("/auth/sign-in", data={"code": code, "next": to})
        assert found.headers["location"] == "/"


async def test_a_connection_of_a_browser_says_where_it_comes_from() -> None:
    house = House()
    client, _ = await house.signed_in()
    cookie = client.cookies[house.doors.cookie].encode()
    await client.aclose()

    def socket(*headers: tuple[bytes, bytes]) -> Request:
        told = [(b"cookie", b"gitu=" + cookie), *headers]
        scope = {"type": "websocket", "headers": told, "client": ("10.0.0.1", 1)}
        from starlette.requests import HTTPConnection

        return HTTPConnection(scope)  # type: ignore[return-value]

    assert (await house.doors.visitor(socket((b"origin", HOME.encode())))).person == "local"
    for headers in ((), ((b"origin", b"https://evil.example"),)):
        with pytest.raises(Denied):
            await house.doors.visitor(socket(*headers))


async def test_the_cookie_of_a_browser_is_no_bearer() -> None:
    house = House()
    client, _ = await house.signed_in()
    cookie = client.cookies[house.doors.cookie]
    await client.aclose()
    with pytest.raises(AuthFailed):
        await house.doors.by_token(cookie)


def test_browsers_are_named_in_words() -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
    assert browser_of(agent) == "Chrome on Linux"
    assert browser_of("") == "Browser"
