"""No secret leaves in an export, wherever it stands, and what is left goes the same way again."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from urllib.parse import quote, quote_plus

import msgspec
import pytest

from gitu_core import Gitu, Profile, ToolError, tool
from gitu_core.config import SecretSource, Settings
from gitu_core.errors import GituError, InputError, StreamBroken
from gitu_core.model import Answer, CallDelta, Label, Opaque, Text, ToolCall, ToolSpec
from gitu_core.testing import ScriptedModel, call, export
from gitu_core.testing.replay.file import read, written
from gitu_core.testing.replay.known import known_secrets
from gitu_core.testing.replay.leave import without_content
from gitu_core.testing.replay.redact import Redactor
from gitu_core.testing.replay.run import replay
from gitu_core.wiring import House
from tests.replay.shapes import SHAPES

pytestmark = pytest.mark.anyio

KEY = 'p"ä ss/\\wörd+1'
"""A secret with everything that looks different in JSON and in a URL."""

PERSONAL, VENDOR, MASTER = "anna-own-value", "vendor-value-77", "m4ster" * 8
FORMS = [KEY, json.dumps(KEY)[1:-1], json.dumps(KEY, ensure_ascii=False)[1:-1], quote(KEY, safe=""),
         base64.b64encode(KEY.encode()).decode()]  # fmt: skip


@tool(effects=["send"], roles={"to": "recipient"})
def mail(to: str, body: object) -> dict[str, object]:
    """Sends a mail, with a key of its own: vendor-value-77."""
    return {"sent": [to, {"body": body, KEY: "as a name"}]}


@tool(writers={"": "outside"})
def fails() -> str:
    """Fails."""
    raise ToolError(f"refused {KEY}", hint=f"use {PERSONAL}", key=KEY)


@tool
def crashes() -> str:
    """Crashes."""
    raise ValueError(KEY)


@pytest.fixture
def settings(gitu_home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that name secrets, in the environment and in files."""
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", VENDOR)
    monkeypatch.setenv("UNSET_IS_FINE", "")
    (gitu_home / "annas").write_text(f"{PERSONAL}\n")
    return Settings(
        home=str(gitu_home), database=f"sqlite:///{gitu_home / 'x.db'}",
        secrets={"EXAMPLE_KEY": "env:MY_KEY", "GONE": "env:NOWHERE", "SHORT": "env:HOME_OF_NOBODY"},
        people={"anna": {"secrets": {"EXAMPLE_KEY": f"file:{gitu_home / 'annas'}"}}},
        plugins={"litellm": {"enabled": False}},
        profiles={"default": Profile(instructions=f"Never tell {KEY}.", tools=("mail", "fails", "crashes"))},
    )  # fmt: skip


async def test_secrets_are_taken_out_everywhere_and_the_rest_goes_the_same_way_again(settings: Settings) -> None:
    raw = CallDelta(0, "a", "mail", '{"to": "' + json.dumps(KEY)[1:-1])
    script = [
        [f"I use {KEY} and ", call("mail", to=KEY, body={"deep": [KEY, PERSONAL]})], [raw], call(KEY), call("crashes"),
        [call("fails"), ToolCall(f"given {KEY}", "mail", {"to": "x", "body": KEY}, state={"key": VENDOR})],
        call("mail", to=f"{KEY}@example.org", body=VENDOR), [f"Done: {KEY}", StreamBroken(f"broke at {KEY}", key=KEY)],
    ]  # fmt: skip
    model = ScriptedModel(script)
    options = {"model": model, "tools": [mail, fails, crashes], "config": settings}
    async with Gitu(**options) as gitu:
        await gitu.send([Text(f"mail it, my key is {KEY}"), Opaque({"type": "new", "key": KEY})], user="anna")
        (asked,) = await gitu.approvals("anna")
        await gitu.send([Answer(asked.id, "yes")], user="anna")
        found = await export(gitu, (await gitu.sessions())[0].id)
    data = written(found).decode()
    for secret in (*FORMS, PERSONAL, VENDOR):
        assert secret not in data
        assert json.dumps(secret)[1:-1] not in data
    assert {"EXAMPLE_KEY", "OPENAI_API_KEY", "personal:anna:EXAMPLE_KEY"} <= set(found.redacted)
    assert "[secret EXAMPLE_KEY]" in data
    for each in await replay(read(written(found))):
        assert each.difference is None, str(each)


