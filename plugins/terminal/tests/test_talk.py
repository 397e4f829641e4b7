"""What is typed becomes messages, built-ins and answers; the adapter's data and manifest are truthful."""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core import Account, Answer, Ask, BlobRef, Conversation, Location, Media, Outgoing, Reply, Text
from gitu_terminal.adapter import Terminal, history_file, is_interactive, make_front
from gitu_terminal.plain import PlainFront
from gitu_terminal.talk import BUILT_INS, Talk, built_in, pick
from gitu_terminal.text import ask_words, clean, strict, words_of

CHAT = Conversation(channel="terminal", id="default")


def talk() -> Talk:
    """A fresh conversation."""
    return Talk(CHAT, Account(channel="terminal", id="ana"))


def asking(*ids: str) -> Outgoing:
    """A message with questions."""
    parts = tuple(Ask(id, f"{id}?", ("yes", "no", "always")) for id in ids)
    return Outgoing(id="o", key="o", conversation=CHAT, parts=parts)


def test_keys_are_unique_within_and_between_runs() -> None:
    """The gateway drops a key that it has seen."""
    one, two = talk(), talk()
    keys = [each.message("hi").key for each in (one, one, two, two)]
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("help", "/help"),
        (" EXIT ", "/exit"),
        ("quit", "/exit"),
        ("/quit", "/exit"),
        ("/Status", "/status"),
        ("sessions", "/sessions"),
        ("/new", "/new"),
        ("new", ""),
        ("stop", ""),
        ("help me", ""),
        ("/nothing", ""),
        ("", ""),
    ],
)
def test_built_ins_need_no_slash_where_nobody_could_mean_anything_else(typed: str, wanted: str) -> None:
    """A single word like "new" may well be a message."""
    assert built_in(typed) == wanted
    assert all(built_in(f"/{name}") == f"/{name}" for name in BUILT_INS)


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        ("yes", "yes"),
        ("Y", "yes"),
        ("ok", "yes"),
        ("1", "yes"),
        ("2", "no"),
        ("No!", "no"),
        ("n", "no"),
        ("deny", "no"),
        ("al", ""),
        ("Always", "always"),
        ("3", "always"),
        ("4", ""),
        ("0", ""),
        ("", ""),
        ("maybe", ""),
        ("yes please", ""),
        ("²", ""),
    ],
)
def test_choices_are_named_in_full_by_number_by_beginning_or_as_yes_and_no(typed: str, choice: str) -> None:
    """Nothing else is an answer."""
    assert pick(("yes", "no", "always"), typed) == choice


def test_a_yes_until_a_day_names_the_day() -> None:
    """By number it is a week from now, which the question shows."""
    chat, week = talk(), f"until {date.today() + timedelta(days=7)}"
    for typed, choice in (
        ("3", week),
        ("until 2031-12-31", "until 2031-12-31"),
        (" Until 2031-12-31. ", "until 2031-12-31"),
    ):
        ask = Ask("a", "May I?", ("yes", "no", "until"))
        chat.heard(Outgoing(id="o", key="o", conversation=CHAT, parts=(ask,)))
        assert f"[3] {week}" in ask_words(ask, 1, False)
        assert chat.message(typed).parts == (Answer("a", choice),)


def test_an_unclear_beginning_is_no_answer() -> None:
    """Two choices that begin alike, and words for yes where there is no yes."""
    assert pick(("send", "save"), "s") == ""
    assert pick(("send", "save"), "ok") == ""


def test_an_answer_counts_for_the_only_open_question_or_the_one_it_names() -> None:
    """A bare "yes" with two open questions is just words."""
    chat = talk()
    chat.heard(asking("a"))
    assert chat.message("yes").parts == (Answer("a", "yes"),)
    assert chat.message("yes").parts == (Text("yes"),)
    assert [number for number, _ in chat.heard(asking("b", "c"))] == [1, 2]
    assert chat.message("yes").parts == (Text("yes"),)
    assert chat.message("2 no").parts == (Answer("c", "no"),)
    assert chat.message("y").parts == (Answer("b", "yes"),)


def test_questions_close_with_their_turn_unless_it_waits() -> None:
    """Else a later "yes" would answer something that nobody asks any more."""
    chat = talk()
    chat.heard(asking("a"))
    chat.ended(Reply("t", "s", "waiting"))
    assert chat.asks
    chat.ended(Reply("t", "s", "failed"))
    assert not chat.asks


