"""Who runs the terminal on the machine where the assistant lives, and who opens the console with the link that is
printed there, is one person. Nobody else becomes that person, and who is somebody already stays who they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from sqlalchemy import create_engine

for each in ("gitu_terminal", "gitu_web", "gitu_operator"):
    pytest.importorskip(each, reason="it needs the plugins terminal, web and operator: make setup with all of plugins/")

from gitu_core import Gitu  # noqa: E402 - only where all of it is there
from gitu_core.config import ChannelRules, Settings  # noqa: E402
from gitu_core.contracts import Account, Adapter, Channel, Conversation, Host, Message, Text  # noqa: E402
from gitu_core.testing import ScriptedModel  # noqa: E402
from gitu_core.wiring import _is_mine  # noqa: E402
from plugins.web.tests.console_world import Installation  # noqa: E402

pytestmark = pytest.mark.anyio

ANA, BOB = Account("terminal", "ana", "Ana"), Account("terminal", "bob", "Bob")

Opened = Callable[..., AbstractAsyncContextManager[Gitu]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens an assistant of this home as the commands do."""

    @asynccontextmanager
    async def open(**settings: Any) -> AsyncIterator[Gitu]:
        async with Gitu(config=Settings(home=str(tmp_path), **settings), model=ScriptedModel(["hello"])) as gitu:
            yield gitu

    return open


async def who(gitu: Gitu, account: Account) -> str:
    """Whose a message from an account is."""
    message = Message("k", Conversation(account.channel, "1"), account, (Text("hello"),))
    found = await gitu.house.gateway.identity.speaker(message, "")
    assert found is not None
    return found.person.id


async def accounts(gitu: Gitu, person: str) -> list[tuple[str, str]]:
    """The accounts of a person."""
    return [(each.account.channel, each.account.id) for each in await gitu.house.store.accounts(person)]


async def test_whoever_is_first_at_the_terminal_is_who_asks_and_who_signs_in(opened: Opened) -> None:
    async with opened() as gitu:
        assert await who(gitu, ANA) == "local"
        await gitu.send("hello")  # as `gitu ask` does, and every application that names nobody
        assert await accounts(gitu, "local") == [("terminal", "ana"), ("app", "local")]
        (linked, *_) = await gitu.house.store.audit(person="local")
        assert (linked.kind, linked.subject, linked.outcome) == ("account", "terminal", "linked")


async def test_it_does_not_matter_who_came_first_the_terminal_or_the_console(opened: Opened) -> None:
    async with opened() as gitu:
        await gitu.house.store.link(Account("web", "local"), "local", new=True)  # as the first sign-in does
        assert await who(gitu, ANA) == "local"
        assert await accounts(gitu, "local") == [("web", "local"), ("terminal", "ana")]


async def test_the_setting_user_says_who_that_is(opened: Opened) -> None:
    async with opened(user="anna") as gitu:
        assert await who(gitu, ANA) == "anna"


async def test_two_users_of_a_machine_stay_two_people(opened: Opened) -> None:
    async with opened() as gitu:
        first, second = await who(gitu, ANA), await who(gitu, BOB)
    async with opened() as gitu:
        assert [await who(gitu, BOB), await who(gitu, ANA)] == [second, first]
        assert first == "local" != second
        assert await accounts(gitu, second) == [("terminal", "bob")]


