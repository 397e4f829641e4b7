"""The whole assistant on PostgreSQL by URL: the same as on a file, also beside others in one database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("asyncpg", reason='no driver for PostgreSQL: pip install "gitu-core[postgres]"')

from gitu_core import Gitu, tool
from gitu_core.testing import FunctionModel, RecordingAdapter, ScriptedModel, call
from tests.app.around import ECHO, on, slow, until
from tests.store.conftest import new_database, postgres  # noqa: F401 - the fixture

pytestmark = pytest.mark.anyio


@tool
def double(number: int) -> int:
    """Doubles a number."""
    return number * 2


@pytest.fixture
def database(postgres: str) -> str:  # noqa: F811 - the fixture
    """The URL of an empty database."""
    return new_database(postgres)


def counting() -> FunctionModel:
    """A model that tells how many messages it was shown."""
    return FunctionModel(lambda request: f"{len(request.messages)} messages")


async def tables(url: str) -> dict[str, int]:
    """How many tables each schema has."""
    import asyncpg

    connection: Any = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT schemaname, count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        " GROUP BY schemaname"
    )
    await connection.close()
    return dict(rows)


async def test_tools_are_used_and_everything_is_there_after_a_restart(database: str) -> None:
    model = ScriptedModel([call("double", number=21), "It is 42."])
    async with Gitu(model=model, tools=[double], database=database) as gitu:
        reply = await gitu.send("Double 21", user="ana")
        assert (reply.text, reply.results[0].content) == ("It is 42.", 42)
        before = await gitu.sessions("ana")
    async with Gitu(model=counting(), database=database) as gitu:
        assert [each.id for each in await gitu.sessions("ana")] == [before[0].id] == [reply.session]
        said = [each.message.text for each in await gitu.history(reply.session)]
        assert (said[0], said[-1]) == ("Double 21", "It is 42.")
        assert (await gitu.send("And now?", user="ana")).session == reply.session


async def test_the_same_key_is_answered_once_also_after_a_restart(database: str) -> None:
    model = ScriptedModel(["once"])
    for _ in range(2):
        async with Gitu(model=model, database=database) as gitu:
            assert (await gitu.send("hi", user="ana", key="k")).text == "once"
    assert len(model.requests) == 1


async def test_two_assistants_share_one_database(database: str, home: Path) -> None:
    async with (
        Gitu(model=counting(), database=database, home=home) as one,
        Gitu(model=counting(), database=database, home=home) as two,
    ):

        async def talk(gitu: Gitu, name: str) -> None:
            for _ in range(5):
                await gitu.send("hello", user=name)

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(talk, (one, two)[number % 2], f"u{number}")
        assert len(await one.sessions()) == len(await two.sessions()) == 4
        (session,) = await two.sessions("u0")
        assert len(await two.history(session.id)) == 10


async def test_a_schema_and_a_prefix_of_its_own_keep_two_assistants_apart(database: str) -> None:
    import asyncpg

    connection: Any = await asyncpg.connect(database)
    await connection.execute("CREATE SCHEMA one")
    await connection.close()
    async with (
        Gitu(model=counting(), database=database, schema="one") as first,
        Gitu(model=counting(), database=database, prefix="two_") as second,
    ):
        await first.send("hello", user="ana")
        assert len(await first.sessions()) == 1
        assert await second.sessions() == []
        found = await tables(database)
    assert found["one"] == found["public"] > 5


async def test_a_person_is_the_same_one_to_two_assistants_and_switched_off_in_both(database: str, home: Path) -> None:
    started = anyio.Event()
    one, two = RecordingAdapter("one"), RecordingAdapter("two", access="paired")
    where: dict[str, Any] = {"database": database, "home": home}
    async with on(one, ECHO, **where) as first, on(two, slow(30, started), **where) as second:
        code = next(word for word in (await one.talk("/link")).split() if len(word) == 11 and word[5] == "-")
        await two.say("hello", user="ana2")
        await two.say(f"/link {code}", user="ana2")
        await until(lambda: len(two.sent) == 2)
        assert "linked" in two.sent[1].text
        await two.say("work", user="ana2")
        await started.wait()
        (person,) = {each.person for each in await second.sessions()}
        await first.house.store.change_person(person, enabled=False)
        await until(lambda: two.sent[-1].text == "Stopped.")
        assert (await two.say("more", user="ana2")).id == ""
        assert (await one.say("more")).id == ""
        await first.house.store.change_person(person, enabled=True)
        # Whoever looked meanwhile learns it with the next look, within a second.
        await until(lambda: person not in first.house.gateway.identity.off)
        assert await one.talk("/unlink 2") == "Ana2 on two does not speak for you any more."
        assert (await two.say("more", user="ana2")).id == ""
