"""A row that somebody changed: the turn that meets it fails and says which it is, all others go on, nothing is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gitu_core import Gitu
from gitu_core.errors import Damaged, KeyUnavailable
from gitu_core.testing import ScriptedModel
from gitu_core.testing.invariants import open_messages

pytestmark = pytest.mark.anyio


def changed(home: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Runs a statement on the database behind the back of the program."""
    with sqlite3.connect(home / "gitu.db") as connection:
        return connection.execute(statement, values).fetchall()


async def test_a_changed_row_fails_its_turn_alone_and_says_which_it_is(tmp_path: Path) -> None:
    async with Gitu(model=ScriptedModel(["one", "two"]), home=tmp_path) as gitu:
        session = (await gitu.send("hello", user="ana")).session
        await gitu.send("hello", user="bo")
    ((n, body),) = changed(tmp_path, "SELECT n, body FROM messages WHERE person = 'ana' ORDER BY n LIMIT 1")
    changed(tmp_path, "UPDATE messages SET body = ? WHERE n = ?", body[:-1] + bytes([body[-1] ^ 1]), n)  # type: ignore[index]
    async with Gitu(model=ScriptedModel(["three", "four", "five"]), home=tmp_path) as gitu:
        with pytest.raises(Damaged, match=r"table messages, row .*, of ana") as raised:
            await gitu.send("again", user="ana")
        assert raised.value.details["table"] == "messages"
        assert raised.value.details["person"] == "ana"
        assert session in raised.value.details["row"]
        assert "gitu restore" in raised.value.hint
        assert (await gitu.send("again", user="bo")).text == "three"
        assert (await gitu.send("elsewhere", user="ana", session="other")).text == "four"
        assert await open_messages(gitu.house.store) == []
        assert [each for each in await gitu.house.store.check() if "of ana" in each]
        changed(tmp_path, "UPDATE messages SET body = ? WHERE n = ?", body, n)
        assert (await gitu.send("again, please", user="ana")).text == "five"
        said = [each.message.text for each in await gitu.history(session)]
        assert [said[0], said[-2], said[-1]] == ["hello", "again, please", "five"]
        assert await gitu.house.store.check() == []


async def test_a_turn_that_lacks_a_master_key_fails_and_nothing_is_lost(tmp_path: Path) -> None:
    async with Gitu(model=ScriptedModel(["one"]), home=tmp_path) as gitu:
        await gitu.send("hello", user="ana")
    key = tmp_path / "master.key"
    key.rename(tmp_path / "away")
    with pytest.raises(KeyUnavailable, match="its master key is missing: "):
        async with Gitu(model=ScriptedModel(["two"]), home=tmp_path):
            pass
    (tmp_path / "away").rename(key)
    async with Gitu(model=ScriptedModel(["two"]), home=tmp_path) as gitu:
        assert (await gitu.send("again", user="ana")).text == "two"
        assert len(await gitu.history((await gitu.sessions())[0].id)) == 4
