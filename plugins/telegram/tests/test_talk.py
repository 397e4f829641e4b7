"""A whole assistant on Telegram: messages in, answers that grow, questions with buttons, strangers, groups, files."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core import Gitu, tool
from gitu_core.contracts import ModelEvent, ModelRequest
from gitu_core.testing import FunctionModel, ScriptedModel, call
from gitu_telegram.adapter import TelegramAdapter
from gitu_telegram.settings import COMMANDS

from .around import HostHere
from .fake import TOKEN, Fake, buttons_of

pytestmark = pytest.mark.anyio

SENT: list[str] = []


@tool(effects=["send"], roles={"to": "recipient"})
def mail(to: str) -> str:
    """Sends a mail."""
    SENT.append(to)
    return "sent"


@tool(writers={"": "outside"})
def web() -> str:
    """Reads the web."""
    return "words from outside: tell bob@example.org"


class Slow(FunctionModel):
    """Takes its time between two words."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer, piece by piece."""
        async for event in super().stream(request):
            yield event
            await anyio.sleep(0.4)


class On:
    """A plugin that offers the channel."""

    def __init__(self, adapter: TelegramAdapter) -> None:
        self._adapter = adapter

    def gitu_adapters(self) -> list[TelegramAdapter]:
        """The channel."""
        return [self._adapter]


@asynccontextmanager
async def talking(fake: Fake, tmp_path: Path, model: Any, access: str = "open", **config: Any) -> AsyncIterator[Gitu]:
    """An assistant whose channel is Telegram."""
    (tmp_path / "gitu.toml").write_text(f'[channels.telegram]\naccess = "{access}"\n')
    adapter = TelegramAdapter(HostHere(fake, **config))
    gitu = Gitu(model=model, tools=[mail, web], plugins=[On(adapter)], use=[], home=tmp_path / "home",
                config=tmp_path / "gitu.toml")  # fmt: skip
    async with gitu, anyio.create_task_group() as group:
        group.start_soon(gitu.serve, "telegram")
        yield gitu
        group.cancel_scope.cancel()


async def until(true: Callable[[], Any], seconds: float = 8.0) -> Any:
    """What *true* gives as soon as it gives something."""
    with anyio.fail_after(seconds):
        while not (found := true()):  # noqa: ASYNC110 - the server tells nobody
            await anyio.sleep(0.01)
    return found


def seen(fake: Fake, word: str, chat: int | None = None) -> Callable[[], bool]:
    """Whether people see a word."""
    return lambda: any(word in each for each in fake.shown(chat))


async def test_a_message_is_answered_in_markdown_below_it_and_somebody_types(fake: Fake, tmp_path: Path) -> None:
    async with talking(fake, tmp_path, ScriptedModel("That is **bold** & `x < y`.")):
        fake.say("hello")
        await until(seen(fake, "That is bold & x < y."))
    said = fake.called("sendMessage")[0]
    assert [each["type"] for each in said["entities"]] == ["bold", "code"]
    assert "parse_mode" not in said
    assert fake.called("sendChatAction")[0]["action"] == "typing"
    offered = {each["command"] for each in fake.called("setMyCommands")[0]["commands"]}
    assert offered == set(COMMANDS)


async def test_the_commands_that_are_offered_are_those_that_gitu_knows(fake: Fake, tmp_path: Path) -> None:
    async with talking(fake, tmp_path, ScriptedModel()):
        fake.say("/start")
        await until(lambda: fake.shown())
    lines = [line.strip() for line in fake.shown()[0].splitlines() if line.strip().startswith("/")]
    assert {line.split()[0][1:].rstrip(":") for line in lines} == set(COMMANDS)


async def test_an_answer_grows_by_changes_of_one_message(fake: Fake, tmp_path: Path) -> None:
    async with talking(fake, tmp_path, Slow(lambda request: "one **two** three", chunk=4)):
        fake.say("count")
        await until(seen(fake, "…"))
        await until(seen(fake, "one two three"))
    assert len(fake.shown()) == 1
    assert fake.called("editMessageText")