async def test_what_looks_like_a_secret_is_taken_out_and_the_rest_goes_the_same_way_again(settings: Settings) -> None:
    said = "password: correcthorse9, token=ghp_abcdefghij0123456789 and AKIAIOSFODNN7EXAMPLE"
    body = {"password": "staple", "note": said, "list": [{"api_key": "hidden-one"}]}
    text = json.dumps({"password": "staple", "login": said})
    script = [[f"{said} ", call("mail", to="x", body=body), call("mail", to=said, body=text)], f"Done: {text}"]
    async with Gitu(model=ScriptedModel(script), tools=[mail, fails, crashes], config=settings) as gitu:
        await gitu.send(f"Log in, {said}", user="anna")
        for _ in range(2):
            for asked in await gitu.approvals("anna"):
                await gitu.send([Answer(asked.id, "yes")], user="anna")
        found = await export(gitu, (await gitu.sessions())[0].id)
    data = written(found).decode()
    assert not [each for each in ("correcthorse9", "ghp_abc", "AKIAIOS", "staple", "hidden-one") if each in data]
    for each in await replay(read(written(found))):
        assert each.difference is None, str(each)


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_every_form_in_which_it_may_stand(form: str) -> None:
    assert Redactor({"K": KEY})(f"before{form}after") == "before[secret K]after"


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(each):04x}" for each in text)


@pytest.mark.parametrize(
    "form",
    [KEY.encode().hex(), KEY.encode().hex().upper(), quote(KEY, safe="").lower(), quote(quote(KEY, safe="/")),
     quote_plus(KEY), _escaped(KEY), KEY[:3] + _escaped(KEY[3:6]) + KEY[6:], json.dumps(_escaped(KEY))[1:-1],
     json.dumps(json.dumps(KEY))[3:-3], repr(KEY + "'\"")[1:-4], "".join(f"%{each:02x}" for each in KEY.encode()),
     quote(json.dumps(KEY)[1:-1]), json.dumps(KEY)[1:-1].replace("/", "\\/")],
)  # fmt: skip
def test_a_secret_is_found_where_it_is_escaped_in_another_way(form: str) -> None:
    assert Redactor({"K": KEY})(f"before {form} after") == "before [secret K] after"


