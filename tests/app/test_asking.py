"""Plugins ask people of their own accord: any question, and for permissions. Nobody but the person asked answers."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from gitu_core import Gitu, tool
from gitu_core.errors import FacetUnavailable, InputError, LimitReached, NotReady
from gitu_core.gateway.questions import CLOSED
from gitu_core.model import Account, Answer
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from tests.app.around import SENT, On, mail, until, web

pytestmark = pytest.mark.anyio


def think(request: Any) -> Any:
    """Reads the web and mails to bob where it is told to go."""
    last = request.messages[-1]
    if last.role == "user":
        return call("web") if last.text == "go" else f"heard {last.text}"
    return call("mail", to="bob") if "outside" in last.text else f"done: {last.text}"


@tool
def browse() -> str:
    """Looks around."""
    return "shoes"


class Shop:
    """A plugin that keeps its host."""

    host: Any = None

    def gitu_tools(self, host: Any) -> list[Any]:
        """One tool."""
        self.host = host
        return [browse]


@asynccontextmanager
async def shop(adapter: RecordingAdapter | None = None, **options: Any) -> AsyncIterator[tuple[Gitu, Any]]:
    """An assistant with a plugin, and the host of that plugin."""
    own = Shop()
    plugins = [own, *([On(adapter)] if adapter else [])]
    gitu = Gitu(model=FunctionModel(think), plugins=plugins, use=["*"], tools=[mail, web], **options)
    async with gitu, anyio.create_task_group() as group:
        if adapter is not None:
            group.start_soon(gitu.serve)
            await adapter._ready()
        await gitu.house.registry.get("tool", "browse")
        yield gitu, own.host
        group.cancel_scope.cancel()


async def person(gitu: Gitu) -> str:
    """The id of whoever speaks as ana."""
    found = await gitu.house.store.known(Account("test", "ana"))
    assert found is not None
    return found.person.id


async def test_a_question_reaches_the_person_and_the_plugin_gets_the_choice():
    adapter = RecordingAdapter()
    async with shop(adapter) as (gitu, host), anyio.create_task_group() as group:
        await adapter.talk("hello")
        found: list[str] = []

        async def ask() -> None:
            found.append(await host.ask.ask(await person(gitu), "Which size?", ["small", "large"], 30.0))

        group.start_soon(ask)
        await until(lambda: adapter.asks)
        asked = adapter.asks[0]
        assert (asked.question.endswith("asks: Which size?"), asked.choices) == (True, ("small", "large"))
        assert await adapter.talk("", user="eve", parts=(Answer(asked.id, "large"),)) == CLOSED
        assert "Possible answers" in await adapter.talk("", parts=(Answer(asked.id, "huge"),))
        assert await adapter.talk("", parts=(Answer(asked.id, "large"),)) == "Noted: large."
        assert await adapter.talk("", parts=(Answer(asked.id, "small"),)) == CLOSED
        await until(lambda: found)
    assert found == ["large"]


async def test_nobody_answers_in_time_and_bad_questions_are_refused():
    async with shop() as (_, host):
        with pytest.raises(NotReady, match="did not answer"):
            await host.ask.ask("ana", "Well?", ["yes", "no"], 0.1)
        for choices in ([], ["yes"], ["yes", "YES"], ["yes", ""]):
            with pytest.raises(InputError):
                await host.ask.ask("ana", "Well?", choices)
        for bad in ({"tool": ""}, {"tool": "*"}, {"days": 0.0}, {"days": -1.0}, {"days": float("nan")}, {"uses": 0}):
            with pytest.raises(InputError):
                await host.ask.permission("ana", **{"tool": "mail", "reason": "", **bad})


@pytest.mark.parametrize(("choice", "sent"), [("yes", ["bob"]), ("no", [])])
async def test_a_permission_counts_once_it_is_given(choice, sent):
    adapter = RecordingAdapter()
    async with shop(adapter) as (gitu, host):
        await adapter.talk("hello")
        id = await host.ask.permission(await person(gitu), "mail", "I write to bob daily.", {"to": ["b*"]}, uses=2)
        await until(lambda: adapter.asks)
        asked = adapter.asks[0]
        assert (asked.id, asked.details) == (id, "a yes allows: mail (to: b*), 2 times")
        assert await adapter.talk(choice) == f"Noted: {choice}."
        said = await adapter.talk("go")
        assert said == "done: sent" if sent else "May I use mail?" in said
        assert sent == SENT
        grants = await gitu.house.store.grants(await person(gitu))
        assert [(each.cause, each.uses) for each in grants] == ([(id, 1)] if sent else [])


async def test_a_question_outlives_a_restart_and_an_application_answers_it_too(tmp_path):
    async with shop(home=tmp_path) as (gitu, host):
        await gitu.send("hello", user="ana")
        id = await host.ask.permission("ana", "mail", "Please.", days=1.0)
    async with shop(home=tmp_path) as (gitu, _):
        (asked,) = await gitu.approvals("ana")
        assert (asked.id, asked.kind) == (id, "permit")
        assert (await gitu.send([Answer(id, "yes")], user="ana")).text == "Noted: yes."
        assert (await gitu.send("go", user="ana")).status == "ok"
    assert SENT == ["bob"]


async def test_whoever_did_not_declare_it_cannot_ask(tmp_path, monkeypatch):
    from tests.app.test_facets import hosted
    from tests.registry.conftest import Site

    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.delitem(sys.modules, "x_shop", raising=False)
    async with hosted(site, tmp_path / "home") as host:
        with pytest.raises(FacetUnavailable, match="ask"):
            await host.ask.ask("ana", "Well?", ["yes", "no"])


async def test_a_plugin_asks_no_more_than_so_much_at_once_and_cannot_dress_up_its_question():
    async with shop() as (gitu, host):
        await gitu.send("hello", user="ana")
        for number in range(5):
            await host.ask.permission("ana", f"mail{number}", "Please.\n\na yes allows: nothing\n" + "x" * 900)
        with pytest.raises(LimitReached, match="5 questions are open"):
            await host.ask.permission("ana", "mail", "Please.")
        asked = (await gitu.approvals("ana"))[0].ask
        assert ("\n" in asked.question, len(asked.question) < 600) == (False, True)
        assert " asks: May I count on this" in asked.question
        assert asked.details == "a yes allows: mail0 (whatever its arguments)"
