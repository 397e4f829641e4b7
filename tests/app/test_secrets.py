"""A secret that a plugin may read is told nowhere: not in a log, an error, a trace, a page of the command, an export,
nor to a model. What is not declared, or belongs to somebody else, is not handed out."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitu_core import Gitu, secrecy
from gitu_core.cli.main import main
from gitu_core.config import Settings
from gitu_core.contracts.scope import CURRENT_CALL
from gitu_core.errors import AuthFailed, Denied, GituError
from gitu_core.model import CallInfo, user
from gitu_core.secrecy import Discreet, hidden, keep_secret
from gitu_core.testing import FunctionModel, call, export
from gitu_core.testing.replay.file import written
from tests.registry.conftest import Site, tool_manifest

pytestmark = pytest.mark.anyio

PLANTED = 'pl4nted "s3cret"/value'

CODE = """
import logging
from gitu_core import tool
from gitu_core.errors import GituError, ToolError

HOST = None
log = logging.getLogger("gitu_shop")

async def key():
    return await HOST.secrets.reveal("SHOP_KEY")

@tool
async def tells() -> dict:
    "Says tells."
    found = await key()
    log.warning("the key is %s", found)
    await HOST.log.write("error", f"the key is {found}")
    return {"key": found, found: ["inside " + found]}

@tool
async def refuses() -> str:
    "Says refuses."
    raise ToolError(f"refused {await key()}", hint=f"not with {await key()}", key=await key())

@tool
async def crashes() -> str:
    "Says crashes."
    raise ValueError(f"crashed with {await key()}")

@tool
async def others() -> str:
    "Says others."
    return await HOST.secrets.reveal("personal:bo:SHOP_KEY")

def gitu_tools(host):
    global HOST
    HOST = host
    return [tells, refuses, crashes, others]