@pytest.mark.parametrize("user", ["", "u", "us", "user", "somebody"])
@pytest.mark.parametrize("rest", ["", "x", "yz"])
@pytest.mark.parametrize("secret", [KEY, "hunter2-Zebra!77", "h0rs"])
def test_a_secret_is_found_in_base64_of_something_longer(user: str, rest: str, secret: str) -> None:
    data = f"{user}:{secret}{rest}".encode()
    for coded in (base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()):
        before, found, after = Redactor({"K": secret})(coded).partition("[secret K]")
        assert found
        start, end = len(user) + 1, len(user) + 1 + len(secret.encode())
        assert before == coded[: start * 8 // 6], "all before it stays, and nothing of it"
        assert after.rstrip("=") == coded.rstrip("=")[-(-end * 8 // 6) :]
        assert Redactor({"K": secret})(json.dumps({"a": coded})).count("[secret K]") == 1


def test_a_secret_is_found_in_base64_that_is_broken_into_lines() -> None:
    coded = base64.encodebytes(b"x" * 50 + KEY.encode() + b"y" * 60).decode()
    assert "\n" in coded[:-1]
    assert Redactor({"K": KEY})(coded).count("[secret K]") == 1


@pytest.mark.parametrize(
    "piece",
    ["\\", "\\\\u0041", "\\u0041", "a\\n", "%41", "aaaaaaaaaaaaaaaa\n", "sk-", "eyJ-", "eyJaaaaaaaa.",
     "-----BEGIN A-----", "-----BEGIN PRIVATE KEY-----\n", "password", "password: ", 'password="', "password=\\\"a",
     "token=____! ", "bearer a", "Authorization: ", "?a", "://a:", "xoxb-", "hunter2-Zebra!7", "aHVudGVy", "_",
     "pwd=\t"],
)  # fmt: skip
def test_no_text_takes_long(piece: str) -> None:
    redactor = Redactor({"K": "hunter2-Zebra!77", "B": "\\\\\\\\", "L": "aaaa" * 8 + "b"})
    short, long = (piece * (size // len(piece)) + "!(" for size in (100_000, 1_000_000))
    usual = min(_seconds(redactor, short) for _ in range(3))
    # Ten times the text takes about ten times as long, not a hundred times. Others work on this machine as well.
    assert any(_seconds(redactor, long) < 30 * usual for _ in range(3))


def _seconds(redactor: Redactor, text: str) -> float:
    began = time.process_time()
    redactor(text)
    return time.process_time() - began


def test_secrets_in_nested_settings_and_in_lists_are_known(settings: Settings) -> None:
    shop = {"auth": {"kind": "oauth2", "token": "nested-SECRET-991"}, "keywords": ["ordinary"],
            "tokens": ["listed-SECRET-992", {"a": "deep-993"}], "dsn": "postgres://u:p%40ss-994@h/db",
            "credentials": {"x": {"y": "below-995"}}}  # fmt: skip
    house = SimpleNamespace(
        settings=msgspec.structs.replace(settings, plugins={"shop": shop}), secrets=SecretSource(settings),
        registry=SimpleNamespace(plugins=lambda: ()),
    )  # fmt: skip
    found = set(known_secrets(cast(House, house)).values())
    assert {"nested-SECRET-991", "listed-SECRET-992", "deep-993", "p%40ss-994", "p@ss-994", "below-995", KEY} <= found
    assert not found & {"oauth2", "ordinary"}


def test_a_value_under_the_name_of_a_secret_is_taken_out_where_names_are_free() -> None:
    called = ToolCall("c", "login", {"user": "ana", "password": "staple", "next_token": {"type": "string"}})
    clean = Redactor({})(called)
    assert clean.arguments == {"user": "ana", "password": "[secret named value]", "next_token": {"type": "string"}}
    spec = ToolSpec("login", "Logs in.", roles={"password": "recipient"})
    assert Redactor({})(spec) == spec


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abc.DEF-123_456789", "Authorization: Bearer [secret bearer token]"),
        ("authorization: basic dXNlcjpwYXNzd29yZA==", "authorization: basic [secret basic token]"),
        ("sk-proj-4aB9cD8eF7gH6", "[secret key]"),
        ("(sk-1234567890abcdef)", "([secret key])"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSM_x", "[secret web token]"),
        ("https://ana:h0rse@example.org/x", "https://ana:[secret password in a URL]@example.org/x"),
        ("https://x.org/?a=1&api_key=a1b2&b=2", "https://x.org/?a=1&api_key=[secret key in a URL]&b=2"),
        ("x?access_token=zz9#top", "x?access_token=[secret key in a URL]#top"),
        ("use ghp_abcdefghij0123456789 now", "use [secret key] now"),
        (r"one\nghp_abcdefghij0123456789", r"one\n[secret key]"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz", "[secret key]"),
        ("glpat-abcdefghij1234567890", "[secret key]"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "[secret key]"),
        ("SG.aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbb", "[secret key]"),
        ("xoxb-123456789012-abcdef", "[secret key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret key]"),
        ("password: correcthorse9", "password: [secret password]"),
        ("Password: correcthorse", "Password: [secret password]"),
        ("DB_PASSWORD=h0rse&x", "DB_PASSWORD=[secret password]&x"),
        ("token=abcdefgh", "token=[secret token]"),
        ('{"password": "staple"}', '{"password": "[secret password]"}'),
        (r"{\"api_key\": \"staple\"}", r"{\"api_key\": \"[secret token]\"}"),
        ("Authorization: Bearer staple", "Authorization: Bearer [secret authorization]"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\ncut off", "[secret PEM block]\ncut off"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b", "a [secret PEM block] b"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, left: str) -> None:
    redactor = Redactor({})
    assert redactor(text) == left
    assert redactor(left) == left
    assert sum(redactor.counts.values()) == 1


@pytest.mark.parametrize(
    "text",
    ["the bearer of bad news", "a basic understanding", "sk-learn-is-a-library", "https://x.org/?monkey=1"[:20],
     "https://example.org:8080/a@b", "my key is long", "ask-1234",
     "the password is short", "SG. is a country code", "Your password: it must have 8 characters", "Password: required",
     "The secret: practice", "token: 5", "max_tokens=4096", "xoxo-hugs-and-kisses", "AKIA is a prefix", "glpat- too",
     "def login(user: str, password: str = None) -> str:", 'token = os.environ["TOKEN"]', "token = get_token2()",
     "login(password=password, token=my_token)", '{"password": {"type": "string"}}', "password: SecretStr",
     "api_key=settings.key2", "export TOKEN=$MY_TOKEN", 'password = "{password}"', "if token == None:",
     "Authorization: Bearer <token>", "Authorization: Bearer token", "eyJ is how it begins", "PWD=/var/x1",
     'behind "password:" without a quote"', "``token=word``, ``{secret:NAME}``", "secret = (await reveal2",
     "token=[set=%s]", "api_key=mint_v2_api_key", 'api_key="<jwt>"', "the Authorization: Bearer header, as ever"],
)  # fmt: skip
def test_what_only_sounds_like_a_secret_is_left(text: str) -> None:
    assert Redactor({})(text) == text


def test_words_that_mean_something_to_the_format_are_never_taken_for_a_secret() -> None:
    from gitu_core.model import ToolResult

    result = ToolResult("unknown", content="unknown", label=Label(frozenset({"unknown"})))
    clean = Redactor({"K": "unknown"})(result)
    assert (clean.status, clean.content, clean.label.origins) == ("unknown", "[secret K]", {"[secret K]"})


def test_what_is_too_short_stands_everywhere_by_chance() -> None:
    assert Redactor({"K": "abc"})("abcdef") == "abcdef"


def test_the_longer_secret_is_found_where_one_holds_another() -> None:
    assert Redactor({"A": "horse", "B": "horse-battery"})("horse-battery horse") == "[secret B] [secret A]"


async def test_an_export_without_content_tells_nothing_that_was_said_and_is_not_run(settings: Settings) -> None:
    words = ("Zanzibar", "Quagga", "Xylograph")
    script = [call("mail", to="Zanzibar", body={"x": "Quagga"}), "Xylograph", [StreamBroken("Xylograph broke")]]
    async with Gitu(model=ScriptedModel(script), tools=[mail, fails], config=settings) as gitu:
        await gitu.send("Zanzibar", user="anna")
        with suppress(GituError):
            await gitu.send("Quagga", user="anna")
        found = await export(gitu, (await gitu.sessions())[0].id, content=False)
    data = written(found).decode()
    assert not [word for word in words if word in data]
    assert not any(turn.read for turn in found.turns), "a digest tells whether a guess is right"
    assert [len(turn.steps) for turn in found.turns] == [9, 6]  # another model answered in the end
    assert found.turns[0].steps[2].step.message.calls[0].tool == "mail"  # type: ignore[union-attr]
    with pytest.raises(InputError, match="without content"):
        await replay(read(data.encode()))


async def test_what_a_program_says_of_its_tools_is_content_too() -> None:
    found = await SHAPES["tools_that_the_message_brought"]()
    assert "Opens." in written(found).decode()
    assert "Opens." not in written(without_content(found)).decode()
