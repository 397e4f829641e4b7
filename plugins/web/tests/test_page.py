"""What docs/web.md shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gitu_core.contracts import Conversation, Message, Outgoing, Text
from gitu_web.functions import Brought, spec_of
from gitu_web.messages import Post
from gitu_web.protocol import Said, Told, decode_said, decode_told

from .around import served

PAGE = Path(__file__).parents[3] / "docs" / "web.md"


def blocks(language: str, mark: str = "") -> list[str]:
    """The blocks of the page in a language, behind a mark where one is given."""
    before = re.escape(f"<!-- {mark} -->\n") if mark else ""
    return re.findall(f"{before}```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.anyio
async def test_the_program_of_the_page_gets_an_answer() -> None:
    namespace: dict[str, Any] = {}
    exec(blocks("python")[0], namespace)  # noqa: S102 - our own page
    async with served() as place:

        async def answer(message: Message, id: str) -> None:
            where = Conversation("web", "ana")
            await place.adapter.send(Outgoing("o1", "o1", where, (Text(f"about {message.text}"),), cause=id))

        place.box.on_accept = answer
        assert await namespace["ask"](place.host.url, "ana-phone", "tea") == "about tea"


def test_its_bodies_and_frames_are_those_of_the_protocol() -> None:
    for line in "".join(blocks("json", "frames of a client")).splitlines():
        assert isinstance(decode_said(line), Said)
    for line in "".join(blocks("json", "frames of the server")).splitlines():
        frame = decode_told(line)
        assert isinstance(frame, Told)
    (brought,) = blocks("json", "a function")
    assert spec_of(msgspec.json.decode(brought, type=Brought), "phone").effects == ("read",)
    others = ('"hello"', '"welcome"', '"function"')
    bodies = [json.loads(each) for each in blocks("json") if not any(other in each for other in others)]
    assert len(bodies) == 2
    for body in bodies:
        assert set(body) <= set(Post.__struct_fields__)


def test_it_names_every_frame() -> None:
    text = PAGE.read_text()
    for frame in (*Said.__args__, *Told.__args__):
        assert f"`{frame.__struct_config__.tag}`" in text