def test_the_end_of_another_turn_closes_nothing() -> None:
    """A command may be answered while a question is open."""
    chat = talk()
    chat.heard(msgspec.structs.replace(asking("a"), cause="t1"))
    chat.ended(Reply("t2", "s", "ok"))
    assert chat.message("yes").parts == (Answer("a", "yes"),)


@given(st.text())
def test_no_text_can_steer_a_terminal(text: str) -> None:
    """Only line ends and tabs are left of the control characters."""
    assert not [each for each in clean(text) if (ord(each) < 32 and each not in "\n\t") or 127 <= ord(each) < 160]
    assert not set(strict(text)) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_every_part_has_words() -> None:
    """A terminal shows no pictures, but says that there is one."""
    parts = (
        Text("look"), Media(BlobRef("sha256:0", 1_500_000, "image/png", "cat.png"), "image", "my cat"),
        Location(41.9, 12.5, "Rome"),
    )  # fmt: skip
    out = Outgoing(id="o", key="o", conversation=CHAT, parts=parts)
    assert words_of(out) == "look\n[image: cat.png, 2 MB] my cat\n[place: Rome 41.90000, 12.50000]"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_without_a_keyboard_or_colours_it_is_plain(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests have no terminal, so that all three are."""
    assert not is_interactive(environ)
    monkeypatch.setenv("GITU_SESSION", "work")
    front = make_front({})
    assert isinstance(front, PlainFront)
    assert front._talk.conversation == Conversation(channel="terminal", id="work")


def test_the_history_lies_in_the_home_folder_unless_the_setting_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty setting keeps nothing."""
    monkeypatch.setenv("GITU_HOME", "somewhere")
    assert history_file({}) == Path("somewhere/terminal_history")
    assert history_file({"history": "x"}) == Path("x")
    assert history_file({"history": ""}) is None
    monkeypatch.delenv("GITU_HOME")
    assert (found := history_file({})) is not None
    assert found.name == "terminal_history"


def test_the_manifest_is_what_the_code_says() -> None:
    """The host refuses to load a plugin where they differ."""
    raw: dict[str, Any] = tomllib.loads((files("gitu_terminal") / "gitu-plugin.toml").read_text("utf-8"))
    (shipped,) = raw["contributes"]
    assert (shipped["seam"], shipped["name"]) == ("adapter", "terminal")
    assert msgspec.json.decode(shipped["spec"]) == msgspec.to_builtins(Terminal().channel)
    assert (raw["start"], raw["isolation"], raw["hooks"]) == ("eager", "host", {"gitu_adapters": 0})


@pytest.mark.anyio
async def test_nobody_can_be_asked_what_a_screen_showed() -> None:
    """It is blind, and says so."""
    terminal = Terminal()
    assert terminal.channel.delivery == "blind"
    assert (await terminal.verify(asking("a"))).state == "unknown"
    assert (await terminal.health()).state == "ok"


class Broken:
    """A front whose terminal is gone."""

    async def run(self, inbox: Any) -> None:
        """Nothing to read."""

    async def say(self, outgoing: Outgoing) -> None:
        """Breaks."""
        raise BrokenPipeError(32, "Broken pipe")

    async def event(self, event: Any) -> None:
        """Nothing to show."""


@pytest.mark.anyio
async def test_a_terminal_that_goes_away_gives_unknown_once_and_then_not_sent() -> None:
    """Law A4: the first may have been seen in part, the rest certainly not."""
    terminal = Terminal(front=Broken())
    assert (await terminal.send(asking("a"))).state == "unknown"
    second = await terminal.send(asking("b"))
    assert (second.state, second.final) == ("not_sent", True)
    assert (await terminal.health()).state == "failed"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("one\ntwo", "one  \ntwo"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("2*3*4 = 24", "2\\*3\\*4 = 24"),
        ("2**3**2", "2\\*\\*3\\*\\*2"),
        ("*this* and **that**", "*this* and **that**"),
        ("use `2*3*4`", "use `2*3*4`"),
        ("```\n2*3*4\nend\n```", "```\n2*3*4\nend\n```"),
    ],
)
def test_markdown_keeps_the_ends_of_lines_and_signs_for_times(text: str, wanted: str) -> None:
    """Emphasis stays emphasis, and nothing changes in code."""
    from gitu_terminal.screen import as_written

    assert as_written(text) == wanted