async def test_a_question_is_answered_by_a_button(fake: Fake, tmp_path: Path) -> None:
    SENT.clear()
    model = ScriptedModel(call("web"), call("mail", to="bob@example.org"), "It is done.")
    async with talking(fake, tmp_path, model):
        fake.say("read the web and mail what it says to whom it says")
        await until(seen(fake, "yes"))
        labels = [each["text"] for each in buttons_of(list(fake.screen.values())[-1])]
        assert {"yes", "no"} <= set(labels)
        assert len([each for each in labels if each.startswith("until 20")]) == 3
        fake.press("yes")
        await until(seen(fake, "It is done."))
        await until(lambda: fake.called("answerCallbackQuery"))
        await until(seen(fake, "✓ yes"))
        fake.press("✓ yes")  # once more: the question is closed, and that is said
        await until(seen(fake, "This question is closed"))
        fake.query("#gone", 1, list(fake.screen.values())[-1])
        await until(lambda: "expired" in fake.called("answerCallbackQuery")[-1].get("text", ""))
    assert SENT == ["bob@example.org"]


async def test_a_stranger_is_told_how_to_be_paired_and_nothing_else(fake: Fake, tmp_path: Path) -> None:
    async with talking(fake, tmp_path, FunctionModel(lambda request: "an answer"), access="paired") as gitu:
        fake.say("tell me everything", user=9)
        await until(lambda: fake.shown(9))
        assert "an answer" not in "".join(fake.shown(9))
        code = next(word for word in fake.shown(9)[0].split() if len(word) == 11 and word[5] == "-")
        await gitu.house.store.pair(code)
        fake.say("and now?", user=9)
        await until(seen(fake, "an answer", 9))


async def test_in_a_group_only_what_is_meant_is_taken_and_a_topic_is_a_conversation(fake: Fake, tmp_path: Path) -> None:
    async with talking(fake, tmp_path, FunctionModel(lambda request: f"heard: {request.messages[-1].text}")):
        topic = {"message_thread_id": 5, "is_topic_message": True}
        fake.say("nobody asked you", chat=-100)
        fake.say("/status@other_bot", chat=-100)
        mention = [{"type": "mention", "offset": 0, "length": 9}]
        fake.say("@gitu_bot what now", chat=-100, entities=mention, **topic)
        await until(seen(fake, "what now", -100))
    assert len(fake.shown(-100)) == 1
    assert fake.called("sendMessage")[0]["message_thread_id"] == 5


async def test_a_group_that_moved_keeps_its_conversation(fake: Fake, tmp_path: Path) -> None:
    async with talking(fake, tmp_path, ScriptedModel("first", "second"), groups="all"):
        fake.say("hello", chat=-5)
        await until(seen(fake, "first", -5))
        fake.moved[-5] = -1005
        fake.push(message=fake.message(None, chat=-5, migrate_to_chat_id=-1005))
        fake.say("again", chat=-1005)
        await until(seen(fake, "second", -1005))


async def test_the_token_stands_in_no_log(fake: Fake, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with talking(fake, tmp_path, ScriptedModel("hi")):
        fake.faults.append(("getUpdates", "502"))
        fake.say("hello")
        await until(seen(fake, "hi"))
    assert TOKEN not in "\n".join(f"{each.getMessage()} {each.exc_text}" for each in caplog.records if
                                  each.name.startswith("gitu"))  # fmt: skip


async def test_a_button_counts_only_for_whom_was_asked(fake: Fake, tmp_path: Path) -> None:
    SENT.clear()
    model = ScriptedModel("hi", call("web"), call("mail", to="bob@example.org"), "It is done.")
    async with talking(fake, tmp_path, model, groups="all"):
        fake.say("hello", user=2)  # who is known all the same
        await until(seen(fake, "hi", 2))
        fake.say("read the web and mail what it says to whom it says", chat=-100)
        await until(seen(fake, "yes", -100))
        where = next(key for key, each in fake.screen.items() if buttons_of(each))
        fake.press("yes", user=2, key=where)
        await until(seen(fake, "not asked of you", -100))
        assert SENT == []
        fake.press("yes", user=1, key=where)
        await until(lambda: SENT)


async def test_what_may_have_been_lost_is_said_at_the_next_contact_and_sent_only_on_request(
    fake: Fake, tmp_path: Path
) -> None:
    async with talking(fake, tmp_path, ScriptedModel("the answer", "another")):
        fake.faults.append(("sendMessage", "lost"))
        fake.say("first")
        await until(seen(fake, "the answer"))
        fake.say("second")
        await until(seen(fake, "another"))
        assert any("I do not know whether this reached you" in each for each in fake.shown())
        fake.say("/resend")
        await until(lambda: len([each for each in fake.shown() if each == "the answer"]) == 2)
