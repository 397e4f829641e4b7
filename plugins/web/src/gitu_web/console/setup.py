"""The first steps: which provider of models answers, with which key. It is tried before it is kept."""

from __future__ import annotations

import re
import time
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

WAITS = 600.0
"""Seconds for which what could not be tried waits to be kept all the same."""

NO_CHOICE = ("AuthFailed", "ConfigError", "InputError")
"""Errors after which it is plain that what was typed will not work; after others it may be kept all the same."""


async def setup(visit: Visit) -> Sequence[Block]:
    """The first steps: which provider, which key, which model."""
    told = await visit.admin.overview()
    rows = [{"provider": each["name"], "state": {"state": each["missing"] or say("setup.ready")}}
            for each in told["providers"]]  # fmt: skip
    schema = _schema([each["name"] for each in told["providers"]])
    provider, _, model = str(told["settings"]["model"]).partition("/")
    found = [
        blocks.text(say("setup.intro")),
        blocks.table(("provider", "state"), rows, say("setup.which")),
        blocks.form("begin", schema, {"provider": provider or None, "model": model}, say("setup.key"),
                    say("setup.try")),
    ]  # fmt: skip
    if waiting := _waiting(visit):
        found.append(blocks.text(say("setup.untried", model=waiting["model"]), "warning"))
        found.append(blocks.act("anyway", say("setup.anyway")))
    return [*found, blocks.text(say("setup.talk"))]


def _schema(providers: Sequence[str]) -> dict[str, Any]:
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
    return _schema([each["name"] for each in told["providers"]]) if action == "begin" else None


async def act_on_setup(visit: Visit, action: str, values: dict[str, Any]) -> Done:
    """Tries it, writes it, and begins anew."""
    waiting = _waiting(visit)
    visit.site.waiting.pop(visit.visitor.device, None)
    if action == "anyway":
        if waiting is None:
            raise wrong("waiting", 400)
        return await _keep(visit, waiting["model"], waiting["secrets"])
    if action != "begin":
        raise wrong("action")
    name, secret = values.get("name", ""), values.get("secret", "")
    if secret and not name:
        told = {each["name"]: each["missing"] for each in (await visit.admin.overview())["providers"]}
        name = _named_in(told.get(values["provider"], ""))
    if bool(name) != bool(secret):
        return Done(errors={"secret" if name else "name": say("setup.pair")})
    model = "/".join(filter(None, (values["provider"], values.get("model", ""))))
    secrets = {name: secret} if name else {}
    found = await visit.admin.try_model(model, secrets)
    return _refused(visit, model, secrets, found) if found["error"] else await _keep(visit, model, secrets)


def _refused(visit: Visit, model: str, secrets: dict[str, str], found: Mapping[str, str]) -> Done:
    """Why it did not answer; what may work later can be kept all the same."""
    provider, why = model.partition("/")[0], found["detail"].removeprefix(f"{model}: ")
    for secret in filter(None, secrets.values()):
        why = why.replace(secret.strip(), "…")
    if found["error"] == "AuthFailed" or (found["error"] == "NoModel" and not secrets):
        told = say("setup.refused" if secrets else "setup.needs", provider=provider, why=why)
        return Done(say("setup.unsaved"), "bad", errors={"secret": told})
    if found["error"] not in NO_CHOICE:
        now, waiting = time.monotonic(), visit.site.waiting
        for device in [device for device, each in waiting.items() if each["until"] < now]:
            del waiting[device]
        waiting[visit.visitor.device] = {"until": now + WAITS, "model": model, "secrets": secrets}
    words = say("setup.silent", provider=provider, why=why, hint=found["hint"])
    return Done(say("setup.unsaved"), "bad", errors={"": words})


def _waiting(visit: Visit) -> dict[str, Any] | None:
    """What this device wanted to have kept and could not be tried."""
    found: dict[str, Any] | None = visit.site.waiting.get(visit.visitor.device)
    return found if found is not None and found["until"] > time.monotonic() else None


async def _keep(visit: Visit, model: str, secrets: Mapping[str, str]) -> Done:
    try:
        await visit.admin.configure([(("model",), model)], secrets, by=visit.by)
    except ConfigError as error:
        return Done(errors={"": error.message})
    await visit.admin.begin_anew(by=visit.by)
    return Done(say("setup.saved"), to=f"/chat?say={quote(say('setup.first'))}")


def _named_in(missing: str) -> str:
    """The name of the key in what a provider says that it misses; empty where it names none."""
    found = re.search(r"\bsecret ([A-Z][A-Z0-9_]*)\b", missing)
    return found[1] if found else ""


PAGES = (Page("setup", setup, act_on_setup, "admin", schemas=setup_schema),)
