"""The pages about what is installed and how it is set: plugins and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gitu_core.contracts import Block
from gitu_core.errors import ConfigError
from gitu_web.console import blocks
from gitu_web.console.page import Done, Page, wrong
from gitu_web.console.texts import say, word
from gitu_web.site import Visit

NAME = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,99}$"}
MODEL: dict[str, Any] = {"type": "object", "properties": {
    name: {"type": "string", "title": say(f"settings.{name}"), "description": say(f"settings.{name}_about")}
    for name in ("model", "router", "timezone")
}}  # fmt: skip
LISTED = tuple(MODEL["properties"])
KEY: dict[str, Any] = {"type": "object", "required": ["name", "secret"], "properties": {
    "name": {**NAME, "title": say("settings.name"), "description": say("settings.name_about")},
    "secret": {"type": "string", "title": say("settings.secret"), "writeOnly": True},
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
        rows.append({"plugin": each["id"], "does": each.get("title", ""), "state": {"state": each["state"]},
                     "version": each.get("version", ""), "about": each.get("reason", ""), "actions": acts})  # fmt: skip
    table = blocks.table(("plugin", "does", "state", "version", "about"), rows)
    return [blocks.text(say("plugins.intro")), table, blocks.text(say("plugins.install"))]


async def _one_plugin(visit: Visit, told: Mapping[str, Any] | None) -> Sequence[Block]:
    if told is None:
        raise wrong("plugin")
    id = told["id"]
    facts = {"state": {"state": told["state"]}, "version": told.get("version"), "from": told.get("distribution"),
             "runs": word(told["isolation"]), "walls": ", ".join(told.get("walls", ())),
             "gives": ", ".join(told.get("contributions", ())), "why": told.get("reason"), "next": told.get("hint"),
             "notes": "; ".join(told.get("notes", ()))}  # fmt: skip
    rows = [{"fact": say(f"fact.{name}"), "value": value} for name, value in facts.items() if value]
    found = [*([blocks.text(told["title"])] if told.get("title") else []), blocks.table(("fact", "value"), rows, id)]
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
        told = await visit.admin.configuration(id)
        changes = {
            name: values.get(name)
            for name, each in told["schema"]["properties"].items()
            if (name in values or not each.get("writeOnly")) and values.get(name) != told["values"].get(name)
        }
        try:
            await visit.configure(id, changes)
        except ConfigError as error:
            field = str(error.details.get("field", "")).removeprefix(f"plugins.{id}").strip(".")
            return Done(errors={field.partition(".")[0]: error.message})
        return Done(say("plugins.saved"), to=f"/plugins?id={id}")
    if action not in ("enable", "disable", "reset"):
        raise wrong("action")
    if action == "disable" and id == visit.site.host.plugin:
        raise wrong("own", 400, plugin=id)
    told = await visit.admin.switch(id, action, by=visit.by)
    return Done(say("plugins.switched", plugin=id, state=told["state"]), to=f"/plugins?id={id}")


# ---- settings --------------------------------------------------------------------------------------------------


async def settings(visit: Visit) -> Sequence[Block]:
    """The model, keys, and beginning anew."""
    return [
        blocks.form("model", MODEL, (await visit.admin.overview())["settings"], say("settings.which")),
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
            now, typed = (await visit.admin.overview())["settings"], {name: values.get(name, "") for name in LISTED}
            changes = [((name,), typed[name] or None) for name in LISTED if typed[name] != now[name]]
            await visit.admin.configure(changes, by=visit.by)
        elif action == "key":
            await visit.admin.configure([], {values["name"]: values["secret"]}, by=visit.by)
        else:
            raise wrong("action")
    except ConfigError as error:
        return Done(errors={str(error.details.get("field", "")): error.message})
    return Done(say("settings.saved"))


PAGES = (
    Page("plugins", plugins, act_on_plugins, "admin", schemas=plugin_schema),
    Page("settings", settings, act_on_settings, "admin", schemas=settings_schema),
)
