"""What one may see and change over REST, on a whole assistant; and what nobody may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gitu_core.contracts.authority import Grant
from gitu_web.manage import TABLE

from .whole import Whole, whole

pytestmark = pytest.mark.anyio


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Whole]:
    """An assistant."""
    async with whole(tmp_path) as found:
        yield found


async def said(client: Any, text: str, **more: Any) -> Any:
    """The answer to a message."""
    return (await client.post("/v1/messages", json={"text": text, "wait": 30, **more})).json()


async def test_one_sees_ones_own_sessions_and_nobody_elses(place: Whole) -> None:
    async with await place.client() as local, await place.client("ana") as ana:
        await said(local, "good morning")
        await said(ana, "a secret of mine")
        (mine,) = (await local.get("/v1/sessions")).json()["items"]
        (hers,) = (await ana.get("/v1/sessions")).json()["items"]
        history = (await local.get(f"/v1/sessions/{mine['id']}/messages")).json()["items"]
        assert [each["text"] for each in history] == ["good morning", "you said: good morning"]
        for way in ("", "/messages"):
            assert (await local.get(f"/v1/sessions/{hers['id']}{way}")).status_code == 404
        assert (await local.delete(f"/v1/sessions/{hers['id']}")).status_code == 404
        assert (await local.get("/v1/sessions", params={"user": "ana"})).status_code == 404
        assert (await local.delete(f"/v1/sessions/{mine['id']}")).status_code == 204
        assert (await local.get(f"/v1/sessions/{mine['id']}")).json()["ended_at"]
        async with await place.client("local", "chat", "admin") as boss:
            assert len((await boss.get("/v1/sessions", params={"user": "*"})).json()["items"]) == 2
            assert (await boss.get(f"/v1/sessions/{hers['id']}/messages")).status_code == 403, "words stay hers"


async def test_a_question_is_answered_and_a_permission_taken_back(place: Whole) -> None:
    async with await place.client() as local:
        await local.post("/v1/messages", json={"text": "look at the page", "wait": 5})
        for _ in range(200):
            if asked := (await local.get("/v1/approvals")).json()["items"]:
                break
            await asyncio.sleep(0.05)
        (question,) = asked
        assert "eve@example.org" in question["details"]
        url = f"/v1/approvals/{question['id']}"
        assert (await local.post("/v1/approvals/nothing", json={"choice": "yes"})).status_code == 404
        first = (await local.post(url, json={"choice": "no", "key": "k"})).json()
        assert first["fresh"]
        for _ in range(200):
            if not (await local.get("/v1/approvals")).json()["items"]:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the question is still open")
        await place.host.admin.grants.add_grant(Grant("g1", "local", "post"), "local")
        (grant,) = (await local.get("/v1/grants")).json()["items"]
        assert grant["words"].startswith("post")
        async with await place.client("ana") as ana:
            assert (await ana.delete("/v1/grants/g1")).status_code == 404
        assert (await local.delete("/v1/grants/g1")).status_code == 204
        assert (await local.get("/v1/grants")).json()["items"] == []


async def test_pages_follow_each_other(place: Whole) -> None:
    async with await place.client("local", "chat", "admin") as boss:
        for name in ("ana", "bob", "cid"):
            await place.doors.known(name)
        found, after = [], ""
        while True:
            page = (await boss.get("/v1/users", params={"limit": 2, "after": after})).json()
            found += [each["id"] for each in page["items"]]
            if not (after := page["next"]):
                break
        assert found == ["ana", "bob", "cid", "local"]
        for query in ({"limit": "0"}, {"limit": "many"}, {"limit": "501"}, {"after": "nobody"}):
            assert (await boss.get("/v1/users", params=query)).status_code == 400


async def test_whoever_may_look_after_it_does(place: Whole) -> None:
    async with await place.client("local", "chat", "admin") as boss, await place.client("ana") as ana:
        status = (await boss.get("/v1/status")).json()
        assert status["channels"]
        assert status["settings"]["file"] == str(place.file)
        assert (await boss.patch("/v1/users/ana", json={"enabled": False})).json()["enabled"] is False
        assert (await ana.get("/v1/me")).status_code == 401
        assert (await boss.patch("/v1/users/local", json={"enabled": False})).status_code == 400
        assert (await boss.patch("/v1/users/ana", json={"enabled": True})).status_code == 200
        assert (await ana.get("/v1/me")).json()["user"] == "ana"
        (account,) = (await boss.get("/v1/accounts", params={"user": "ana"})).json()["items"]
        assert account["id"] == "web/ana"
        assert (await boss.get("/v1/audit")).json()["items"][0]["kind"] in ("user", "account")
        numbers = (await boss.get("/metrics")).text
        assert 'gitu_channel_up{channel="web"} 1' in numbers
        assert "gitu_turns_running 0" in numbers


async def test_a_plugin_is_told_something_and_a_wrong_word_is_named(place: Whole) -> None:
    async with await place.client("local", "chat", "admin") as boss:
        url = "/v1/plugins/openai/configuration"
        assert "base_url" in (await boss.get(url)).json()["schema"]["properties"]
        for values, field in (
            ({"max_connections": "many"}, "plugins.openai.max_connections"),
            ({"nothing": 1}, "nothing"),
        ):
            refused = await boss.put(url, json={"values": values})
            assert refused.status_code in (400, 422)
            assert refused.json()["field"] == field
        assert (await boss.put(url, json={"values": {"max_connections": 7}})).status_code == 200
        text = place.file.read_text("utf-8")
        assert "max_connections = 7" in text
        assert "# by hand" in text
        assert (await boss.put(url, json={"values": {}, "anew": True})).status_code == 503, "nobody would begin it anew"
        assert (await boss.get("/v1/plugins/nobody/configuration")).status_code == 404
        assert (await boss.post("/v1/plugins/openai/sing")).status_code == 400


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[1]}")
async def test_strangers_see_nothing_and_who_may_not_look_after_it_is_told(tmp_path: Path, row: Any) -> None:
    method, path, scope = (
        row[0],
        row[1].replace("{id}", "x").replace("{channel}", "y").replace("{action}", "enable"),
        row[4],
    )
    async with whole(tmp_path) as place, await place.client("ana") as ana:
        asked = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
        assert (await ana.request(method, path, headers={"authorization": ""}, **asked)).status_code == 401
        assert (
            await ana.request(method, path, headers={"authorization": "Bearer gk1.a.b"}, **asked)
        ).status_code == 401
        if scope == "admin":
            assert (await ana.request(method, path, **asked)).status_code == 403
