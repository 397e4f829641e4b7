"""The facet `admin`: what whoever runs the installation sees and does, and who never gets it."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core import Gitu, wiring
from gitu_core.config import Envelope, Settings, load
from gitu_core.contracts import Block, Health
from gitu_core.errors import ConfigError, FacetUnavailable, InputError, NotReady, PluginError, StoreError
from gitu_core.model import Account
from gitu_core.secrecy import keep_secret
from gitu_core.testing import FunctionModel, RecordingAdapter, call
from tests.app.around import ECHO, On, mail, on, until, web
from tests.cli.test_init import ACME, MANIFEST
from tests.isolation.conftest import Open, opened, plugin, site  # noqa: F401 - fixtures
from tests.registry.conftest import Site

pytestmark = pytest.mark.anyio

SHOP = '''
[config]
schema = """{"type": "object", "properties": {
    "url": {"type": "string"}, "pin": {"type": "string", "writeOnly": true}}}"""
'''

STALL = '''
[config]
schema = """{"type": "object", "properties": {
    "servers": {"type": "array", "items": {"type": "string"}}, "api_token": {"type": "string"},
    "tokens": {"type": "integer", "x-env": "SHOP_TOKENS"}, "keyword": {"type": "string"}, "accounts": {"type": "array"},
    "door": {"type": "object", "properties": {"code": {"type": "integer", "writeOnly": true}}},
    "side": {"type": "string", "default": "left"}}}"""
'''


class Console:
    """A plugin of the embedder's, with a page; it keeps the host that it is given."""

    path, title, icon = "shelves", "Shelves", "box"
    host: Any = None

    def gitu_start(self, host: Any) -> None:
        self.host = host

    def gitu_pages(self) -> list[Any]:
        return [self]

    async def blocks(self, principal: str) -> list[Block]:
        return [Block("text", principal)]

    async def act(self, principal: str, action: str, values: dict[str, Any]) -> Any:
        raise NotImplementedError


@asynccontextmanager
async def looking(home: Path, model: Any = ECHO, **options: Any) -> AsyncIterator[tuple[Any, RecordingAdapter]]:
    """The facet of an assistant with one channel, and that channel."""
    adapter, console = RecordingAdapter(delivery="blind"), Console()
    settings = Settings(home=str(home), **options)
    async with on(adapter, model, console, config=settings, tools=[mail, web]) as gitu:
        await adapter._ready()
        await gitu.house.registry.get("page", "shelves")
        yield console.host.admin, adapter


async def test_the_overview_tells_of_everything_that_has_to_work(home: Path) -> None:
    async with looking(home, budgets={"daily": Envelope(period="day", cost=1.0)}) as (admin, _):
        seen = await admin.overview()
        assert seen["home"] == str(home)
        assert seen["version"].count(".") == 2
        assert seen["load"] == {"running": 0, "waiting": 0}
        assert (seen["dispatcher"]["name"], seen["dispatcher"]["state"]) == ("local", Health().state)
        channels = {each["name"]: each for each in seen["channels"]}
        assert (channels["test"]["state"], channels["test"]["access"]) == ("ok", "open")
        assert (channels["terminal"]["state"], channels["terminal"]["foreground"]) == ("stopped", True)
        assert (channels["test"]["since"] > time.time() - 60, channels["test"]["runs"]) == (True, True)
        assert (channels["terminal"]["since"], channels["terminal"]["runs"]) == (0, False)
        assert {each["name"]: bool(each["missing"]) for each in seen["providers"]}["openai"] is True
        assert (seen["budgets"], seen["breakers"]) == (["daily"], [])
        assert seen["plugins"]["enabled"] >= 5
        assert await admin.vouched("terminal") is True
        assert await admin.vouched("terminal", "talk") is False


