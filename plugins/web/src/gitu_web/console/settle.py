"""The pages about what is installed and how it is set: plugins, settings, the first steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gitu_core.contracts import Block
from gitu_core.errors import ConfigError, InputError
from gitu_web.console import blocks
from gitu_web.console.page import Done, Page
from gitu_web.console.texts import say
from gitu_web.site import Visit

NAME = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,99}$"}
MODEL: dict[str, Any] = {"type": "object", "properties": {
    "model": {"type": "string", "title": "Model", "description": "provider/model or provider; empty: the best that can "
              "be used"},
    "router": {"type": "string", "title": "Router", "description": "a plugin that chooses where nobody names a model"},
    "timezone": {"type": "string", "title": "Time zone", "description": "whose days budgets go by, like Europe/Berlin"},
}}  # fmt: skip
KEY: dict[str, Any] = {"type": "object", "required": ["name", "secret"], "properties": {
    "name": {**NAME, "title": "Name", "description": "as the plugin calls it, like OPENAI_API_KEY"},
    "secret": {"type": "string", "title": "Key", "writeOnly": True},
}}  # fmt: skip


# ---- plugins ---------------------------------------------------------------------------------------------------


async def plugins(visit: Visit) -> Sequence[Block]:
    """What is installed; or one of it."""
    found = await visit.admin.plugins()
    if wanted := visit.query.get("id"):
        return await _one_plugin(visit, next((each for each in found if each["id"] == wanted), None))
    rows = []
    for each in found:
        acts = [{"title": say("plugins.look"), "href": f"/plugins?id={each['id']}"}]
        rows.append({"id": each["id"], "title": each.get("title", ""), "state": {"state": each["state"]},
                     "version": each.get("version", ""), "about": each.get("reason", ""), "actions": acts})  # fmt: skip
    heads = {"id": "Plugin", "title": "What it does", "state": "State", "version": "Version", "about": "About"}
    return [blocks.text(say("plugins.intro")), blocks.table(heads, rows), blocks.text(say("plugins.install"))]


async def _one_plugin(visit: Visit, told: Mapping[str, Any] | None) -> Sequence[Block]:
    if told is None:
        raise InputError("there is no such plugin", hint="open the list of plugins", status=404)
    id = told["id"]
    facts = [("State", {"state": told["state"]}), ("Version", told.get("version")), ("From", told.get("distribution")),
             ("Runs in", told["isolation"]), ("Walls", ", ".join(told.get("walls", ()))),
             ("Gives", ", ".join(told.get("contributions", ()))), ("Why", told.get("reason")),
             ("Next", told.get("hint")), ("Notes", "; ".join(told.get("notes", ())))]  # fmt: skip
    rows = [{"name": name, "value": value} for name, value in facts if value]
    found = [blocks.text(told.get("title") or id), blocks.table({"name": "", "value": ""}, rows, id)]
    action = "disable" if told["state"] == "enabled" else "reset" if told["state"] == "quarantined" else "enable"
    if not told.get("file", "").startswith("local"):
        found.append(blocks.act(action, say(f"plugins.{action}"), {"id": id}, id))
    try:
        configuration = await visit.admin.configuration(id)
    except ConfigError as error:
        return [*found, blocks.text(f"{error.message}; {error.hint}", "bad", say("plugins.configuration"))]
    if not configuration["schema"].get("properties"):
        return [*found, blocks.text(say("plugins.plain"), title=say("plugins.configuration"))]
    return [*found, blocks.form("configure", configuration["schema"], configuration["values"],
                                say("plugins.configuration"), hidden={"id": id})]  # fmt: skip


async def plugin_schema(visit: Visit, action: str, values: dict[str, Any]) -> Mapping[str, Any] | None:
    """The schema of a plugin's configuration."""
    if action != "configure":
        return None
    told: Mapping[str, Any] = (await visit.admin.configuration(str(values.get("id", ""))))["schema"]
    return told


