"""The facet `admin`: what whoever runs the installation sees of it, and may do with it."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import msgspec
from anyio import to_thread

from gitu_core.budget.envelopes import amounts, period_at
from gitu_core.config import OPERATORS, plugin_config, plugin_values, write_only
from gitu_core.contracts.admin import OPERATOR
from gitu_core.contracts.audit import AuditEntry
from gitu_core.errors import ConfigError, InputError, NotReady
from gitu_core.gateway import turns_of
from gitu_core.gateway.pulse import Seen
from gitu_core.model import Conversation, Outgoing, Text, by_system
from gitu_core.secrecy import DISCREET, without_secrets
from gitu_core.settings import Change, change, keep_secret_file, secret_change

if TYPE_CHECKING:
    from gitu_core.budget import Envelopes, Line
    from gitu_core.config import Settings
    from gitu_core.contracts.page import Page
    from gitu_core.contracts.ports import Approval, Clock, HistoryEntry, OutboxEntry, Store
    from gitu_core.gateway import Channels, Gateway
    from gitu_core.registry import Registry
    from gitu_core.routing import Models

log = logging.getLogger("gitu.admin")
log.addFilter(DISCREET)

LONGEST = 366  # days that `usage` looks back at most
TOKENS = 10_000_000  # more than a page of history has
DAY = 86_400.0


class Whole(Protocol):
    """The parts of the house that are looked into."""

    clock: Clock
    store: Store
    registry: Registry
    settings: Settings
    models: Models
    gateway: Gateway
    channels: Channels
    envelopes: Envelopes

    def begin_anew(self) -> None:
        """Has the program open another house."""

    async def try_model(self, settings: Settings, model: str, secrets: Mapping[str, str]) -> dict[str, str]:
        """Whether a model answers."""

    def channel_names(self, foreground: bool) -> list[str]:
        """The enabled channels that take over the terminal, or those that run in the background."""

    async def budgets(self, person: str = "") -> Sequence[Line]:
        """How full the envelopes are."""

    async def notify(self, outgoing: Outgoing) -> None:
        """Says something of the assistant's own accord."""


