"""Real processes, a real store: the server, a terminal with a home of its own, and the commands of whoever runs it."""

from __future__ import annotations

import json
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .console_world import Installation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation that nobody has signed in to."""
    found = Installation(tmp_path_factory.mktemp("place") / "gitu")
    found.configure("")
    return found


@pytest.fixture(scope="module")
def link(place: Installation) -> Iterator[str]:
    """Its server runs; the address for the first sign-in."""
    with place.serving() as found:
        yield found


def opened(place: Installation, token: str) -> ClientConnection:
    """A WebSocket that was greeted."""
    headers = {"authorization": f"Bearer {token}"}
    socket = connect(f"ws{place.url[4:]}/v1/socket", additional_headers=headers, subprotocols=["gitu.v1"], proxy=None)  # type: ignore[list-item]
    socket.send(json.dumps({"type": "hello", "cursor": ""}))
    assert json.loads(socket.recv(5))["type"] == "welcome"
    return socket


def closed(socket: ClientConnection, within: float) -> int:
    """The code that a connection is closed with, soon."""
    ends = time.monotonic() + within

    def read() -> None:
        while True:
            socket.recv(max(0.01, ends - time.monotonic()))

    with pytest.raises(ConnectionClosed) as closed:
        read()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_the_first_sign_in_then_a_terminal_that_is_unlinked_at_once(place: Installation, link: str) -> None:
    code = link.partition("code=")[2]
    with httpx.Client(base_url=place.url, headers={"origin": place.url}) as browser:
        assert browser.get(link).status_code == 200
        assert browser.post("/auth/sign-in", data={"code": code}).status_code == 303
        assert browser.get("/v1/auth/status").json()["scopes"] == ["chat", "admin"]
        assert browser.post("/auth/sign-in", data={"code": code}).status_code == 401, "once"

    status, said = place.run("web", "code")
    assert status == 0, said
    typed = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", said)
    assert typed is not None
    status, said = place.run("auth", typed[0], "--server", place.url, "--name", "laptop", home="terminal")
    assert status == 0, said
    file = place.folder / "terminal" / "credentials" / "web.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())
    assert kept["pair"]["access"] not in said
    assert place.run("auth", typed[0], "--server", place.url, home="other")[0] == 1, "a code counts once"

    status, said = place.run("auth", "status", home="terminal")
    assert (status, "laptop" in said, place.url in said) == (0, True, True), said
    assert place.run("auth", "refresh", home="terminal")[0] == 0
    token = json.loads(file.read_text())["pair"]["access"]
    socket = opened(place, token)
    id = kept["pair"]["device"]
    assert id in place.run("web", "devices")[1]
    assert place.run("web", "unlink", id)[0] == 0  # in another process than the server
    began = time.monotonic()
    assert httpx.get(f"{place.url}/v1/auth/status", headers={"authorization": f"Bearer {token}"}).status_code == 401
    assert time.monotonic() - began < 2, "its requests are refused at once"
    assert closed(socket, 5) == 4401
    status, said = place.run("auth", "status", home="terminal")
    assert (status, "this device was unlinked" in said) == (1, True), said
    assert place.run("auth", "logout", home="terminal")[0] == 0
    assert not file.exists()


def test_a_user_who_is_switched_off_is_cut_off_and_comes_back(place: Installation, link: str) -> None:
    status, said = place.run("web", "code", "--user", "ana")
    assert status == 0, said
    typed = re.search(r"[0-9A-Z]{5}-[0-9A-Z]{5}", said)
    assert typed is not None
    pair = httpx.post(f"{place.url}/v1/auth/pair", json={"code": typed[0], "name": "phone"}).json()
    socket = opened(place, pair["access"])
    status, said = place.run("users", "disable", "ana")
    assert status == 0, said
    assert closed(socket, 5) == 4401
    headers = {"authorization": f"Bearer {pair['access']}"}
    assert httpx.get(f"{place.url}/v1/auth/status", headers=headers).status_code == 401
    assert place.run("users", "enable", "ana")[0] == 0
    assert httpx.get(f"{place.url}/v1/auth/status", headers=headers).status_code == 200
    opened(place, pair["access"]).close()


def test_what_was_linked_counts_after_a_restart(tmp_path: Path) -> None:
    place = Installation(tmp_path / "gitu")
    place.configure("")
    with place.serving() as first:
        typed = first.partition("code=")[2]
    key = place.run("web", "key", "program", "--admin")[1].split()[-1]
    with place.log.open("w", encoding="utf-8") as log, place.start("serve", stdout=log, stderr=log) as process:
        try:
            _up(place)
            assert "/auth/link" not in place.log.read_text("utf-8"), "somebody can look after it"
            headers = {"authorization": f"Bearer {key}"}
            assert httpx.get(f"{place.url}/v1/devices", headers=headers).status_code == 200
            with httpx.Client(base_url=place.url) as browser:  # the link was printed before the restart
                assert browser.post("/auth/sign-in", data={"code": typed}).status_code == 303
                cookie = dict(browser.cookies)
            code = place.run("web", "code")[1].split()[0]
            pair = httpx.post(f"{place.url}/v1/auth/pair", json={"code": code}).json()
        finally:
            process.terminate()
    with place.log.open("w", encoding="utf-8") as log, place.start("serve", stdout=log, stderr=log) as process:
        try:
            _up(place)
            with httpx.Client(base_url=place.url, cookies=cookie) as browser:
                assert browser.get("/v1/auth/status").status_code == 200
            headers = {"authorization": f"Bearer {pair['access']}"}
            assert httpx.get(f"{place.url}/v1/auth/status", headers=headers).status_code == 200
            body = {"refresh": pair["refresh"]}
            second = httpx.post(f"{place.url}/v1/auth/refresh", json=body).json()
            headers = {"authorization": f"Bearer {second['access']}"}
            assert httpx.get(f"{place.url}/v1/auth/status", headers=headers).status_code == 200
            assert "used before" in httpx.post(f"{place.url}/v1/auth/refresh", json=body).json()["detail"]
            assert httpx.get(f"{place.url}/v1/auth/status", headers=headers).status_code == 401
        finally:
            process.terminate()


def test_nobody_locks_themselves_out_with_settings_that_do_not_go_together(place: Installation, link: str) -> None:
    key = place.run("web", "key", "desk", "--admin")[1].split()[0]
    before = (place.folder / "gitu.toml").read_text("utf-8")
    with httpx.Client(base_url=place.url, headers={"authorization": f"Bearer {key}"}) as http:
        path = "/v1/plugins/web/configuration"
        wrong = http.put(path, json={"values": {"host": "0.0.0.0", "public_url": "http://gitu.example.org"}})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "public_url"), wrong.text
        assert (place.folder / "gitu.toml").read_text("utf-8") == before
        for values in (
            {"host": "0.0.0.0", "public_url": "https://gitu.example.org"},
            {"host": None, "public_url": None},
        ):
            assert http.put(path, json={"values": values}).status_code == 200
        assert http.put(path, json={"values": {"hosts": 1}}).json()["hint"] == f"see: GET {path}"


def test_addresses_that_a_stranger_makes_up_do_not_count(place: Installation, link: str) -> None:
    """Nobody stands before this server: what a request says of where it comes from is not believed."""
    found = []
    for number in range(12):
        headers = {"x-forwarded-for": f"10.9.9.{number}", "x-forwarded-proto": "https", "forwarded": "for=10.9.9.9"}
        body = {"code": f"{number:010d}"}
        found.append(httpx.post(f"{place.url}/v1/auth/pair", json=body, headers=headers).status_code)
    assert 429 in found
    for host in ("evil.example", "127.0.0.1.evil.example", ""):
        headers = {"host": host, "origin": f"http://{host}", "x-forwarded-host": "127.0.0.1"}
        assert httpx.post(f"{place.url}/auth/sign-in", data={"code": "x"}, headers=headers).status_code in (400, 421)


def test_behind_a_proxy_its_word_counts_and_that_of_others_does_not(tmp_path: Path) -> None:
    """People use https; the proxy says where they come from, behind whatever they say themselves."""
    place = Installation(tmp_path / "gitu")
    place.configure("")
    with (place.folder / "gitu.toml").open("a", encoding="utf-8") as settings:
        settings.write('public_url = "https://gitu.example.org"\nproxies = ["127.0.0.1"]\n')
    with place.log.open("w", encoding="utf-8") as log, place.start("serve", stdout=log, stderr=log) as process:
        try:
            _up(place)
            link = next(each for each in place.log.read_text("utf-8").splitlines() if "/auth/link" in each)
            assert link.startswith("https://gitu.example.org/auth/link?code=")
            proxied = {"host": "gitu.example.org", "x-forwarded-proto": "https"}
            with httpx.Client(base_url=place.url, headers=proxied) as http:
                for origin, wanted in (("http://evil.example", 403), ("https://gitu.example.org", 303)):
                    headers = {"origin": origin, "x-forwarded-for": "6.6.6.6, 10.0.0.5"}
                    done = http.post("/auth/sign-in", data={"code": link.partition("code=")[2]}, headers=headers)
                    assert done.status_code == wanted
                cookie = done.headers["set-cookie"]
                assert cookie.startswith("__Host-gitu=gb1.")
                assert "Secure" in cookie
                assert "10.0.0.5" in place.run("web", "devices")[1]
                found = []
                for number in range(12):  # what the guesser says of itself stands before what the proxy says
                    headers = {"x-forwarded-for": f"10.9.9.{number}, 10.0.0.66"}
                    found.append(
                        http.post("/v1/auth/pair", json={"code": f"{number:010d}"}, headers=headers).status_code
                    )
                assert found == [401] * 10 + [429] * 2
                code = place.run("web", "code")[1].split()[0]
                headers = {"x-forwarded-for": "10.0.0.7"}
                assert http.post("/v1/auth/pair", json={"code": code}, headers=headers).status_code == 201
        finally:
            process.terminate()


def _up(place: Installation) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        try:
            httpx.get(f"{place.url}/readyz")
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(place.log.read_text("utf-8"))