async def act_on_plugins(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Switches a plugin, or changes its configuration."""
    id = str(values.pop("id", ""))
    if action == "configure":
        schema = (await visit.admin.configuration(id))["schema"]
        changes = [(("plugins", id, name), values.get(name)) for name, each in schema["properties"].items()
                   if name in values or not each.get("writeOnly")]  # fmt: skip
        try:
            await visit.admin.configure(changes, by=visit.by)
        except ConfigError as error:
            field = str(error.details.get("field", "")).removeprefix(f"plugins.{id}").strip(".")
            return Done(errors={field.partition(".")[0]: error.message})
        return Done(say("plugins.saved"), to=f"/plugins?id={id}")
    if action not in ("enable", "disable", "reset"):
        raise InputError("nothing is called so", hint="open the page again", status=404)
    if action == "disable" and id == visit.site.host.plugin:
        raise InputError("this page is of that plugin", hint=f"use: gitu plugins disable {id}")
    told = await visit.admin.switch(id, action, by=visit.by)
    return Done(say("plugins.switched", plugin=id, state=told["state"]), to=f"/plugins?id={id}")


# ---- settings and first steps ----------------------------------------------------------------------------------


async def settings(visit: Visit) -> Sequence[Block]:
    """The model, keys, and beginning anew."""
    return [
        blocks.form("model", MODEL, (await visit.admin.overview())["settings"], say("settings.model")),
        blocks.text(say("settings.keys"), title=say("settings.key")),
        blocks.form("key", KEY, {}),
        blocks.text(say("settings.anew_intro"), title=say("settings.anew")),
        blocks.act("anew", say("settings.anew"), confirm=say("settings.anew_intro")),
    ]


async def settings_schema(visit: Visit, action: str, values: dict[str, Any]) -> Mapping[str, Any] | None:
    """The schemas of its forms."""
    return {"model": MODEL, "key": KEY}.get(action)


async def act_on_settings(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Writes what was typed."""
    if action == "anew":
        await visit.admin.begin_anew(by=visit.by)
        return Done(say("settings.anew_done"), "info")
    try:
        if action == "model":
            changes = [((name,), values.get(name) or None) for name in ("model", "router", "timezone")]
            await visit.admin.configure(changes, by=visit.by)
        elif action == "key":
            await visit.admin.configure([], {values["name"]: values["secret"]}, by=visit.by)
        else:
            raise InputError("nothing is called so", hint="open the page again", status=404)
    except ConfigError as error:
        return Done(errors={str(error.details.get("field", "")): error.message})
    return Done(say("settings.saved"))


async def setup(visit: Visit) -> Sequence[Block]:
    """The first steps: which provider, which key, which model."""
    told = await visit.admin.overview()
    ready = say("setup.ready")
    rows = [{"name": each["name"], "state": {"state": each["missing"] or ready}} for each in told["providers"]]
    now = told["settings"]["model"]
    schema = _setup_schema([each["name"] for each in told["providers"]])
    provider, _, model = str(now).partition("/")
    values = {"provider": provider or None, "model": model}
    return [
        blocks.text(say("setup.intro")),
        blocks.table({"name": "Provider", "state": ""}, rows, say("setup.model")),
        blocks.form("begin", schema, values, say("setup.key")),
        blocks.text(say("setup.talk")),
    ]


def _setup_schema(providers: Sequence[str]) -> dict[str, Any]:
    return {"type": "object", "required": ["provider"], "properties": {
        "provider": {"type": "string", "title": "Provider", "enum": list(providers)},
        "model": {"type": "string", "title": "Model", "description": "as the provider calls it; empty: its own choice"},
        "name": {**NAME, "title": "Name of its key", "description": "empty: the one that stands above"},
        "secret": {"type": "string", "title": "Its key", "writeOnly": True, "description": say("settings.keys")},
    }}  # fmt: skip


async def setup_schema(visit: Visit, action: str, values: dict[str, Any]) -> Mapping[str, Any] | None:
    """The schema of its form."""
    told = await visit.admin.overview()
    return _setup_schema([each["name"] for each in told["providers"]]) if action == "begin" else None


async def act_on_setup(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Writes it, and begins anew."""
    if action != "begin":
        raise InputError("nothing is called so", hint="open the page again", status=404)
    name, secret = values.get("name", ""), values.get("secret", "")
    if secret and not name:
        told = {each["name"]: each["missing"] for each in (await visit.admin.overview())["providers"]}
        name = _named_in(told.get(values["provider"], ""))
    if bool(name) != bool(secret):
        return Done(errors={"secret" if name else "name": say("setup.pair")})
    model = "/".join(filter(None, (values["provider"], values.get("model", ""))))
    try:
        await visit.admin.configure([(("model",), model)], {name: secret} if name else {}, by=visit.by)
    except ConfigError as error:
        return Done(errors={"": error.message})
    await visit.admin.begin_anew(by=visit.by)
    return Done(say("setup.saved"), to=f"/chat?say={quote(say('setup.first'))}")


def _named_in(missing: str) -> str:
    """The name of the key in what a provider says that it misses; empty where it names none."""
    found = re.search(r"\bsecret ([A-Z][A-Z0-9_]*)\b", missing)
    return found[1] if found else ""


PAGES = (
    Page("plugins", plugins, act_on_plugins, "admin", schemas=plugin_schema),
    Page("settings", settings, act_on_settings, "admin", schemas=settings_schema),
    Page("setup", setup, act_on_setup, "admin", schemas=setup_schema),
)