class Sessions:
    """The sessions of the store; called itself, it lists them as JSON."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def __call__(self, person: str = "") -> AsyncIterator[dict[str, Any]]:
        """Sessions, newest first."""
        for session in await self._store.sessions(person, limit=1000):
            yield msgspec.to_builtins(session)


class Overseer:
    """Looks into the installation and runs it, for one plugin."""

    def __init__(self, house: Whole, plugin: str) -> None:
        self._house, self._plugin = house, plugin
        self.people = self.grants = self.audit = self.turns = house.store
        self.sessions = Sessions(house.store)

    async def _done(self, by: str, outcome: str, subject: str, *names: str) -> None:
        """Has the audit keep what was done, to what, and by whom."""
        log.info("%s (through the plugin %s): %s %s", by, self._plugin, outcome, ", ".join((subject, *names)))
        clock, facts = self._house.clock, {"by": by, "through": self._plugin, "names": names}
        id = f"{clock.new_id()}.admin"
        await self._house.store.write(AuditEntry("admin", subject, outcome, "", facts=facts, at=clock.now(), id=id))

    # ---- how things are --------------------------------------------------------------------------

    async def overview(self) -> dict[str, Any]:
        """How the assistant is."""
        house = self._house
        running, waiting = house.gateway.load
        carrier = house.gateway.dispatcher
        states = Counter(each.state for each in house.registry.plugins())
        notes = [f"plugin {each.id}: {note}" for each in house.registry.plugins() for note in each.notes]
        return cast(dict[str, Any], without_secrets({
            "version": sys.modules["gitu_core"].__version__,  # it stands in the package itself, which stands above
            "home": house.settings.home,
            "load": {"running": running, "waiting": waiting},
            "dispatcher": {"name": carrier.name, **_all(await carrier.health())},
            "channels": [await self._channel(name, front)
                         for front in (True, False) for name in house.channel_names(front)],
            "providers": [{"name": name, "missing": missing} for name, missing in house.models.providers()],
            "breakers": [{"name": name, "state": state, "why": why} for name, state, why in house.models.breakers()],
            "budgets": [*house.settings.budgets],
            "plugins": dict(states),
            "notes": notes,
            "settings": {"file": house.settings.file, "model": ", ".join(house.settings.wanted),
                         "router": house.settings.router, "timezone": house.settings.timezone},
        }))  # fmt: skip

    async def _channel(self, name: str, foreground: bool) -> dict[str, Any]:
        identity, board = self._house.gateway.identity, self._house.channels.board
        here, elsewhere = board.pulses.get(name), await board.seen(name)
        seen = here.seen if here is not None else elsewhere if elsewhere and elsewhere.runs else Seen("stopped")
        access, full = identity.access(name), identity.vouches(name)
        return {**_all(seen), "name": name, "foreground": foreground, "access": access, "vouched": full}

    async def plugins(self) -> Sequence[dict[str, Any]]:
        """What is installed."""
        return [msgspec.to_builtins(status) for status in self._house.registry.plugins()]

    async def switch(
        self, plugin: str, action: Literal["enable", "disable", "reset"], by: str = OPERATOR
    ) -> dict[str, Any]:
        """Switches a plugin on or off, or lifts its quarantine."""
        if action not in ("enable", "disable", "reset"):
            raise InputError(f"{action!r} is nothing to do with a plugin", hint="say enable, disable or reset")
        registry = self._house.registry
        if action != "disable":  # a child process may have to tell what it is: nobody else waits for that
            await to_thread.run_sync(registry.describe, plugin, action == "reset")
        getattr(registry, action)(plugin)
        await self._done(by, action, f"plugin {plugin}")
        await registry.start(channels=False)
        return cast(dict[str, Any], msgspec.to_builtins(registry.status(plugin)))

    async def configuration(self, plugin: str) -> dict[str, Any]:
        """What a plugin can be told, and what it is told."""
        manifest, settings = self._house.registry.manifest(plugin), self._house.settings
        real, shown = plugin_config(manifest, settings), dict[str, Any]()
        told = manifest.config.get("properties", {})
        schemas = {name: each for name, each in told.items() if name not in OPERATORS}  # what no plugin may ask for
        for name, value in real.items():
            shown[name] = "[secret]" if write_only(schemas.get(name, {})) else without_secrets({name: value})[name]
            if name in schemas and shown[name] != value:
                schemas[name] = {**schemas[name], "writeOnly": True}  # nobody may write back what stands for a secret
        schema = {**manifest.config, "properties": schemas} if told else manifest.config
        sources = {name: source for name, (_, source) in plugin_values(manifest, settings).items()}
        return {"schema": schema, "values": shown, "sources": sources}

    async def configure(
        self, changes: Sequence[Change], secrets: Mapping[str, str] = MappingProxyType({}), by: str = OPERATOR
    ) -> None:
        """Changes the settings file."""
        settings, registry = self._house.settings, self._house.registry
        if not settings.file:
            raise NotReady("this assistant has no settings file", hint="whoever embeds it decides")
        touched = sorted({keys[1] for keys, _ in changes if len(keys) > 2 and keys[0] == "plugins"})
        if field := next((".".join(keys) for keys, value in changes if "[secret" in str(value)), ""):
            hint = "leave out what is to stay, or say all of it"
            raise ConfigError(f"{field} holds what stands for a secret", hint=hint, field=field)

        def check(changed: Settings) -> None:
            for id in touched:
                plugin_config(registry.manifest(id), changed)
            for each in secrets.items():  # all is good: they are there before the file names them
                keep_secret_file(settings.folder, *each)

        def write() -> None:
            kept = [secret_change(settings.folder, *each) for each in secrets.items()]
            change(Path(settings.file), [*changes, *kept], check)

        await to_thread.run_sync(write)
        named = [".".join(keys) for keys, _ in changes] + [f"the secret {name}" for name in secrets]
        await self._done(by, "changed", "settings", *named)

    async def try_model(self, model: str, secrets: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
        """Whether a model answers."""
        return await self._house.try_model(self._house.settings, model, secrets)

    async def begin_anew(self, by: str = OPERATOR) -> None:
        """Has the program take the settings as they are now."""
        await self._done(by, "begun anew", "settings")
        self._house.begin_anew()

    async def pages(self) -> Sequence[dict[str, Any]]:
        """The console pages."""
        found = ((each.plugin, each.contribution) for each in self._house.registry.offers("page"))
        return [{"plugin": plugin, "path": each.name, "title": each.spec.get("title", each.name),
                 "icon": each.spec.get("icon", "")} for plugin, each in found]  # fmt: skip

    async def page(self, plugin: str, path: str) -> Page:
        """One of them."""
        return cast("Page", await self._house.registry.get("page", f"{plugin}:{path}"))

    # ---- what was said and asked -----------------------------------------------------------------

    async def history(self, session: str, limit: int = 500) -> Sequence[HistoryEntry]:
        """The newest messages of a session."""
        return await self._house.store.history(session, TOKENS, limit)

    async def turn_of(self, id: str) -> str:
        """The turn that *id* names, or is a part of."""
        store = self._house.store
        sent = await store.outgoing(id)
        names = [sent.outgoing.cause] if sent is not None else []
        names += [entry.turn for entry in await store.audit(id=id)]
        for name in filter(None, (*names, id, id.partition("_")[0])):
            if await store.steps(name):
                return name
            if under := await store.steps_under(turns_of(name)):
                return max(entry.turn for entry in under if "." not in entry.turn)
        return ""

    async def approvals(self, person: str = "") -> Sequence[Approval]:
        """Open questions."""
        return await self._house.store.approvals(person)

    async def say(self, person: str, text: str, where: Conversation | None = None, by: str = OPERATOR) -> str:
        """Says something to a person."""
        if not text.strip():
            raise InputError("the message is empty", hint="say something")
        where = where or await self._house.store.conversation_of(person)
        if where is None:
            raise NotReady(f"{person} never spoke in private", hint="wait until they do, or say where")
        id = f"said.{self._house.clock.new_id()}"
        await self._house.notify(Outgoing(id, id, where, (Text(text),), label=by_system()))
        await self._done(by, "said", where.channel, person)
        return id

    async def vouched(self, channel: str, said: str = "") -> bool:
        """Whether an account's messages are its person's own word."""
        return self._house.gateway.identity.vouches(channel, said)

    # ---- what was used ---------------------------------------------------------------------------

    async def budgets(self, person: str = "") -> Sequence[dict[str, Any]]:
        """How full the envelopes are."""
        return [{"title": each.title, **msgspec.to_builtins(each), "words": self._words(each)}
                for each in await self._house.budgets(person)]  # fmt: skip

    def _words(self, line: Line) -> dict[str, str]:
        limits = line.cost_limit, line.tokens_limit
        return {"used": amounts(line.cost, line.tokens, *limits), "again": self._house.envelopes.when(line.until),
                "held": amounts(line.held_cost, line.held_tokens, *limits, of=False)}  # fmt: skip

    async def usage(self, since: float, person: str = "") -> Sequence[dict[str, Any]]:
        """What was used, by day and model."""
        now, found = self._house.clock.now(), list[dict[str, Any]]()
        at = max(since, now - LONGEST * DAY)
        while at <= now:
            day = period_at("day", at, self._house.envelopes.zone)
            cost, tokens = Counter[str](), Counter[str]()
            for used in await self._house.store.used(at, day.until, person):
                cost[used.model] += used.cost
                tokens[used.model] += used.tokens
            found += [{"day": day.name, "model": model, "cost": cost[model], "tokens": tokens[model]}
                      for model in sorted(tokens)]  # fmt: skip
            at = day.until
        return found

    # ---- what was not delivered ------------------------------------------------------------------

    async def undelivered(self, person: str = "", queued: bool = False) -> Sequence[OutboxEntry]:
        """What did not arrive, or perhaps did not."""
        store = self._house.store
        waits = [each for each in await store.unsent() if person in ("", each.person)] if queued else []
        return [*await store.undelivered(person), *waits]

    async def resend(self, id: str, by: str = OPERATOR) -> None:
        """Has it sent again."""
        await self._house.gateway.resend([await self._lost(id)])
        await self._done(by, "sent again", "outbox", id)

    async def drop(self, id: str, by: str = OPERATOR) -> None:
        """Gives it up."""
        await self._house.store.write(msgspec.structs.replace(await self._lost(id), state="dropped", told=True))
        await self._done(by, "dropped", "outbox", id)

    async def _lost(self, id: str) -> OutboxEntry:
        found = await self._house.store.outgoing(id)
        if found is None or found.state not in ("dead", "unknown"):
            raise InputError(f"{id} is not among what was not delivered", hint="see: gitu outbox")
        return found


def _all(value: msgspec.Struct) -> dict[str, Any]:
    """A value as JSON, with what it has by default."""
    return {name: msgspec.to_builtins(getattr(value, name)) for name in value.__struct_fields__}