async def test_in_the_home_of_somebody_else_nobody_is_taken_for_them(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user of the machine, who may read the files, is first at the terminal."""
    async with opened() as gitu:
        await gitu.house.store.link(Account("web", "local"), "local", new=True)
        with monkeypatch.context() as other:
            other.setattr(os, "geteuid", lambda: os.getuid() + 1)
            assert await who(gitu, BOB) != "local"
        assert await accounts(gitu, "local") == [("web", "local")]


async def test_where_both_are_somebody_already_nothing_changes(opened: Opened) -> None:
    """An installation from before: its terminal and its console have users of their own."""
    async with opened() as gitu:
        store = gitu.house.store
        mine = (await store.person_for(ANA)).id
        await store.link(Account("web", "local"), "local", new=True)
    async with opened() as gitu:
        assert await who(gitu, ANA) == mine != "local"
        assert await who(gitu, BOB) not in (mine, "local"), "and nobody else takes the place"
        assert await accounts(gitu, "local") == [("web", "local")]
        assert await accounts(gitu, mine) == [("terminal", "ana")]


async def test_two_processes_that_meet_the_first_person_at_once_meet_one(opened: Opened) -> None:
    found = list[str]()
    async with opened() as one, opened() as two, anyio.create_task_group() as group:

        async def meet(gitu: Gitu) -> None:
            found.append(await who(gitu, ANA))

        group.start_soon(meet, one)
        group.start_soon(meet, two)
    assert found == ["local", "local"]


async def test_who_was_switched_off_does_not_come_back_through_the_terminal(opened: Opened) -> None:
    async with opened() as gitu:
        await gitu.house.store.link(Account("web", "local"), "local", new=True)
        await gitu.house.store.change_person("local", enabled=False)
        message = Message("k", Conversation("terminal", "1"), ANA, (Text("hello"),))
        found = await gitu.house.gateway.identity.speaker(message, "")
        assert found is not None
        assert not gitu.house.gateway.identity.admits(found.person)


async def test_where_senders_can_be_forged_the_first_one_is_nobody_in_particular(opened: Opened) -> None:
    async with opened(channels={"terminal": ChannelRules(trust="talk")}) as gitu:
        assert await who(gitu, ANA) != "local"


async def test_a_plugin_that_is_not_trusted_is_not_believed(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in a process of its own could say that it is a terminal."""
    async with opened() as gitu:
        monkeypatch.setattr(gitu.house.registry, "inside", lambda id: False)
        assert await who(gitu, ANA) != "local"


async def test_what_lies_in_the_database_of_an_application_is_nobodys_own(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'application.db'}")
    async with Gitu(config=Settings(home=str(tmp_path)), model=ScriptedModel([]), engine=engine) as gitu:
        assert await who(gitu, ANA) != "local"


class Desk:
    """A channel in the foreground that an application brings along."""

    def gitu_adapters(self, host: Host) -> list[Adapter]:
        """The channel."""
        return [Silent()]


class Silent:
    """Says nothing, and hears nothing."""

    channel = Channel("desk", trusted=True, foreground=True)

    async def receive(self, inbox: Any) -> None:
        """Nothing comes."""

    async def send(self, outgoing: Any) -> Any:
        """Nothing is sent."""

    async def verify(self, outgoing: Any) -> Any:
        """Nothing was sent."""

    async def show(self, conversation: Any, event: Any) -> None:
        """Nothing is shown."""

    async def health(self) -> Any:
        """Nobody asks."""


async def test_the_users_of_an_application_are_as_it_names_them(tmp_path: Path) -> None:
    """`local` is who is meant where nobody is named. Others, and those on channels that the application brings along,
    are who they are."""
    async with Gitu(model=ScriptedModel(["hello"] * 3), plugins=[Desk()], home=tmp_path) as gitu:
        assert await who(gitu, Account("desk", "customer")) != "local"
        await gitu.send("hello")
        await gitu.send("hello", user="ana")
        assert await accounts(gitu, "local") == [("app", "local")]
        assert await accounts(gitu, "ana") == [("app", "ana")]


def test_a_server_is_nobodys_own(tmp_path: Path) -> None:
    (tmp_path / "gitu.db").touch()
    assert _is_mine(Settings(home=str(tmp_path)))
    assert _is_mine(Settings(database=f"sqlite:///{tmp_path / 'gitu.db'}"))
    assert not _is_mine(Settings(database="sqlite://"))
    assert not _is_mine(Settings(home=str(tmp_path), database="postgresql://ana@host/gitu"))


# ---- real processes ------------------------------------------------------------------------------


def chat(place: Installation, name: str) -> None:
    """Somebody whom the system knows as *name* says something to `gitu chat`."""
    done = subprocess.run(
        [sys.executable, "-m", "gitu_core", "chat"], cwd=place.folder, input="1+1\n", capture_output=True, timeout=60,
        env={**place.environment(), "LOGNAME": name}, encoding="utf-8",
    )  # fmt: skip
    assert "1+1 = 2" in done.stdout, done.stderr


def sign_in(place: Installation) -> None:
    """Somebody opens the link that `gitu serve` prints, and presses the button."""
    with place.serving() as link, httpx.Client(base_url=place.url, headers={"origin": place.url}) as browser:
        assert browser.post("/auth/sign-in", data={"code": link.partition("code=")[2]}).status_code == 303
        assert browser.get("/v1/auth/status").json()["person"] == "local"
        told = browser.get("/v1/accounts").json()["items"]
        assert "web" in [each["account"]["channel"] for each in told], told


@pytest.mark.slow
@pytest.mark.parametrize("first", ["terminal", "console"])
def test_terminal_and_console_are_one_person_and_a_second_user_another(tmp_path: Path, first: str) -> None:
    place = Installation(tmp_path / "place")
    place.configure("")
    for step in ("terminal", "console") if first == "terminal" else ("console", "terminal"):
        chat(place, "ana") if step == "terminal" else sign_in(place)
    chat(place, "bob")
    chat(place, "ana")
    found = {each["id"]: {(one["account"]["channel"], one["account"]["id"]) for one in each["accounts"]}
             for each in json.loads(place.run("users", "--json")[1])}  # fmt: skip
    assert found.pop("local") == {("terminal", "ana"), ("web", "local")}
    assert list(found.values()) == [{("terminal", "bob")}]
