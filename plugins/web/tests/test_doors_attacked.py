"""Doors are attacked where two things happen at once, where a credential was copied, and where another process acts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gitu_core.contracts import Entry
from gitu_core.errors import AuthFailed, Denied, InputError
from gitu_web.auth.devices import GRACE, Devices

from .house import House

pytestmark = pytest.mark.anyio


async def refreshed(house: House, refresh: str) -> tuple[int, dict[str, Any]]:
    """What comes of a refresh credential."""
    async with house.client() as client:
        found = await client.post("/v1/auth/refresh", json={"refresh": refresh})
        return found.status_code, found.json()


async def status(house: House, token: str) -> int:
    """What a device is told about itself."""
    async with house.client(token) as client:
        return (await client.get("/v1/auth/status")).status_code


def held_up(house: House, name: str) -> tuple[asyncio.Event, asyncio.Event]:
    """The next call of *name* of the store stops before it does anything: (it has come, it may go on)."""
    come, go, inner = asyncio.Event(), asyncio.Event(), getattr(house.host.kv, name)

    async def slow(*given: Any, **more: Any) -> Any:
        setattr(house.host.kv, name, inner)
        come.set()
        await go.wait()
        return await inner(*given, **more)

    setattr(house.host.kv, name, slow)
    return come, go


async def test_a_request_that_is_under_way_does_not_bring_an_unlinked_device_back() -> None:
    house = House()
    pair = await house.paired()
    await status(house, pair["access"])
    house.now.at += 61  # the next request notes that the device was used
    come, go = held_up(house, "put")
    asking = asyncio.create_task(status(house, pair["access"]))
    await come.wait()
    other = Devices(house.host, house.now)  # type: ignore[arg-type]  # another process: gitu web unlink
    assert await other.unlink(pair["device"])
    go.set()
    await asking
    assert await status(house, pair["access"]) == 401
    assert await house.doors.devices.all() == []
    assert (await refreshed(house, pair["refresh"]))[0] == 401


async def test_a_request_that_is_under_way_does_not_undo_a_refresh() -> None:
    house = House()
    pair = await house.paired()
    await status(house, pair["access"])
    house.now.at += 61
    come, go = held_up(house, "put")
    asking = asyncio.create_task(status(house, pair["access"]))
    await come.wait()
    refreshing = asyncio.create_task(refreshed(house, pair["refresh"]))
    await asyncio.sleep(0.05)
    go.set()
    await asking
    code, second = await refreshing
    assert code == 200
    assert await status(house, second["access"]) == 200
    assert (await refreshed(house, second["refresh"]))[0] == 200, "the newest credential counts"


async def test_a_copy_of_the_credential_before_gives_nothing_that_its_owner_does_not_notice() -> None:
    """The owner refreshed and was quiet; a thief has the credential before. Whoever comes second is noticed."""
    house = House()
    first = await house.paired()
    _, owner = await refreshed(house, first["refresh"])
    code, thief = await refreshed(house, first["refresh"])
    assert (code, thief["refresh"]) == (200, owner["refresh"]), "the same answer again, nothing new"
    _, owner = await refreshed(house, owner["refresh"])
    assert await status(house, owner["access"]) == 200
    code, told = await refreshed(house, thief["refresh"])
    assert code == 401
    assert "used before" in told["detail"]
    assert await status(house, owner["access"]) == 401


async def test_a_very_old_credential_is_noticed_too() -> None:
    house = House()
    first = await house.paired()
    newest = first
    for _ in range(5):
        _, newest = await refreshed(house, newest["refresh"])
    forged = first["refresh"][:-2] + ("AA" if first["refresh"][-2:] != "AA" else "BB")
    assert (await refreshed(house, forged))[0] == 401
    assert await status(house, newest["access"]) == 200, "what was never ours unlinks nothing"
    assert "used before" in (await refreshed(house, first["refresh"]))[1]["detail"]
    assert await status(house, newest["access"]) == 401


async def test_an_answer_that_was_lost_can_be_had_for_a_while_and_not_for_ever() -> None:
    house = House()
    first = await house.paired()
    _, lost = await refreshed(house, first["refresh"])
    house.now.at += GRACE
    assert (await refreshed(house, first["refresh"]))[1]["refresh"] == lost["refresh"]
    house.now.at += 1
    assert "used before" in (await refreshed(house, first["refresh"]))[1]["detail"]


async def test_of_many_who_refresh_at_once_all_get_the_same() -> None:
    house = House()
    first = await house.paired()
    found = await asyncio.gather(*(refreshed(house, first["refresh"]) for _ in range(5)))
    assert {code for code, _ in found} == {200}
    assert len({told["refresh"] for _, told in found}) == 1


async def test_a_refresh_credential_of_one_device_is_none_of_another() -> None:
    house = House()
    one, other = await house.paired(), await house.paired()
    kind, _, secret = one["refresh"].split(".", 2)
    assert (await refreshed(house, f"{kind}.{other['device']}.{secret}"))[0] == 401
    for pair in (one, other):
        assert await status(house, pair["access"]) == 200


async def test_the_person_is_told_of_a_copy() -> None:
    house = House()
    first = await house.paired()
    _, second = await refreshed(house, first["refresh"])
    await status(house, second["access"])
    await refreshed(house, first["refresh"])
    ((person, text),) = house.host.admin.said
    assert person == "local"
    assert "phone" in text


async def test_the_key_of_the_server_is_made_once_by_many_at_once() -> None:
    house = House()
    signers = await asyncio.gather(*(house.doors.devices.signer() for _ in range(5)))
    later = await Devices(house.host, house.now).signer()  # type: ignore[arg-type]  # after a restart
    marks = {each.csrf("x") for each in (*signers, later)}
    assert len(marks) == 1


async def test_what_an_unlinked_device_made_lets_nobody_in() -> None:
    house = House()
    pair = await house.paired()
    async with house.client(pair["access"]) as client:
        code = (await client.post("/v1/auth/codes", json={})).json()["code"]
    await house.doors.devices.unlink(pair["device"])
    with pytest.raises(AuthFailed):
        await house.doors.redeem(code, "10.0.0.9")


async def test_a_key_lets_no_device_in_and_unlinks_none() -> None:
    house = House()
    pair, key = await house.paired(), await house.doors.key("local", "script", ("chat", "admin"))
    asked, _ = house.doors.pairings.ask("a", "b", "c")
    async with house.client(key) as client:
        assert (await client.post("/v1/auth/codes", json={})).status_code == 403
        assert (await client.post(f"/v1/pairings/{asked.id}", json={"accept": True})).status_code == 403
        assert (await client.delete(f"/v1/devices/{pair['device']}")).status_code == 403
        assert (await client.get("/v1/devices")).status_code == 200
    assert await status(house, pair["access"]) == 200


async def test_a_user_who_is_switched_off_gets_no_device() -> None:
    house = House()
    code = await house.doors.codes.make("local", ("chat",))
    house.host.admin.people.disable("local")
    async with house.client() as client:
        assert (await client.post("/v1/auth/pair", json={"code": code})).status_code == 401
    assert await house.host.kv.list("device/") == []


async def test_a_network_counts_as_one_who_guesses() -> None:
    house = House()
    found = []
    for number in range(12):
        async with house.client(address=f"2001:db8:1:2::{number:x}") as client:
            found.append((await client.post("/v1/auth/pair", json={"code": f"{number:010d}"})).status_code)
    assert found == [401] * 10 + [429] * 2


async def test_codes_and_wrong_refreshes_are_bounded() -> None:
    house = House()
    pair = await house.paired()
    async with house.client(pair["access"]) as client:
        made = [(await client.post("/v1/auth/codes", json={})).status_code for _ in range(12)]
    assert made == [201] * 10 + [429] * 2
    found = [(await refreshed(house, "gr1.x.y"))[0] for _ in range(32)]
    assert found == [401] * 30 + [429] * 2
    async with house.client(address="10.0.0.2") as client:
        assert (await client.post("/v1/auth/refresh", json={"refresh": pair["refresh"]})).status_code == 200


async def test_a_form_without_a_length_or_too_large_is_not_read() -> None:
    house = House()
    client, csrf = await house.signed_in()
    form = {"content-type": "application/x-www-form-urlencoded"}

    async def pieces() -> Any:
        raise AssertionError("nobody reads it")
        yield b""

    async with client, house.client() as stranger:
        for who, path in ((stranger, "/auth/sign-in"), (client, "/auth/sign-out")):
            assert (await who.post(path, content=pieces(), headers=form)).status_code == 400
            large = {**form, "content-length": str(10 << 20)}
            assert (await who.post(path, content=pieces(), headers=large)).status_code == 413
        assert (await stranger.post("/auth/sign-in", json={"code": "x"})).status_code == 415
        assert (await client.post("/auth/sign-out", data={"csrf": csrf})).status_code == 303


async def test_what_another_process_did_is_noticed() -> None:
    house = House()
    one, other, third = [await house.paired(person) for person in ("local", "local", "ana")]
    unlinked: list[str] = []
    out: list[str] = []
    house.doors.on_unlink(unlinked.append)
    await house.doors.look([], out.append)
    assert (unlinked, out) == ([], [])
    await Devices(house.host, house.now).unlink(one["device"])  # type: ignore[arg-type]
    house.host.admin.people.disable("ana")
    await house.doors.look([one["device"], other["device"], third["device"]], out.append)
    assert (unlinked, out) == ([one["device"]], ["ana"])
    await house.host.kv.delete(f"device/{other['device']}")  # its person was erased
    await house.doors.look([other["device"], third["device"]], out.append, thorough=True)
    assert unlinked == [one["device"], other["device"]]


async def test_what_came_back_by_a_crash_goes_again() -> None:
    house = House()
    pair = await house.paired()
    entry = await house.host.kv.get(f"device/{pair['device']}")
    assert entry is not None
    await house.doors.devices.unlink(pair["device"])
    await house.host.kv.put(Entry(entry.key, entry.value, entry.person))
    await house.doors.look([], lambda person: None)
    assert await status(house, pair["access"]) == 401
    house.now.at += 2 * 86_400
    await house.doors.look([], lambda person: None)
    assert await house.host.kv.list("gone/") == [], "it is remembered for a day"


async def test_a_visit_ends_after_a_month_however_busy() -> None:
    house = House()
    client, _ = await house.signed_in()
    async with client:
        for _ in range(30):
            assert (await client.get("/v1/auth/status")).status_code == 200
            house.now.at += 86_400
        assert (await client.get("/v1/auth/status")).status_code == 401


async def test_a_site_under_several_addresses_knows_its_own_pages() -> None:
    house = House(["http://127.0.0.1:8765"])
    house.doors.own = lambda origin, host: origin == f"http://{host}"
    code = (await house.doors.link()).partition("code=")[2]
    headers = {"origin": "http://192.168.1.7:8765", "host": "192.168.1.7:8765"}
    async with house.client(**headers) as client:
        assert (await client.post("/auth/sign-in", data={"code": code})).status_code == 303
        asked = (await client.post("/v1/pairings", json={})).json()
        assert asked["url"].startswith("http://192.168.1.7:8765/pair?request="), "what the terminal reached"
        with pytest.raises(Denied):
            house.doors.same_origin(client.build_request("POST", "/", headers={"origin": "http://x"}))  # type: ignore[arg-type]


async def test_the_name_of_a_user_is_checked_before_anything_is_made() -> None:
    house = House()
    for person in ("", "a\nb", "x" * 600):
        with pytest.raises(InputError):
            await house.doors.known(person)
