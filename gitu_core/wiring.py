"""Wires the house: store, registry, routing, policy, budget, runtime, gateway. The only place that knows them all."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import anyio
import msgspec
from anyio.abc import TaskGroup

from gitu_core.blocking import BLOCK, models_blocked
from gitu_core.budget import TurnBudget
from gitu_core.clock import SystemClock
from gitu_core.config import (
    Profile,
    SecretSource,
    Settings,
    default_home,
    leaves_machine,
    load,
    plugin_config,
)
from gitu_core.contracts import Adapter, Host, ModelProvider
from gitu_core.contracts.ports import Clock, OutboxEntry, Store, Verdict
from gitu_core.errors import ConfigError, InputError, NotReady
from gitu_core.facets import PluginHost
from gitu_core.gateway import Channels, Gateway, Job, LocalDispatcher
from gitu_core.gateway import Options as JobOptions
from gitu_core.manifest import Manifest
from gitu_core.model import (
    NANO,
    Account,
    Ask,
    Conversation,
    Message,
    ModelMessage,
    Outgoing,
    Part,
    Reply,
    Text,
    ToolCall,
    ToolSpec,
    TurnEvent,
    TurnFinished,
    TurnInfo,
    new_id,
    user,
)  # fmt: skip
from gitu_core.output import output_of
from gitu_core.policy import LabelPolicy
from gitu_core.registry import Registry
from gitu_core.routing import Models
from gitu_core.runtime import Outcome, Runtime, Work, as_error, describe_call
from gitu_core.store import Store as SqlStore
from gitu_core.tools import as_tool

log = logging.getLogger("gitu")

APP = "app"
"""The channel name of the embedding application."""


GRACE = 5.0
"""Seconds that running turns get to finish when everything closes."""

ANSWER_WITHIN = 300.0
"""Seconds that a question waits for its answer."""


@dataclass
class Options:
    """What `Gitu(...)` was given; the names mean what they mean there."""

    model: Any
    tools: tuple[Any, ...]
    use: tuple[str, ...]
    plugins: tuple[Any, ...]
    instructions: str
    profiles: tuple[Profile, ...]
    home: Any
    database: str | None
    engine: Any
    prefix: str
    schema: str | None
    config: Any
    approve: Any
    clock: Clock | None


class House:
    """The wired parts of one open `Gitu`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = options.clock or SystemClock()
        self.settings, self.profiles = configure(options)
        self.secrets = SecretSource(self.settings)
        self.store: Store = SqlStore(
            url=self.settings.database or None, engine=options.engine, prefix=options.prefix, schema=options.schema,
            tenant=self.settings.tenant, home=self.settings.folder, clock=self.clock,
        )  # fmt: skip
        self.registry = Registry(
            self.settings.folder,
            host_for=self._host_for,
            enabled=enabled_by(self.settings),
            builtin=built_in(),
            local=_local(options),
            clock=self.clock,
        )
        self.models = Models(self.registry, self.settings, self.clock, self.secrets.has, forbidden=self._forbidden)
        self.dispatcher = LocalDispatcher(self.settings.max_turns)
        self.runtime = Runtime(
            records=self.store, registry=self.registry, hooks=self.registry.hooks, models=self.models,
            policy=LabelPolicy(), budget=TurnBudget(self._cost_limit), clock=self.clock, profiles=self.profile,
            approve=self._approve,
        )  # fmt: skip
        self.gateway = Gateway(
            records=self.store, people=self.store, sessions=self.store, hooks=self.registry.hooks, turns=self,
            clock=self.clock, dispatcher=self.dispatcher, profile="default", status=self.status,
        )  # fmt: skip
        self.channels = Channels(self.gateway, self.clock)
        self._parts = AsyncExitStack()
        self._group: TaskGroup

    # ---- opening and closing --------------------------------------------------------------------

    async def open(self) -> None:
        """Opens everything in order; what was opened is closed again when a later part fails."""
        async with AsyncExitStack() as stack:
            await self.store.open()
            stack.push_async_callback(self.store.close)
            await self.registry.start(channels=False)
            stack.push_async_callback(self.registry.stop)
            if self.settings.idle_days:
                await self.store.end_idle(self.clock.now() - self.settings.idle_days * 86_400)
            self._parts = stack.pop_all()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self.dispatcher.run, self.gateway.work_off)

    async def close(self) -> None:
        """Waits for what runs, then closes everything in the opposite order, cancelled or not."""
        try:
            with anyio.CancelScope(shield=True):
                await self.dispatcher.close(GRACE)
            # The group never sees the caller's exception: it would come out wrapped in a group of exceptions.
            await self._group.__aexit__(None, None, None)
        finally:
            with anyio.CancelScope(shield=True):
                await self._parts.aclose()

    # ---- what the parts need from each other ----------------------------------------------------

    def profile(self, name: str) -> Profile:
        """The profile *name*: the embedder's own, else the settings'."""
        return self.profiles.get(name) or self.settings.profile(name)

    def _cost_limit(self, turn: TurnInfo) -> int | None:
        cost = self.profile(turn.profile).limits.cost
        return None if cost is None else int(cost * NANO)

    def _forbidden(self, manifest: Manifest) -> str:
        """Why a model provider must not be asked, or nothing. Tests keep assistants away from other machines."""
        if models_blocked() and leaves_machine(manifest, plugin_config(manifest, self.settings)):
            return f"would leave this machine, and {BLOCK} is set"
        return ""

    def _host_for(self, manifest: Manifest) -> Host:
        trusted = manifest.id.startswith("local")
        # Its facets are made when they are first used, so that no type checker sees them.
        return cast(Host, PluginHost(self, manifest, lambda: plugin_config(manifest, self.settings), trusted))

    async def status(self) -> Sequence[str]:
        """How the assistant is, in lines."""
        running, waiting = self.gateway.load
        lines = [f"{running} turns run, {waiting} messages wait"]
        lines += [
            f"channel {name}: {health.state} {health.detail}".rstrip() for name, health in self.channels.health.items()
        ]
        states: dict[str, int] = {}
        for plugin in self.registry.plugins():
            states[plugin.state] = states.get(plugin.state, 0) + 1
            if plugin.state not in ("enabled", "disabled"):
                lines.append(f"plugin {plugin.id}: {plugin.state}: {plugin.reason}")
        lines.append("plugins: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
        return lines

    # ---- turns (the gateway's `TurnRunner`) -----------------------------------------------------

    async def run(self, job: Job, adapter: Adapter | None) -> Outcome:
        """Runs the turn of a job; a stopped job gives a cancelled reply."""
        message, session = job.entry.message, job.entry.session
        stored = await self.store.session(session)
        profile = self.profile(job.options.profile or (stored.profile if stored else "default"))
        principal = user(job.entry.person)
        info = TurnInfo(self.clock.new_id(), session, job.id, principal, profile.name, message.conversation.channel)
        ask = ModelMessage("user", message.parts, id=job.id, label=message.label)
        work = Work(
            info, job.entry.person, ask, profile, message.conversation, self._emit(job, adapter),
            job.options.schema, job.options.check, job.options.deps,
        )  # fmt: skip
        with anyio.CancelScope() as scope:
            job.scope = scope
            if job.stopped:
                return self.runtime.cancelled(work)
            return await self.runtime.run(work)
        return self.runtime.cancelled(work)

    def _emit(self, job: Job, adapter: Adapter | None) -> Callable[[TurnEvent], Any]:
        conversation, watch = job.entry.message.conversation, job.options.watch

        async def emit(event: TurnEvent) -> None:
            if watch is not None:
                watch(event)
            if adapter is not None and adapter.channel.streams:
                try:
                    await adapter.show(conversation, event)
                except Exception as error:  # noqa: BLE001 - what is shown while a turn runs may get lost, never the turn
                    log.warning("channel %s could not show an event: %s", adapter.channel.name, error)

        return emit

    async def finished(self, job: Job, adapter: Adapter | None, reply: Reply) -> None:
        """The answer was handed over; tells the channel and the observers."""
        if adapter is not None:
            await self._emit(job, adapter)(TurnFinished(reply))
        if self.registry.hooks.wants("gitu_turn_finished"):
            message = job.entry.message
            info = TurnInfo(
                reply.turn, reply.session, job.id, user(job.entry.person), channel=message.conversation.channel
            )
            await self.registry.hooks.observe("gitu_turn_finished", turn=info, reply=reply)

    async def _approve(self, work: Work, call: ToolCall, tool: ToolSpec, verdict: Verdict) -> str:
        """Asks whoever can be asked: the embedder's function, else the person on the turn's own channel."""
        if self.options.approve is not None:
            said = self.options.approve(call, tool, verdict.reason)
            said = await said if hasattr(said, "__await__") else said
            return "yes" if said else "the application did not approve it"
        conversation = work.conversation
        adapter = self.gateway.adapters.get(conversation.channel) if conversation else None
        if conversation is None or adapter is None:
            return f"{verdict.reason}, and nobody can be asked here"
        ask = Ask(
            self.clock.new_id(), f"May I use {tool.name}? {verdict.reason}.", ("yes", "no"), describe_call(call, tool)
        )
        self.gateway.questions.open(ask.id, work.person, conversation, ask.choices)
        await adapter.send(Outgoing(ask.id, ask.id, conversation, (ask,), cause=work.info.id, label=call.label))
        choice = await self.gateway.questions.wait(ask.id, ANSWER_WITHIN)
        return choice if choice == "yes" else "the user said no" if choice else "nobody answered in time"

    # ---- what `Gitu` offers ---------------------------------------------------------------------

    async def submit(
        self, text: str | Sequence[Part], person: str, session: str, output: Any, deps: Any, profile: str, key: str,
        watch: Callable[[TurnEvent], None] | None,
    ) -> Job:  # fmt: skip
        """Accepts a message of the embedding application."""
        if profile:
            self.profile(profile)
        parts = (Text(text),) if isinstance(text, str) else tuple(text)
        if not parts or (isinstance(text, str) and not text.strip()):
            raise InputError("the message is empty", hint="say something")
        conversation = Conversation(APP, f"{person}/{session}" if session else person)
        message = Message(key or new_id(), conversation, Account(APP, person), parts)
        schema, check = output_of(output) if output is not None else (None, None)
        return await self.gateway.accept(message, person, JobOptions(schema, check, deps, profile, watch))

    def reply_of(self, job: Job) -> Reply:
        """The reply of a job that is done. Raises what kept it from having one."""
        if job.failure is not None:
            raise job.failure
        if job.reply is None:
            return Reply("", job.entry.session, "silent")
        return job.reply

    def raise_failure(self, reply: Reply) -> None:
        """Raises the typed error that ended a turn, if one did."""
        if reply.error is not None:
            raise as_error(reply.error)

    async def complete(self, principal: str, prompt: str, schema: dict[str, Any] | None, model: str) -> Any:
        """A plugin's own question to a model: no tools, no history, on the default profile's limits."""
        profile = msgspec.structs.replace(self.profile("default"), tools=(), delegates=(),
                                          models=(model,) if model else self.profile("default").models)  # fmt: skip
        id = self.clock.new_id()
        ask = ModelMessage("user", (Text(prompt),), id=f"{id}.ask")
        info = TurnInfo(id, f"{principal}.{id}", id, principal, profile.name)
        outcome = await self.runtime.run(Work(info, "", ask, profile, schema=schema, depth=1))
        self.store.post(*outcome.records)
        self.raise_failure(outcome.reply)
        return outcome.reply.text if schema is None else outcome.reply.data

    async def notify(self, outgoing: Outgoing) -> None:
        """Says something of the assistant's own accord. `NotReady` if its channel does not run."""
        adapter = self.gateway.adapters.get(outgoing.conversation.channel)
        if adapter is None:
            raise NotReady(
                f"the channel {outgoing.conversation.channel!r} does not run", hint="start it with: gitu serve"
            )
        entry = OutboxEntry(outgoing, "", "", "sending", 1)
        await self.store.write(entry)
        await self.gateway.outbox.deliver(adapter, entry)

    # ---- channels -------------------------------------------------------------------------------

    def channel_names(self, foreground: bool) -> list[str]:
        """The enabled channels that take over the terminal, or those that run in the background."""
        offers = self.registry.offers("adapter")
        return [
            offer.contribution.name for offer in offers if bool(offer.contribution.spec.get("foreground")) is foreground
        ]

    async def run_channels(self, names: Sequence[str]) -> None:
        """Runs channels until all of them ended, and first takes up what an earlier run left."""
        if not names:
            raise ConfigError("no channel is enabled", hint="enable one with: gitu plugins enable ID", field="plugins")
        adapters = [await self.registry.get("adapter", name) for name in names]
        for adapter in adapters:
            self.gateway.adapters[adapter.channel.name] = adapter
        await self.gateway.take_up()
        async with anyio.create_task_group() as group:
            for adapter in adapters:
                group.start_soon(self.channels.run, adapter)


def configure(options: Options) -> tuple[Settings, dict[str, Profile]]:
    """The settings and the embedder's own profiles, from what `Gitu(...)` was given."""
    config = options.config
    if isinstance(config, Settings):
        settings = config
    elif config is not None:
        settings = load(config)
    else:
        settings = Settings()
    changes: dict[str, Any] = {"home": str(options.home or settings.home or default_home())}
    if options.database:
        changes["database"] = options.database
    model = options.model
    if model:
        if isinstance(model, str):
            changes["model"] = (model,)
        elif isinstance(model, Sequence):
            changes["model"] = tuple(model)
        else:
            changes["model"] = (model.name,)
    settings = msgspec.structs.replace(settings, **changes)
    profiles = {profile.name: profile for profile in options.profiles}
    if config is None:
        profiles.setdefault("default", _embedded(options))
    if options.instructions:
        base = profiles.get("default") or settings.profile("default")
        profiles["default"] = msgspec.structs.replace(base, instructions=options.instructions)
    return settings, profiles


def _embedded(options: Options) -> Profile:
    """Without a configuration the assistant has the tools that it was handed, and those asked for with ``use``."""
    own = tuple(as_tool(each).spec.name for each in options.tools)
    exact = bool(options.model)
    if options.plugins and not options.use:
        return Profile(exact=exact)
    return Profile(tools=(*own, *options.use), exact=exact)


def _local(options: Options) -> list[tuple[str, Any]]:
    """The embedder's own objects as plugins."""
    found: list[tuple[str, Any]] = []
    if options.tools:
        found.append(("local-tools", [as_tool(each) for each in options.tools]))
    if options.model and not isinstance(options.model, str | Sequence):
        found.append(("local-model", _ModelPlugin(options.model)))
    for number, each in enumerate(options.plugins):
        found.append((f"local-plugin-{number}", each))
    return found


class _ModelPlugin:
    """A provider object of the embedder, as a plugin."""

    def __init__(self, provider: ModelProvider) -> None:
        self._provider = provider

    def gitu_model_providers(self) -> Sequence[ModelProvider]:
        """The one provider."""
        return [self._provider]


def enabled_by(settings: Settings) -> Callable[[str, Manifest | None], bool | None]:
    """What ``gitu.toml`` says about plugins: ``enabled = true`` or ``false`` in a plugin's section, or nothing."""

    def word(id: str, manifest: Manifest | None) -> bool | None:
        said = settings.plugins.get(id, {}).get("enabled")
        return said if isinstance(said, bool) else None

    return word


@lru_cache(1)
def built_in() -> frozenset[str]:
    """The plugins that come with the bundle, by id: those that the extra ``assistant`` of this distribution names."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        needed = requires("gitu-core") or ()
    except PackageNotFoundError:  # run from a folder that was never installed: nothing comes with it
        return frozenset()
    marked = (line.partition(";") for line in needed)
    names = (name.strip() for name, _, marker in marked if "assistant" in marker)
    return frozenset(re.split(r"[^\w-]", name)[0].removeprefix("gitu-") for name in names)
