"""The first steps: which provider of models answers, with which key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from gitu_core.contracts import Block
from gitu_core.errors import ConfigError
from gitu_web.console import blocks
from gitu_web.console.page import Done, Page, wrong
from gitu_web.console.settle import NAME
from gitu_web.console.texts import say
from gitu_web.site import Visit


async def setup(visit: Visit) -> Sequence[Block]:
    """The first steps: which provider, which key, which model."""
    told = await visit.admin.overview()
    ready = say("setup.ready")
    rows = [{"provider": each["name"], "state": {"state": each["missing"] or ready}} for each in told["providers"]]
    now = told["settings"]["model"]
    schema = _setup_schema([each["name"] for each in told["providers"]])
    provider, _, model = str(now).partition("/")
    values = {"provider": provider or None, "model": model}
    return [
        blocks.text(say("setup.intro")),
        blocks.table(("provider", "state"), rows, say("setup.which")),
        blocks.form("begin", schema, values, say("setup.key")),
        blocks.text(say("setup.talk")),
    ]


def _setup_schema(providers: Sequence[str]) -> dict[str, Any]:
    return {"type": "object", "required": ["provider"], "properties": {
        "provider": {"type": "string", "title": say("setup.provider"), "enum": list(providers)},
        "model": {"type": "string", "title": say("setup.model"), "description": say("setup.model_about")},
        "name": {**NAME, "title": say("setup.name"), "description": say("setup.name_about")},
        "secret": {"type": "string", "title": say("setup.secret"), "writeOnly": True,
                   "description": say("settings.keys")},
    }}  # fmt: skip


async def setup_schema(visit: Visit, action: str, values: dict[str, Any]) -> Mapping[str, Any] | None:
    """The schema of its form."""
    told = await visit.admin.overview()
    return _setup_schema([each["name"] for each in told["providers"]]) if action == "begin" else None


async def act_on_setup(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Writes it, and begins anew."""
    if action != "begin":
        raise wrong("action")
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


PAGES = (Page("setup", setup, act_on_setup, "admin", schemas=setup_schema),)
