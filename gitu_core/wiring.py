"""Wires the house: store, registry, routing, policy, budget, runtime, gateway. The only place that knows them all."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import anyio
import msgspec
from anyio.abc import TaskGroup

from gitu_core.blocking import BLOCK, models_blocked
from gitu_core.budget import Envelopes, Governor, Line
from gitu_core.clock import SystemClock
from gitu_core.config import Profile, SecretSource, Settings, leaves_machine, plugin_config, zone_of
from gitu_core.contracts import Channel, Dispatcher, Host
from gitu_core.contracts.authority import Grant
from gitu_core.contracts.budgets import Settled
from gitu_core.contracts.host import Entry
from gitu_core.contracts.ports import CORE, Approval, Record, Session, Store, UsageEntry
from gitu_core.contracts.scope import acting, person_of
from gitu_core.errors import ConfigError, GituError, InputError, NotReady, PluginError, StoreError
from gitu_core.facets import PluginHost
from gitu_core.failpoints import hit
from gitu_core.gateway import APP, Board, Channels, Fallback, Gateway, Identity, Job, Keeper, LocalDispatcher, asked_as
from gitu_core.gateway import Options as JobOptions
from gitu_core.gateway.pulse import clock_time
from gitu_core.manifest import Manifest
from gitu_core.model import Candidate, ModelRequest, RouteTask, user_message
from gitu_core.model.base import MAX_NAME, new_id
from gitu_core.model.chat import NANO, ModelMessage
from gitu_core.model.label import by_system
from gitu_core.model.message import Account, Ask, Conversation, Message, Outgoing, Part, Text
from gitu_core.model.turn import Reply, TurnEvent, TurnInfo
from gitu_core.options import Options, built_in, configure, enabled_by, local_plugins, trusted_by
from gitu_core.output import output_of
from gitu_core.policy import LabelPolicy
from gitu_core.registry import Registry
from gitu_core.routing import Models
from gitu_core.runtime import Runtime, Work, as_error
from gitu_core.secrecy import guard_logs, hidden, keep_secret
from gitu_core.settings import keep_secret_file
from gitu_core.store import Store as SqlStore
from gitu_core.store.sqlite import path_of
from gitu_core.timers import Timers
from gitu_core.turns import Turns

log = logging.getLogger("gitu")

GRACE = 5.0
"""Seconds that running turns get to finish when everything closes."""

HOUSEKEEPING = 3_600.0
"""Seconds between two looks for sessions that nobody uses any more."""

UNANSWERED = 86_400.0
"""Seconds after which a message of the embedding application that nobody dealt with is given up. Until then the same
key, sent again, takes it up."""


# What a model is asked that is tried, how much it may say to that (some think before they speak), in how many seconds.
QUESTION, TOKENS, PATIENCE = "Answer with one word: yes.", 64, 30.0


class House:
    """The wired parts of one open `Gitu`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = options.clock or SystemClock()
        self.settings, self.profiles = configure(options)
        self.secrets = SecretSource(self.settings)
        with suppress(ValueError):  # a URL that is wrong is refused where it is used
            keep_secret("password of the database", unquote(urlsplit(self.settings.database).password or ""))
        self.store: Store = SqlStore(
            url=self.settings.database or None, engine=options.engine, prefix=options.prefix, schema=options.schema,
            tenant=self.settings.tenant, home=self.settings.folder, clock=self.clock,
            master_key=self.settings.master_key,
        )  # fmt: skip
        local = local_plugins(options)
        self._own = {id for id, _ in local}
        self.registry = Registry(
            self.settings.folder, host_for=self._host_for, enabled=enabled_by(self.settings), builtin=built_in(),
            local=local, state=self.store, clock=self.clock, trusts=trusted_by(self.settings),
            workers=self.settings.plugins,
        )  # fmt: skip
        self.models = Models(self.registry, self.settings, self.clock, self.secrets.has, forbidden=self._forbidden)
        self.turns = Turns(self.registry.hooks, self.clock, self.profile, options.approve, self.store, options.deps)
        self.envelopes = Envelopes(self.settings.budgets, zone_of(self.settings.timezone))
        self.budget = Governor(self._cost_limit, self.envelopes, self.store.post, self._tell)
        self.runtime = Runtime(
            records=self.store, registry=self.registry, hooks=self.registry.hooks, models=self.models,
            policy=LabelPolicy(), grants=self.store, budget=self.budget, clock=self.clock, profiles=self.profile,
            approve=self.turns.approve, hold=self._hold,
        )  # fmt: skip
        identity = Identity(self.store, self.settings.channels, self._channel, self.notify, self.clock, self._resident)
        self.gateway = Gateway(
            records=self.store, workers=self.store, identity=identity, sessions=self.store, hooks=self.registry.hooks,
            turns=self.turns, clock=self.clock, local=LocalDispatcher(self.settings.max_turns), profile="default",
            status=self.status, spent=self.spent, grants=self.store, hold=self._hold,
        )  # fmt: skip
        self.turns.runtime, self.turns.gateway = self.runtime, self.gateway
        board = Board(self.store, CORE, self.store, self.clock)
        fallback = Fallback(self.gateway.outbox, self.store, identity, self.clock, board.works, self.notify)
        self.channels = Channels(self.gateway, self.store, self.clock, board, fallback)
        self.timers = Timers(self.store, self.registry, self.clock, self.settings.lease_seconds / 2)
        self.keeper = Keeper(self.store, self.store, self.gateway, self.clock, self.settings.lease_seconds,
                             self.timers.drop, self.channels.hold_again)  # fmt: skip
        self._parts = AsyncExitStack()
        self._group: TaskGroup
        self.leave: Callable[[], None] | None = None
        self.again = False

    # ---- opening and closing --------------------------------------------------------------------

    async def open(self) -> None:
        """Opens everything in order; what was opened is closed again when a later part fails."""
        async with AsyncExitStack() as stack:
            stack.callback(self.gateway.drop)  # last of all: messages land until the store is closed
            await self.store.open()
            stack.push_async_callback(self.store.close)
            await self.keeper.begin()
            await self._count()
            await self.registry.start(channels=False)
            guard_logs()
            stack.push_async_callback(self.registry.stop)
            if self.settings.dispatcher:
                self.gateway.dispatcher = await self._named_dispatcher(self.settings.dispatcher)
            self._parts = stack.pop_all()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        gateway = self.gateway
        self._group.start_soon(gateway.local.run, gateway.handle)
        if gateway.dispatcher is not gateway.local:
            self._group.start_soon(gateway.dispatcher.run, gateway.woken)
        self._group.start_soon(self.keeper.run)
        self._group.start_soon(self.timers.run)
        self._group.start_soon(self._housekeep)

    async def close(self) -> None:
        """Waits for what runs, then closes everything in the opposite order, cancelled or not. Whoever waits for a
        reply that does not come any more is told so."""
        self.gateway.refuse()
        try:
            with anyio.CancelScope(shield=True):
                for dispatcher in {id(each): each for each in (self.gateway.dispatcher, self.gateway.local)}.values():
                    await dispatcher.close(GRACE)
                await self.timers.close(GRACE)
            self._group.cancel_scope.cancel()
            # The group never sees the caller's exception: it would come out wrapped in a group of exceptions.
            await self._group.__aexit__(None, None, None)
        finally:
            self.gateway.drop()
            await self.gateway.shield.close()
            with anyio.CancelScope(shield=True):
                await self._parts.aclose()

    def begin_anew(self) -> None:
        """Has the program that holds this house leave it, and open another one with the settings as they are then.
        `NotReady` where the program does not do that."""
        if self.leave is None:
            raise NotReady("this program does not begin anew by itself", hint="end it and start it again")
        self.again = True
        self.leave()

    async def ask_one(self, candidate: Candidate) -> dict[str, str]:
        """Whether a model really answers; no other is asked in its place. See `Admin.try_model` for what is given."""
        began, model = self.clock.monotonic(), candidate.model
        request = ModelRequest(model.partition("/")[2], (user_message(QUESTION),), max_tokens=TOKENS)
        try:
            with anyio.fail_after(PATIENCE):
                async with aclosing(self.models.stream(candidate, request)) as events:
                    [None async for _ in events]
        except (GituError, TimeoutError) as error:
            return _failed(model, error)
        return {"error": "", "detail": f"{model} answered in {self.clock.monotonic() - began:.1f} s", "hint": ""}

    @staticmethod
    async def try_model(settings: Settings, model: str, secrets: Mapping[str, str]) -> dict[str, str]:
        """Whether *model* answers with *settings* and with *secrets* besides, on data of its own that is gone
        afterwards. An embedder's own plugins are not there."""
        async with AsyncExitStack() as stack:
            home = stack.enter_context(TemporaryDirectory(prefix="gitu-"))
            try:
                typed = {name: keep_secret_file(Path(home), name, each)[1] for name, each in secrets.items()}
                settings = msgspec.structs.replace(settings, home=home, database="", master_key="", dispatcher="",
                                                   model=model, secrets={**settings.secrets, **typed})  # fmt: skip
                house = House(Options(config=settings))
                await house.open()
                stack.push_async_callback(house.close)
                return await house.ask_one((await house.plan(exact=bool(model)))[0])
            except GituError as error:
                return _failed(model, error)

    async def plan(self, exact: bool = False) -> Sequence[Candidate]:
        """The models that would be asked where nobody says more, in this order; with *exact* none but those wanted."""
        task, profile = RouteTask(needs=frozenset({"text"})), self.profile("default")
        return await self.models.plan(task, profile.models, exact=exact or profile.exact)

    async def _hold(self) -> None:
        await self.keeper.hold()

    async def _housekeep(self) -> None:
        """Gives up at the start what nobody waits for any more; ends sessions that nobody used for long every hour."""
        try:
            given_up = await self.store.abandon(APP, self.clock.now() - UNANSWERED)
            if given_up:
                log.warning("%d messages of earlier runs were never answered; they are given up", given_up)
        except StoreError as error:
            log.warning("messages of earlier runs could not be given up: %s", error)
        while self.settings.idle_days or self.settings.budgets:
            try:
                if self.settings.idle_days:
                    await self.store.end_idle(self.clock.now() - self.settings.idle_days * 86_400)
                if self.settings.budgets:
                    await self.store.recount(self.clock.now() - HOUSEKEEPING)
            except StoreError as error:
                log.warning("nobody could tidy up: %s", error)
            await self.clock.sleep(HOUSEKEEPING)

    # ---- what the parts need from each other ----------------------------------------------------

    async def _named_dispatcher(self, name: str) -> Dispatcher:
        """The dispatcher of a plugin. `ConfigError` if it cannot be had: nothing else may take its place."""
        try:
            return cast(Dispatcher, await self.registry.get("dispatcher", name))
        except PluginError as error:
            what = f"the dispatcher {name!r} cannot be had: {error.message}"
            raise ConfigError(what, hint=error.hint, field="dispatcher") from error

    def profile(self, name: str) -> Profile:
        """The profile *name*: the embedder's own, else the settings'."""
        return self.profiles.get(name) or self.profiles.setdefault(name, self.settings.profile(name))

    def _cost_limit(self, turn: TurnInfo) -> int | None:
        cost = self.profile(turn.profile).limits.cost
        return None if cost is None else int(cost * NANO)

    async def _count(self) -> None:
        """Has envelopes counted anew from the ledger where others were counted before."""
        known, mark = await self.store.kv_get(CORE, "budgets"), self.envelopes.mark
        if (known.value if known else "") != mark:
            await self.store.recount()
            await self.store.kv_put(CORE, Entry("budgets", mark))

    def _tell(self, *what: Any) -> None:
        with suppress(RuntimeError):  # everything closes: it is said at the next call
            self._group.start_soon(self.tell, *what)

    async def tell(self, id: str, text: str, person: str, where: Conversation | None = None) -> None:
        """Tells a person something once under one id, in the conversation given, else where they spoke last; never
        where others read it."""
        try:
            if person and (where is None or where.kind == "group"):
                where = await self.store.conversation_of(person)
            if where is not None and where.channel != APP and where.kind == "direct":
                await self.notify(Outgoing(id, id, where, (Text(text),), label=by_system()))
        except GituError as error:
            log.warning("%s could not be told: %s", person, error)

    async def question(self, person: str, kind: Any, ask: Ask, ends: float, grant: Grant | None = None) -> str:
        """Asks a person something of a plugin's accord, in private where they spoke last; gives its id."""
        where = await self.store.conversation_of(person)
        session = await self.store.session_of(where) if where is not None else None
        lane, now = session.id if session is not None else "", self.clock.now()
        entry = Approval(ask.id, person, lane, ask.id, "", "", "00", ask, ends, now, kind, where, grant)
        await self.store.write(entry)
        if where is not None and where.channel != APP:
            id = asked_as(entry)
            await self.notify(Outgoing(id, id, where, (ask,), label=by_system()))
        return ask.id

    def _forbidden(self, manifest: Manifest) -> str:
        """Why a model provider must not be asked, or nothing. Tests keep assistants away from other machines."""
        if models_blocked() and leaves_machine(manifest, plugin_config(manifest, self.settings)):
            return f"would leave this machine, and {BLOCK} is set"
        return ""

    def _host_for(self, manifest: Manifest) -> Host:
        trusted = manifest.id in self._own or self.settings.plugins.get(manifest.id, {}).get("trusted") is True
        config = partial(plugin_config, manifest, self.settings)
        # Its facets are made when they are first used, so that no type checker sees them.
        return cast(Host, PluginHost(self, manifest, config, trusted, self.registry.inside(manifest.id)))

    async def status(self) -> Sequence[str]:
        """How the assistant is, in lines."""
        running, waiting = self.gateway.load
        lines = [f"{running} turns run, {waiting} messages wait"]
        if (carrier := await self.gateway.dispatcher.health()).state != "ok":
            lines.append(f"dispatcher {self.gateway.dispatcher.name}: {carrier.state} {carrier.detail}".rstrip())
        lines += [f"provider {name}: breaker {state} ({why})" for name, state, why in self.models.breakers()]
        lines += [
            f"channel {each.name}: {each.health.state}, since {clock_time(each.since)} {each.health.detail}".rstrip()
            for each in self.channels.board.pulses.values()
        ]
        states: dict[str, int] = {}
        for plugin in self.registry.plugins():
            states[plugin.state] = states.get(plugin.state, 0) + 1
            if plugin.state not in ("enabled", "disabled"):
                lines.append(f"plugin {plugin.id}: {plugin.state}: {plugin.reason}")
        lines.append("plugins: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
        return [hidden(line) for line in lines]

    async def budgets(self, person: str = "") -> Sequence[Line]:
        """How full the envelopes are that were used in their present period; of one *person*, only their own."""
        return await self.envelopes.report(self.store, self.clock.now(), person)

    async def spent(self, session: Session) -> Sequence[str]:
        """What a person may still use, in lines."""
        return [self.envelopes.line(each, mine=True) for each in await self.budgets(session.person)]

    # ---- what `Gitu` offers ---------------------------------------------------------------------

    async def submit(
        self, text: str | Sequence[Part], person: str, session: str, output: Any, deps: Any, profile: str, key: str,
        watch: Callable[[TurnEvent], None] | None,
    ) -> Job:  # fmt: skip
        """Accepts a message of the embedding application."""
        if profile:
            self.profile(profile)
        parts = _parts_of(text)
        conversation = Conversation(APP, person, thread=session)
        message = Message(_key_of(person, key) if key else new_id(), conversation, Account(APP, person), parts)
        schema, check = output_of(output) if output is not None else (None, None)
        options = JobOptions(schema, check, deps, profile, watch, True)
        return (await self.gateway.accept(message, person, options))[0]

    async def person_of(self, user: str) -> str:
        """The person whom the application calls *user*: another one, where that account was linked."""
        known = await self.store.known(Account(APP, user))
        return user if known is None else known.person.id

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
        """A plugin's own question to a model: no tools, no history, on the default profile's limits. Asked while a call
        is worked on, it is asked for that call's principal and draws on the envelope of its turn."""
        base, call, id = self.profile("default"), acting(principal), self.clock.new_id()
        models = (model,) if model else base.models
        exact = bool(model) or base.exact
        profile = msgspec.structs.replace(base, tools=(), delegates=(), models=models, exact=exact, outside="shown")
        ask = ModelMessage("user", (Text(prompt),), id=f"{id}.ask", label=call.label)
        turn = f"{call.turn}.{id}" if call.turn else id
        plugin = principal.partition(":")[2]
        job = f"{plugin}/{call.call}" if call.call and not call.turn else ""
        info = TurnInfo(turn, call.session or f"{call.principal}.{id}", id, call.principal, profile.name,
                        plugin=plugin, job=job)  # fmt: skip
        work = Work(info, person_of(call.principal), ask, profile, schema=schema, depth=1)
        try:
            outcome = await self.runtime.run(work)
        except BaseException as error:  # it was cut off: what it used is paid for, and nothing stays set aside
            with suppress(StoreError):
                self.store.post(*self._cut_off(work, error))
            raise
        self.store.post(*outcome.records)
        self.raise_failure(outcome.reply)
        return outcome.reply.text if schema is None else outcome.reply.data

    def _cut_off(self, work: Work, error: BaseException) -> Sequence[Record]:
        """What is left to be written of a turn that nobody goes on with."""
        if not isinstance(error, StoreError):
            return self.runtime.cancelled(work).records
        noted = work.turn.noted() if work.turn is not None else ()  # of its steps some may be missing
        return [each for each in noted if isinstance(each, Settled | UsageEntry)]

    async def notify(self, outgoing: Outgoing) -> None:
        """Says something of the assistant's own accord, under one id once; where its channel does not run, as soon as
        it does. `NotReady` if there is no such channel."""
        channel = outgoing.conversation.channel
        adapter = self.gateway.adapters.get(channel)
        if adapter is None and channel not in (*self.channel_names(True), *self.channel_names(False)):
            raise NotReady(f"the channel {channel!r} is not there", hint="enable the plugin that offers it")
        session = await self.store.session_of(outgoing.conversation)
        person, where = (session.person, session.id) if session is not None else ("", "")
        entry = self.gateway.outbox.entry(outgoing, person, where, adapter is not None)
        hit("notify.before")
        await self.gateway.outbox.once(adapter, entry)

    # ---- channels -------------------------------------------------------------------------------

    def _channel(self, name: str) -> Channel | None:
        """What a channel is like, also where it does not run here."""
        adapter, _ = self.gateway.adapter(name)
        if adapter is not None:
            return adapter.channel
        found = (each.contribution.spec for each in self.registry.offers("adapter") if each.contribution.name == name)
        return next((msgspec.convert(spec, Channel) for spec in found), None)

    def _resident(self, channel: str) -> str:
        """The user who sits at a channel, if any: whoever runs this process sits at one in the foreground, and is the
        user of this installation where its data is their own. A plugin in a process of its own is not believed."""
        found = [each for each in self.registry.offers("adapter") if each.contribution.name == channel]
        here = any(each.contribution.spec.get("foreground") and self.registry.inside(each.plugin) for each in found)
        own = self._own.isdisjoint(each.plugin for each in found) and self.options.engine is None
        return self.settings.user if here and own and _is_mine(self.settings) else ""

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
        adapters = [await self.registry.get("adapter", name) for name in dict.fromkeys(names)]
        await self.channels.run_all(adapters)

    async def warm(self) -> None:
        """Loads what the first turn needs, for those who serve: whoever comes first does not wait for it."""
        profile = self.profile("default")
        try:
            await self.models.warm(profile.models, profile.exact)
        except GituError as error:  # a turn fails with it as well, and tells its person
            log.warning("no model is ready: %s", error)


def _failed(model: str, error: GituError | TimeoutError) -> dict[str, str]:
    if isinstance(error, TimeoutError):
        error = NotReady(f"it did not answer within {PATIENCE:g} s", hint="try again later")
    hint = error.hint or "check the address and the key that its provider is given"
    return {"error": type(error).__name__, "detail": hidden(f"{model}: {error.message}"), "hint": hidden(hint)}


def _is_mine(settings: Settings) -> bool:
    """True if the database is a file that belongs to whoever runs this process."""
    url = settings.database or f"sqlite:///{settings.folder / 'gitu.db'}"
    file = path_of(url) if url.startswith("sqlite") else ""
    return bool(file) and (os.name != "posix" or os.stat(file).st_uid == os.geteuid())


def _parts_of(value: object) -> tuple[Part, ...]:
    """What somebody hands to `send`, as parts. `InputError` if it is no message, or an empty one."""
    parts = (Text(value),) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else (value,)
    if not all(isinstance(each, Part) for each in parts):
        raise InputError(f"a message cannot be a {type(value).__name__}", hint="pass text, or a list of parts")
    if not parts or (isinstance(value, str) and not value.strip()):
        raise InputError("the message is empty", hint="say something")
    return cast(tuple[Part, ...], parts)


def _key_of(person: str, key: str) -> str:
    """A key of the embedder's as that of a message. Two users may choose the same, and mean a message each."""
    whole = f"{len(person)}:{person}:{key}"
    return whole if len(whole) <= MAX_NAME else sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()
