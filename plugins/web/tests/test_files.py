"""Files: whoever sent one or was sent one has it whole, nobody else does, and none is opened as a page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gitu_core.contracts import Conversation, Media, Outgoing

from .around import Place, served

pytestmark = pytest.mark.anyio


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A server."""
    async with served() as found:
        yield found


async def test_a_file_is_sent_with_a_message_and_comes_back_whole(place: Place) -> None:
    data = bytes(range(256)) * 10_000
    async with place.client("ana-phone") as ana, place.client("bob-phone") as bob:
        kept = await ana.post("/v1/files", params={"name": "../../é.png"}, content=data,
                              headers={"content-type": "image/png"})  # fmt: skip
        assert kept.status_code == 201
        blob = kept.json()
        assert (blob["name"], blob["size"], blob["media_type"]) == ("é.png", len(data), "image/png")
        part = {"type": "media", "blob": blob, "kind": "image"}
        assert (await ana.post("/v1/messages", json={"parts": [part], "key": "k1"})).status_code == 202
        fetched = await ana.get(f"/v1/files/{blob['digest']}")
        assert (fetched.content, fetched.headers["content-type"]) == (data, "image/png")
        assert fetched.headers["content-disposition"].startswith("attachment")
        for refused in (
            await bob.get(f"/v1/files/{blob['digest']}"), await bob.post("/v1/messages", json={"parts": [part]}),
            await ana.get("/v1/files/sha256:0"), await ana.get("/v1/files/%2e%2e%2fsecret"),
        ):  # fmt: skip
            assert refused.status_code in (400, 404)
    assert [each.text for each in place.box.messages] == [""]


async def test_what_a_message_says_of_its_file_does_not_count(place: Place) -> None:
    """A page that calls itself a picture stays what it was when it was kept."""
    async with place.client("ana-phone") as http:
        blob = (await http.post("/v1/files", content=b"<script>", headers={"content-type": "text/html"})).json()
        part = {"type": "media", "blob": {**blob, "media_type": "image/png", "size": 1}}
        await http.post("/v1/messages", json={"parts": [part]})
        media = place.box.messages[0].parts[0]
        assert isinstance(media, Media)
        assert (media.blob.media_type, media.blob.size) == ("text/html", 8)
        fetched = await http.get(f"/v1/files/{blob['digest']}")
        assert fetched.headers["content-type"] == "application/octet-stream"
        assert "sandbox" in fetched.headers["content-security-policy"]


async def test_what_the_assistant_sends_can_be_fetched_by_its_person_only(place: Place) -> None:
    blob = await place.host.blobs.store(b"for ana", "text/plain", "note.txt")
    await place.adapter.send(Outgoing("o1", "o1", Conversation("web", "ana"), (Media(blob),)))
    async with place.client("ana-phone") as ana, place.client("bob-phone") as bob:
        assert (await ana.get(f"/v1/files/{blob.digest}")).content == b"for ana"
        assert (await bob.get(f"/v1/files/{blob.digest}")).status_code == 404


async def test_a_file_that_is_too_large_is_refused(place: Place) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(21):
            yield b"x" * (1 << 20)

    async with place.client("ana-phone") as http:
        refused = await http.post("/v1/files", content=endless())
        assert refused.status_code == 413
        assert place.host.blobs.data == {}