async def test_a_channel_that_another_process_runs_is_seen_as_it_is_there(home: Path) -> None:
    adapter, other, settings = RecordingAdapter(), Console(), Settings(home=str(home))
    async with on(adapter, ECHO, config=settings) as runs:
        await adapter._ready()
        pulse = runs.house.channels.board.pulses["test"]
        await runs.house.channels.board.save(pulse)
        async with Gitu(model=ECHO, plugins=[On(RecordingAdapter()), other], use=["*"], config=settings) as looks:
            await looks.house.registry.get("page", "shelves")
            seen = {each["name"]: each for each in (await other.host.admin.overview())["channels"]}["test"]
    assert (seen["state"], seen["since"], seen["runs"]) == ("ok", pulse.since, True)


async def test_a_model_is_tried_with_a_key_that_is_kept_nowhere(home: Path, site: Site) -> None:  # noqa: F811
    site.install("acme", ACME, MANIFEST)
    plugins = {"acme": {"enabled": True, "trusted": True}}
    async with looking(home, plugins=plugins) as (admin, _):
        refused = await admin.try_model("acme/large", {"ACME_KEY": "wrong-key-1"})
        assert (refused["error"], refused["hint"]) == ("AuthFailed", "copy the key once more")
        assert "wrong-key-1" not in str(refused)
        assert (await admin.try_model("acme/large"))["error"] == "NoModel", "no other answers for it"
        found = await admin.try_model("acme/large", {"ACME_KEY": "right-key-1"})
        assert (found["error"], found["detail"].startswith("acme/large answered in ")) == ("", True)
        assert (await admin.try_model("nobody"))["error"] == "NoModel"
    assert not (home / "secrets").exists()