"""
TOOLS = ("tells", "refuses", "crashes", "others")
DECLARES = """
[capabilities]
facets = ["secrets"]
[[capabilities.secrets]]
name = "SHOP_KEY"
mode = "revealed"
"""


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test teaches this process is forgotten after it."""
    monkeypatch.setattr(secrecy, "_known", {})
    forms = list(secrecy._forms)
    secrecy._forms.clear()
    yield
    secrecy._forms[:] = forms


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Settings:
    """Settings with a plugin that tells its secret wherever it can."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    monkeypatch.delitem(sys.modules, "x_shop", raising=False)
    monkeypatch.setenv("MY_KEY", PLANTED)
    monkeypatch.setenv("BOS", "that-of-bo-alone")
    site.install("shop", CODE, tool_manifest(*TOOLS) + DECLARES)
    (home / "gitu.toml").write_text(
        'secrets = {SHOP_KEY = "env:MY_KEY"}\n[plugins.shop]\nenabled = true\n'
        '[people.bo.secrets]\nSHOP_KEY = "env:BOS"\n'
    )
    people = {"bo": {"secrets": {"SHOP_KEY": "env:BOS"}}}
    return Settings(
        home=str(home),
        secrets={"SHOP_KEY": "env:MY_KEY"},
        plugins={"shop": {"enabled": True}, "offline": {"enabled": False}},
        people=people,
    )


def forms(secret: str) -> set[str]:
    """How a secret may be written."""
    data = secret.encode("utf-8", "replace")
    return {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), data.hex(), base64.b64encode(data).decode()}


async def test_a_planted_secret_is_told_nowhere(shop: Settings, caplog: pytest.LogCaptureFixture, home: Path) -> None:
    asked: list[str] = []

    def each_tool(request):  # type: ignore[no-untyped-def]
        asked.append(repr(request))
        done = sum(message.role == "tool" for message in request.messages[-8:])
        if done < len(TOOLS):
            return call(TOOLS[done])
        raise AuthFailed(f"the key {PLANTED} is refused", hint=f"replace {PLANTED}", credential=PLANTED)

    caplog.set_level(logging.DEBUG)
    async with Gitu(model=FunctionModel(each_tool), config=shop) as gitu:
        with pytest.raises(GituError) as raised:
            await gitu.send("go", user="ana")
        logging.getLogger("gitu.gateway").error("at last: %s", PLANTED, exc_info=ValueError(PLANTED))
        (session,) = await gitu.sessions()
        told = [str(raised.value), repr(raised.value.details), *asked, caplog.text]
        told += await gitu.house.status()
        told += [repr(entry) for entry in await gitu.history(session.id)]
        told += [repr(entry) for entry in await gitu.house.store.audit()]
        told.append(written(await export(gitu, session.id)).decode())
        turn = max(entry.turn for entry in await gitu.history(session.id))
        told += [repr(entry) for entry in await gitu.house.store.steps(turn)]
    said = "\n".join(told)
    assert not [form for form in forms(PLANTED) if form in said]
    assert "that-of-bo-alone" not in said
    assert said.count("[secret SHOP_KEY]") > 10
    assert "the secret SHOP_KEY is not that of whom the call is for" in said
    assert "the key is [secret SHOP_KEY]" in caplog.text
    assert "crashed with [secret SHOP_KEY]" in caplog.text


def test_no_page_of_the_command_tells_it(shop: Settings, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import anyio

    async def talk() -> str:
        script = iter(["tells", "refuses", "crashes"])

        def each(request):  # type: ignore[no-untyped-def]
            return call(name, note=PLANTED) if (name := next(script, "")) else f"done, {PLANTED}"

        async with Gitu(model=FunctionModel(each), config=shop) as gitu:
            return (await gitu.send(f"my key is {PLANTED}", user="ana")).session

    session = anyio.run(talk)
    (home / "gitu.toml").open("a").write(f"[plugins.nothing-{'x'}]\nenabled = true\n")
    keep_secret("SHOP_KEY", PLANTED)
    out = StringIO()
    for words in (["doctor"], ["doctor", "--json"], ["sessions", "--json"], ["plugins", "--json"], ["keys", "--json"],
                  ["ask", "--model", PLANTED, "x"], ["plugins", "reset", PLANTED]):  # fmt: skip
        with redirect_stdout(out), redirect_stderr(out):
            main(["--home", str(home), *words])
    said = out.getvalue()
    assert session in said
    assert not [form for form in forms(PLANTED) if form in said]
    assert "[secret SHOP_KEY]" in said
    for key in (home / "master.key").read_text().split():
        assert key not in said


@pytest.mark.parametrize("name", ["OTHER_KEY", "platform:PATH", "personal:ana:PATH"])
async def test_a_plugin_gets_what_it_declared_and_for_whom_it_works(shop: Settings, name: str) -> None:
    async with Gitu(model=FunctionModel(lambda request: "x"), config=shop) as gitu:
        await gitu.house.registry.get("tool", "tells")
        host = gitu.house.registry._record("shop").active.host
        with pytest.raises(Denied, match="does not declare"):
            await host.secrets.reveal(name)
        assert await host.secrets.reveal("SHOP_KEY") == PLANTED
        token = CURRENT_CALL.set(CallInfo("c", "", principal=user("bo")))
        try:
            assert await host.secrets.reveal("personal:bo:SHOP_KEY") == "that-of-bo-alone"
            with pytest.raises(Denied, match="not that of whom"):
                await host.secrets.reveal("personal:ana:SHOP_KEY")
        finally:
            CURRENT_CALL.reset(token)


@given(st.text(min_size=secrecy.SHORTEST).filter(lambda text: len(text.strip()) >= secrecy.SHORTEST), st.text())
def test_no_secret_stays_in_any_usual_form(secret: str, around: str) -> None:
    secret = secret.strip()
    before = list(secrecy._forms), dict(secrecy._known)
    try:
        secrecy._forms.clear()
        secrecy._known.clear()
        keep_secret("K", secret)
        for form in forms(secret):
            assert form not in hidden(f"{around}{form}{around}").replace("[secret K]", "")
        record = logging.LogRecord("gitu", 30, "", 1, "%s and %s", (secret, around), None)
        Discreet().filter(record)
        assert secret not in record.getMessage().replace("[secret K]", "")
    finally:
        secrecy._forms[:] = before[0]
        secrecy._known.clear()
        secrecy._known.update(before[1])


def test_what_is_short_or_unknown_stays() -> None:
    keep_secret("K", "abc")
    assert hidden("abc, and everything else") == "abc, and everything else"


def test_the_lines_of_a_secret_are_secrets_and_the_longest_is_found_first() -> None:
    keep_secret("PEM", "-----BEGIN KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0B\n" + "-----END KEY-----")
    keep_secret("A", "horse-battery")
    keep_secret("B", "horse-battery-staple")
    assert hidden("x MIIEvQIBADANBgkqhkiG9w0B y") == "x [secret PEM] y"
    assert hidden("horse-battery-staple horse-battery") == "[secret B] [secret A]"
