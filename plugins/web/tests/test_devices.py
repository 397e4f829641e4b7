"""Devices: what lets one in, what keeps one in, and everything that must not."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from gitu_core.contracts.people import Person
from gitu_core.errors import AuthFailed, RateLimited
from gitu_web.auth.devices import ACCESS, DAY, LASTS
from gitu_web.auth.signing import Signer

from .house import House

pytestmark = pytest.mark.anyio


async def status(house: House, token: str) -> int:
    """What a device is told about itself."""
    async with house.client(token) as client:
        return (await client.get("/v1/auth/status")).status_code


async def refreshed(house: House, refresh: str) -> tuple[int, dict[str, str]]:
    """What comes of a refresh credential."""
    async with house.client() as client:
        found = await client.post("/v1/auth/refresh", json={"refresh": refresh})
        return found.status_code, found.json()


async def test_a_code_lets_a_device_in_once() -> None:
    house = House()
    code = await house.doors.codes.make("local", ("chat",))
    pair = {}
    async with house.client() as client:
        for typed, wanted in ((f" {code.lower().replace('-', ' ')} ", 201), (code, 401)):
            found = await client.post("/v1/auth/pair", json={"code": typed, "name": "my\x1b phone"})
            assert found.status_code == wanted
            pair = pair or found.json()
    assert pair["name"] == "my phone"
    assert pair["person"] == "local"
    assert await status(house, pair["access"]) == 200
    assert house.host.admin.people.accounts == {"local": "local"}, "its account is its person's"
    assert code.replace("-", "") not in repr(house.host.kv.entries)
    assert pair["refresh"].rpartition(".")[2] not in repr(house.host.kv.entries), "only digests are kept"


async def test_a_code_is_over_after_five_minutes() -> None:
    house = House()
    code = await house.doors.codes.make("local", ("chat",))
    house.now.at += 301
    with pytest.raises(AuthFailed):
        await house.doors.redeem(code, "")
    await house.doors.codes.make("local", ("chat",))
    assert len(await house.host.kv.list("code/")) == 1, "what is over is deleted"


async def test_of_two_who_show_a_code_at_once_one_gets_in() -> None:
    house = House()
    code = await house.doors.codes.make("local", ("chat",))
    async with house.client() as client:
        asked = [client.post("/v1/auth/pair", json={"code": code}) for _ in range(5)]
        found = [each.status_code for each in await asyncio.gather(*asked)]
    assert sorted(found) == [201, 401, 401, 401, 401]


async def test_who_guesses_is_slowed_down_and_others_are_not() -> None:
    house = House()
    code = await house.doors.codes.make("local", ("chat",))
    async with house.client(address="10.0.0.66") as guesser, house.client(address="10.0.0.2") as honest:
        found = [await guesser.post("/v1/auth/pair", json={"code": f"{n:010d}"}) for n in range(12)]
        assert [each.status_code for each in found] == [401] * 10 + [429] * 2
        assert int(found[-1].headers["retry-after"]) == 300
        assert (await honest.post("/v1/auth/pair", json={"code": code})).status_code == 201
    house.now.at += 301
    house.doors.guesses.take("10.0.0.66")


async def test_guesses_from_everywhere_are_bounded_together() -> None:
    house = House()
    for number in range(100):
        house.doors.guesses.take(f"10.0.1.{number}")
    with pytest.raises(RateLimited):
        house.doors.guesses.take("10.0.2.1")


async def test_an_access_credential_ends_and_the_next_pair_goes_on() -> None:
    house = House()
    first = await house.paired()
    house.now.at += ACCESS + 1
    assert await status(house, first["access"]) == 401
    code, second = await refreshed(house, first["refresh"])
    assert code == 200
    assert await status(house, second["access"]) == 200
    house.now.at += 89 * DAY
    code, third = await refreshed(house, second["refresh"])
    assert code == 200, "ninety days begin anew at each refresh"
    house.now.at += LASTS["app"] + 1
    assert (await refreshed(house, third["refresh"]))[0] == 401


async def test_a_refresh_credential_that_is_used_again_unlinks_the_device() -> None:
    house = House()
    gone: list[str] = []
    house.doors.on_unlink(gone.append)
    first = await house.paired()
    _, second = await refreshed(house, first["refresh"])
    assert await status(house, second["access"]) == 200
    code, told = await refreshed(house, first["refresh"])
    assert code == 401
    assert "used before" in told["detail"]
    assert gone == [first["device"]]
    assert await status(house, second["access"]) == 401
    assert (await refreshed(house, second["refresh"]))[0] == 401


async def test_an_answer_that_was_lost_can_be_asked_for_again() -> None:
    house = House()
    first = await house.paired()
    _, lost = await refreshed(house, first["refresh"])
    code, second = await refreshed(house, first["refresh"])
    assert (code, second["refresh"]) == (200, lost["refresh"]), "the same answer"
    assert await status(house, second["access"]) == 200
    assert (await refreshed(house, second["refresh"]))[0] == 200


async def test_of_two_who_refresh_at_once_both_can_go_on_with_the_last_answer() -> None:
    house = House()
    first = await house.paired()
    found = await asyncio.gather(*(refreshed(house, first["refresh"]) for _ in range(2)))
    assert [code for code, _ in found] == [200, 200]
    assert 200 in [(await refreshed(house, told["refresh"]))[0] for _, told in found]


@pytest.mark.parametrize("what", ["signature", "key", "version", "body", "nothing", "binary", "none"])
async def test_a_forged_credential_is_refused(what: str) -> None:
    house = House()
    access = (await house.paired())["access"]
    kind, body, mark = access.split(".")
    other = base64.urlsafe_b64encode(json.dumps(["x", 1, 9e9]).encode()).rstrip(b"=").decode()
    forged = {
        "signature": f"{kind}.{body}.{mark[:-2]}AA", "key": Signer(b"other").access("x", 1, 9e9), "nothing": "x",
        "version": f"ga2.{body}.{mark}", "body": f"{kind}.{other}.{mark}", "binary": "ga1.\\xff.\\xff", "none": "ga1..",
    }[what]  # fmt: skip
    assert await status(house, access) == 200
    assert await status(house, forged) == 401


async def test_the_clock_may_be_wrong_for_a_while() -> None:
    house = House()
    pair = await house.paired()
    house.now.at -= 3_600
    assert await status(house, pair["access"]) == 200
    assert (await refreshed(house, pair["refresh"]))[0] == 200


async def test_an_unlinked_device_is_refused_at_once() -> None:
    house = House()
    one, other = await house.paired(), await house.paired(name="laptop")
    async with house.client(other["access"]) as client:
        listed = (await client.get("/v1/devices")).json()["devices"]
        assert {each["name"] for each in listed} == {"phone", "laptop"}
        assert [each["name"] for each in listed if each["this"]] == ["laptop"]
        assert "secret" not in repr(listed)
        assert (await client.delete(f"/v1/devices/{one['device']}")).status_code == 204
        assert (await client.delete(f"/v1/devices/{one['device']}")).status_code == 404
    assert await status(house, one["access"]) == 401
    assert (await refreshed(house, one["refresh"]))[0] == 401
    assert await status(house, other["access"]) == 200


async def test_nobody_sees_or_unlinks_the_devices_of_others_but_an_admin() -> None:
    house = House()
    ana, bob, boss = await house.paired("ana"), await house.paired("bob"), await house.paired(scopes=("chat", "admin"))
    async with house.client(ana["access"]) as client:
        assert [each["person"] for each in (await client.get("/v1/devices")).json()["devices"]] == ["ana"]
        assert (await client.get("/v1/devices?all=true")).status_code == 403
        assert (await client.delete(f"/v1/devices/{bob['device']}")).status_code == 404
    async with house.client(boss["access"]) as client:
        found = (await client.get("/v1/devices?all=true")).json()["devices"]
        assert {each["person"] for each in found} == {"ana", "bob", "local"}
        assert (await client.delete(f"/v1/devices/{bob['device']}")).status_code == 204


async def test_nobody_hands_on_more_than_they_have() -> None:
    house = House()
    ana, boss = await house.paired("ana"), await house.paired(scopes=("chat", "admin"))
    async with house.client(ana["access"]) as client:
        for told in ({"scopes": ["chat", "admin"]}, {"person": "local"}):
            assert (await client.post("/v1/auth/codes", json=told)).status_code == 403
        mine = (await client.post("/v1/auth/codes", json={})).json()
    async with house.client() as client:
        new = (await client.post("/v1/auth/pair", json={"code": mine["code"]})).json()
    assert (new["person"], new["scopes"]) == ("ana", ["chat"])
    async with house.client(boss["access"]) as client:
        told = {"person": "ana", "scopes": ["chat", "admin"]}
        assert (await client.post("/v1/auth/codes", json=told)).status_code == 201


async def test_a_user_who_is_switched_off_is_out() -> None:
    house = House()
    pair = await house.paired("ana")
    house.host.admin.people.all["ana"] = Person("ana", enabled=False)
    assert await status(house, pair["access"]) == 401


async def test_a_key_lasts_until_it_is_unlinked_and_is_no_cookie() -> None:
    house = House()
    key = await house.doors.key("local", "script", ("chat",))
    house.now.at += 365 * DAY
    assert await status(house, key) == 200
    async with house.client(cookie=f"gitu={key}") as client:
        assert (await client.get("/v1/auth/status")).status_code == 401
    (device,) = await house.doors.devices.all()
    await house.doors.devices.unlink(device.id)
    assert await status(house, key) == 401


async def test_the_account_of_another_user_is_not_taken_over() -> None:
    house = House()
    people = house.host.admin.people
    people.all["bob"] = Person("bob")
    people.accounts["ana"] = "bob"
    code = await house.doors.codes.make("ana", ("chat",))
    async with house.client() as client:
        found = await client.post("/v1/auth/pair", json={"code": code})
    assert found.status_code == 400
    assert people.accounts["ana"] == "bob"


async def test_that_a_device_was_used_is_written_once_a_minute() -> None:
    house = House()
    pair = await house.paired()
    await status(house, pair["access"])
    (before,) = await house.doors.devices.all()
    house.now.at += 59
    await status(house, pair["access"])
    assert (await house.doors.devices.all())[0].seen == before.seen
    house.now.at += 2
    await status(house, pair["access"])
    assert (await house.doors.devices.all())[0].seen == house.now.at


@pytest.mark.parametrize(
    ("body", "kind", "wanted"),
    [
        (b"{}", "application/json", 400), (b"[", "application/json", 400), (b'{"code": 1}', "application/json", 400),
        (b'{"code": "x", "more": 1}', "application/json", 400), (b"\xff", "application/json", 400),
        (b'{"code": "x"}', "text/plain", 415), (b'{"code": "x"}', "", 415),
        (b'{"code": "' + b"x" * 70_000 + b'"}', "application/json", 413),
        (b'{"code": "\xed\xa0\x80"}', "application/json", 400), (b'{"code": "-"}', "application/json", 401),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_refused_with_its_reason(body: bytes, kind: str, wanted: int) -> None:
    house = House()
    async with house.client(**{"content-type": kind}) as client:
        found = await client.post("/v1/auth/pair", content=body)
    assert found.status_code == wanted
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["hint"]