async def test_a_model_that_is_tried_has_half_a_minute(
    home: Path, site: Site, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setattr(wiring, "PATIENCE", 0.05)
    code = ACME.replace("        if await", "        import anyio; await anyio.sleep(60)\n        if await")
    site.install("slow", code.replace("acme", "slow"), MANIFEST.replace("acme", "slow"))
    async with looking(home, plugins={"slow": {"enabled": True, "trusted": True}}) as (admin, _):
        late = await admin.try_model("slow/large", {"ACME_KEY": "right-key-1"})
    assert (late["error"], late["detail"]) == ("NotReady", "slow/large: it did not answer within 0.05 s")


async def test_a_plugin_is_switched_by_somebody_whose_name_is_logged(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with looking(home) as (admin, _):
        with caplog.at_level(logging.INFO, "gitu.admin"):
            assert (await admin.switch("basics", "disable", "user:ana"))["state"] == "disabled"
            assert "user:ana (through the plugin local-plugin-1): disable plugin basics" in caplog.text
        assert (await admin.switch("basics", "enable"))["state"] == "enabled"
        assert (await admin.switch("basics", "reset"))["enabled"] is True
        with pytest.raises(InputError, match="nothing to do with a plugin"):
            await admin.switch("basics", "quarantine")
        with pytest.raises(PluginError, match="there is no plugin"):
            await admin.switch("nothing", "disable")


async def test_configuration_is_shown_without_secrets(home: Path, site: Site) -> None:  # noqa: F811 - a fixture
    plugin(site, "shop", "return 'x'", SHOP)
    keep_secret("SHOP_KEY", "pl4nted-words")
    shop = {"enabled": True, "url": "https://x.example/pl4nted-words", "pin": "1234"}
    async with looking(home, plugins={"shop": shop}) as (admin, _):
        found = await admin.configuration("shop")
        assert found["values"] == {"url": "https://x.example/[secret SHOP_KEY]", "pin": "[secret]"}
        assert set(found["schema"]["properties"]) == {"url", "pin"}
        with pytest.raises(PluginError, match="there is no plugin"):
            await admin.configuration("nothing")


async def test_what_a_name_or_a_url_says_is_a_secret_is_not_shown_and_not_to_be_written_back(
    home: Path,
    site: Site,  # noqa: F811 - a fixture
) -> None:
    """Though nobody declared it: at any depth, and nothing else is hidden with it."""
    plugin(site, "shop", "return 'x'", STALL)
    shop = {
        "enabled": True, "servers": ["amqp://me:pl4nted@a.example:4222", "amqp://b.example"], "tokens": 300,
        "api_token": "pl4nted", "accounts": [{"name": "ana", "password": "pl4nted"}],
        "door": {"code": 47_11, "side": "left"}, "keyword": "shown",
    }  # fmt: skip
    async with looking(home, plugins={"shop": shop}) as (admin, _):
        found = await admin.configuration("shop")
        assert found["values"] == {
            "servers": ["amqp://me:[secret]@a.example:4222", "amqp://b.example"], "tokens": 300,
            "api_token": "[secret]", "accounts": [{"name": "ana", "password": "[secret]"}], "door": "[secret]",
            "keyword": "shown", "side": "left",
        }  # fmt: skip
        closed = {name for name, each in found["schema"]["properties"].items() if each.get("writeOnly")}
        assert closed == {"servers", "api_token", "accounts", "door"}
        assert "pl4nted" not in str(await admin.overview())


async def test_every_value_of_a_configuration_tells_where_it_comes_from(
    home: Path,
    site: Site,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin(site, "shop", "return 'x'", STALL)
    monkeypatch.setenv("SHOP_TOKENS", "7")
    async with looking(home, plugins={"shop": {"enabled": True, "keyword": "x"}}) as (admin, _):
        found = await admin.configuration("shop")
        assert found["values"] == {"keyword": "x", "tokens": 7, "side": "left"}
        assert found["sources"] == {"keyword": "settings", "tokens": "SHOP_TOKENS", "side": "default"}
        assert await admin.configuration("local-plugin-1") == {"schema": {}, "values": {}, "sources": {}}


async def test_a_plugin_is_switched_whose_id_a_broken_one_has_as_well(
    home: Path,
    site: Site,  # noqa: F811 - a fixture
) -> None:
    plugin(site, "shop", "return 'x'", SHOP)
    broken = site.install("shop-again", "", "", name="zz-shop")
    (broken / "gitu-plugin.toml").write_text('id = "shop"\n[contracts\n')
    next(site.folder.glob("zz_shop*/entry_points.txt")).write_text("[gitu.plugins]\nshop = x_shop_again\n")
    site.settle()
    async with looking(home) as (admin, _):
        states = [each["state"] for each in await admin.plugins() if each["id"] == "shop"]
        assert states == ["disabled", "broken"]
        assert (await admin.switch("shop", "enable"))["state"] == "enabled"
        assert (await admin.switch("shop", "disable"))["state"] == "disabled"


async def test_nobody_waits_while_a_plugin_without_a_manifest_tells_what_it_is(
    home: Path,
    site: Site,  # noqa: F811 - a fixture
) -> None:
    """It takes a child process, which takes as long as the plugin's import does."""
    site.install("slow", "import time\ntime.sleep(1.5)\ndef gitu_tools(host):\n    return []\n", manifest=None)
    async with looking(home) as (admin, _), anyio.create_task_group() as group:
        waits: list[float] = []

        async def look() -> None:
            while True:
                began = time.monotonic()
                await anyio.sleep(0.01)
                waits.append(time.monotonic() - began)

        group.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        for action in ("enable", "reset"):
            found = await admin.switch("slow", action)
            assert (found["state"], found["hooks"]) == ("enabled", ("gitu_tools",))
        group.cancel_scope.cancel()
    assert len(waits) > 50
    assert max(waits) < 1.2, "the import alone takes a second and a half"


async def test_the_pages_of_plugins_are_listed_and_had(home: Path) -> None:
    async with looking(home) as (admin, _):
        mine = {"plugin": "local-plugin-1", "path": "shelves", "title": "Shelves", "icon": "box"}
        assert mine in await admin.pages()
        page = await admin.page("local-plugin-1", "shelves")
        assert [each.title for each in await page.blocks("user:ana")] == ["user:ana"]
        with pytest.raises(PluginError, match="there is no page"):
            await admin.page("local-plugin-1", "cellar")


async def test_sessions_people_and_what_was_said_are_there(home: Path) -> None:
    async with looking(home) as (admin, adapter):
        await adapter.talk("hello")
        (session,) = [each async for each in admin.sessions()]
        assert [each.id for each in await admin.sessions.sessions(session["person"])] == [session["id"]]
        assert [each.message.text for each in await admin.history(session["id"])] == ["hello", "you said hello"]
        assert [each.message.text for each in await admin.history(session["id"], 1)] == ["you said hello"]
        (person,) = await admin.people.people()
        assert (await admin.people.known(Account("test", "ana"))).person == person
        await admin.sessions.end_session(session["id"])
        assert (await admin.sessions.session(session["id"])).ended_at is not None
        assert (await admin.audit.audit_verify()).problems == ()
        assert await admin.grants.grants() == ()


async def test_open_questions_are_those_of_one_person_or_of_everybody(home: Path) -> None:
    def asks(request: Any) -> Any:
        text = request.messages[-1].text
        return call("web") if text == "go" else call("mail", to="bob@example.org")

    async with looking(home, FunctionModel(asks)) as (admin, adapter):
        for name in ("ana", "bob"):
            await adapter.talk("go", user=name)
        found = await admin.approvals()
        assert len({each.person for each in found}) == 2
        assert await admin.approvals(found[0].person) == [found[0]]
        assert await admin.approvals("nobody") == []


async def test_usage_is_summed_by_day_and_model_and_budgets_are_in_words(home: Path) -> None:
    budgets = {"daily": Envelope(per=("user",), period="day", tokens=100_000)}
    async with looking(home, budgets=budgets) as (admin, adapter):
        for name in ("ana", "ana", "bob"):
            await adapter.talk("hello", user=name)
        since = time.time() - 3 * 86_400
        (all_,) = await admin.usage(since)
        mine = [each for person in await admin.people.people() for each in await admin.usage(since, person.id)]
        assert all_["day"] == time.strftime("%Y-%m-%d", time.gmtime())
        assert all_["tokens"] == sum(each["tokens"] for each in mine) > 0
        assert len(mine) == 2
        assert await admin.usage(time.time() + 1) == []
        lines = await admin.budgets()
        assert {each["budget"] for each in lines} == {"daily"}
        assert lines[0]["words"]["used"].endswith("of 100,000 tokens")
        assert lines[0]["words"]["again"].endswith("UTC")
        assert [each["title"] for each in await admin.budgets(lines[0]["whose"]["user"])] == [lines[0]["title"]]


async def test_what_was_not_delivered_is_sent_again_or_given_up_once(home: Path) -> None:
    async with looking(home) as (admin, adapter):
        for text in ("first", "second"):
            adapter.fail("not_sent", final=True, detail="they blocked us")
            await adapter.talk(text, key=text)
        first, second = await admin.undelivered()
        assert await admin.undelivered("nobody", queued=True) == []
        sent = len(adapter.sent)
        await admin.resend(first.outgoing.id, "user:ana")
        await until(lambda: len(adapter.sent) > sent)
        await admin.drop(second.outgoing.id)
        for each in (admin.drop, admin.resend):
            with pytest.raises(InputError, match="not among what was not delivered"):
                await each(second.outgoing.id)
        assert (await admin.turns.outgoing(second.outgoing.id)).state == "dropped"
        assert await admin.undelivered() == []


async def test_something_is_said_where_a_person_spoke_last(home: Path) -> None:
    async with looking(home) as (admin, adapter):
        await adapter.talk("hello")
        (person,) = await admin.people.people()
        id = await admin.say(person.id, "I am back.")
        await until(lambda: adapter.sent[-1].text == "I am back.")
        assert (await admin.turns.outgoing(id)).outgoing.label.origins == {"system"}
        with pytest.raises(NotReady, match="never spoke in private"):
            await admin.say("nobody", "hello?")
        with pytest.raises(InputError, match="is empty"):
            await admin.say(person.id, " ")


async def test_a_plugin_in_a_process_of_its_own_gets_nothing_of_it(site: Site, opened: Open) -> None:  # noqa: F811
    """Neither its methods nor its ports, though it declares the facet."""
    for id, what in (("looks", "admin.overview()"), ("lists", "admin.people.people()")):
        plugin(site, id, f"return await host.{what}", '[capabilities]\nfacets = ["admin"]')
    async with opened("looks", "lists") as house:
        for id in ("looks", "lists"):
            assert house.status(id).isolation == "process"
            (result,) = (await house.ask(id)).results
            assert result.error.code == FacetUnavailable.code
            assert f"plugin {id} is not trusted with the facet 'admin'" in result.error.message


async def test_a_plugin_that_is_trusted_gets_it(site: Site, opened: Open) -> None:  # noqa: F811
    """Whether it declares the facet or not: that is what trust means."""
    plugin(site, "looks", "return str(await host.admin.overview())")
    async with opened("looks", looks={"trusted": True}) as house:
        (result,) = (await house.ask("looks")).results
        assert "breakers" in str(result.content)


async def test_settings_are_changed_by_those_who_may_and_only_into_good_ones(tmp_path: Path) -> None:
    file = tmp_path / "gitu.toml"
    file.write_text("# kept\n")
    async with looking(tmp_path / "home", file=str(file)) as (admin, _):
        await admin.configure([(("budgets", "daily", "cost"), 1.5)], {"SHOP_KEY": "s3cret-pin"}, by="ana")
        text = file.read_text()
        assert "# kept" in text
        assert "cost = 1.5" in text
        assert "s3cret-pin" not in text
        assert (tmp_path / "home" / "secrets" / "SHOP_KEY").read_text() == "s3cret-pin"
        for changes, secrets in (
            ([(("max_turns",), "many")], {}), ([(("model",), "a")], {"SHOP_KEY": "two\nlines"}),
            ([(("model",), "a")], {"../KEY": "x"}), ([(("max_turns",), "many")], {"OTHER_KEY": "x"}),
        ):  # fmt: skip
            with pytest.raises((ConfigError, InputError)):
                await admin.configure(changes, secrets)
        assert file.read_text() == text
        assert [each.name for each in (tmp_path / "home" / "secrets").iterdir()] == ["SHOP_KEY"]
        with pytest.raises(NotReady, match="does not begin anew"):
            await admin.begin_anew()
    async with looking(tmp_path / "other") as (admin, _):
        with pytest.raises(NotReady, match="no settings file"):
            await admin.configure([(("model",), "a")])


async def test_what_a_plugin_cannot_be_told_is_named_by_its_field(tmp_path: Path, site: Site) -> None:  # noqa: F811
    site.install("shop", "", SHOP)
    file = tmp_path / "gitu.toml"
    file.write_text("[plugins.shop]\nenabled = true\n")
    async with looking(tmp_path / "home", file=str(file)) as (admin, _):
        with pytest.raises(ConfigError) as error:
            await admin.configure([(("plugins", "shop", "url"), 7)])
        assert error.value.details["field"] == "plugins.shop.url"
        await admin.configure([(("plugins", "shop", "url"), "http://x")])
    assert 'url = "http://x"' in file.read_text()


SLY = '''
[config]
schema = """{"type": "object", "properties": {
    "trusted": {"type": "boolean", "title": "Dark mode"}, "debug": {"type": "boolean"}, "side": {"type": "string"}}}"""
'''


async def test_no_schema_of_a_plugin_asks_for_what_only_the_operator_decides(
    tmp_path: Path, site: Site  # noqa: F811 - a fixture
) -> None:  # fmt: skip
    site.install("sly", "", SLY)
    async with looking(tmp_path / "home") as (admin, _):
        assert set((await admin.configuration("sly"))["schema"]["properties"]) == {"side"}


@pytest.mark.parametrize("value", ["[secret]", {"code": "[secret SHOP_KEY]"}, ["a", "[secret]"]])
async def test_what_stands_for_a_secret_is_never_written(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "gitu.toml"
    file.write_text("")
    async with looking(tmp_path / "home", file=str(file)) as (admin, _):
        with pytest.raises(ConfigError, match="stands for a secret") as error:
            await admin.configure([(("plugins", "shop", "door"), value)])
        assert error.value.details["field"] == "plugins.shop.door"
    assert file.read_text() == ""


STRICT = '''
[config]
schema = """{"type": "object", "anyOf": [{"required": ["url"]}, {"maxProperties": 2}], "properties": {
    "url": {"type": "string"}, "pin": {"type": "string", "writeOnly": true, "allOf": [{"maxLength": 3}]},
    "api_token": {"type": "string", "pattern": "^x"}, "door": {"type": "array", "maxItems": 1}}}"""
'''


@pytest.mark.parametrize(
    "said",
    ['pin = "s3cret-1"', 'api_token = "s3cret-2"', 'door = ["s3cret-3", "s3cret-4"]',
     'pin = "1"\napi_token = "x-s3cret"\ndoor = []'],
)  # fmt: skip
async def test_an_error_about_a_value_does_not_tell_a_secret(tmp_path: Path, site: Site, said: str) -> None:  # noqa: F811
    site.install("shop", "", STRICT)
    file = tmp_path / "gitu.toml"
    file.write_text(f"[plugins.shop]\nenabled = true\n{said}\n")
    async with looking(tmp_path / "home", file=str(file), plugins=load(file, {}).plugins) as (admin, _):
        with pytest.raises(ConfigError, match=r"plugins\.shop") as error:
            await admin.configuration("shop")
        assert "s3cret" not in str(error.value)
        assert all("s3cret" not in str(each) for each in await admin.plugins())


async def test_a_secret_is_there_before_the_settings_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gitu.toml"
    file.write_text("")
    (tmp_path / "home" / "secrets").mkdir(parents=True)
    (tmp_path / "home" / "secrets" / "SHOP_KEY").mkdir()  # nothing can be written there
    async with looking(tmp_path / "home", file=str(file)) as (admin, _):
        with pytest.raises(StoreError):
            await admin.configure([(("model",), "a")], {"SHOP_KEY": "s3cret-pin"})
    assert file.read_text() == ""


async def test_all_open_questions_are_one_query(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with looking(home) as (admin, _):
        for name in ("ana", "bob", "cid"):
            await admin.people.person_for(Account("post", name), name)
        asked = []
        store = type(admin.people)
        real = store.approvals
        monkeypatch.setattr(store, "approvals", lambda *args: (asked.append(args[1:]), real(*args))[1])
        assert await admin.approvals() == []
        assert len(asked) == 1


async def test_the_audit_tells_who_switched_a_user(home: Path) -> None:
    async with looking(home) as (admin, _):
        await admin.people.person_for(Account("post", "ana"), "ana")
        await admin.people.change_person("ana", enabled=False, settings={"a": 1}, by="boss")
        await admin.people.unlink(Account("post", "ana"), "ana", last=True, by="boss")
        newest = (await admin.audit.audit(limit=1_000))[-3:]
        assert [(each.kind, each.outcome, each.facts["by"]) for each in newest] == [
            ("user", "disabled", "boss"), ("user", "changed", "boss"), ("account", "unlinked", "boss"),
        ]  # fmt: skip
        await admin.people.change_person("ana", enabled=True)
        assert (await admin.audit.audit(limit=1_000))[-1].facts["by"] == "operator"


async def test_what_is_done_to_the_installation_is_in_the_audit(home: Path) -> None:
    file = home / "gitu.toml"
    file.write_text("", "utf-8")
    async with looking(home, file=str(file)) as (admin, adapter):
        await adapter.talk("hello")
        (person,) = await admin.people.people()
        await admin.configure([(("timezone",), "Asia/Tokyo")], {"OPENAI_API_KEY": "sk-very-secret"}, by="ana (Firefox)")
        await admin.switch("terminal", "disable", by="ana (Firefox)")
        await admin.say(person.id, "hi", by="bob")
        found = [each for each in await admin.audit.audit() if each.kind == "admin"]
        assert [(each.outcome, each.subject) for each in found] == [
            ("changed", "settings"), ("disable", "plugin terminal"), ("said", "test"),
        ]  # fmt: skip
        assert [each.facts["by"] for each in found] == ["ana (Firefox)", "ana (Firefox)", "bob"]
        assert found[0].facts["names"] == ["timezone", "the secret OPENAI_API_KEY"]
        assert "sk-very-secret" not in str(found)
        assert (await admin.audit.audit_verify()).problems == ()
