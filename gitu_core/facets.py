"""The host as one plugin sees it: the facets it declared, each under its own name and policy."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from gitu_core.contracts.authority import Grant
from gitu_core.contracts.host import FACETS, Entry, FileInfo, HttpRequest, HttpResponse, Missing
from gitu_core.contracts.scope import CURRENT_CALL, acting, person_of
from gitu_core.contracts.timers import HOOK, Timer
from gitu_core.errors import Denied, InputError, LimitReached, NotReady, PluginError
from gitu_core.model import UNLABELLED, Ask, BlobRef, Conversation, Label, Outgoing, Part, user  # fmt: skip
from gitu_core.model import plugin as plugin_principal
from gitu_core.model.audience import audience
from gitu_core.overseer import Overseer, Whole
from gitu_core.secrecy import DISCREET, guard_logs

if TYPE_CHECKING:
    from anyio import CapacityLimiter

    from gitu_core.config import SecretSource
    from gitu_core.manifest import Manifest


class Parts(Whole, Protocol):
    """The parts of the house that facets need."""

    secrets: SecretSource

    async def complete(self, principal: str, prompt: str, schema: dict[str, Any] | None, model: str) -> Any:
        """Asks a model on behalf of *principal*."""

    async def question(self, person: str, kind: Any, ask: Ask, ends: float, grant: Grant | None = None) -> str:
        """Asks a person something of a plugin's accord; gives its id."""

    async def tell(self, id: str, text: str, person: str) -> None:
        """Tells a person something, once under one id."""


SOON, LONGEST_CHAIN = 2.0, 100
"""Timers that set each other within so many seconds are a chain, which may be so long."""

log = logging.getLogger("gitu")

DAY, LOOK_AGAIN, MOST_ASKED = 86_400.0, 0.5, 5
"""Seconds of a day, and between two looks for an answer; questions of a plugin that a person has open at once."""


AT_ONCE = 8
"""Requests, or pieces of files, that a plugin may wait for at once; more wait for their turn."""

OPEN_BLOBS, OPEN_BYTES = 64, 256 << 20
"""Blobs that a plugin may have begun and not committed, and the bytes in them."""

PIECE = 1 << 20
"""The most bytes a plugin may write or read at once."""


class PluginHost:
    """What a plugin gets (the contract `Host`). Facets are made when they are first used. One that is *trusted* may use
    all of them; `admin` is for those alone, and for those that the bundle brought and that run *inside* the host."""

    def __init__(
        self, house: Parts, manifest: Manifest, config: Callable[[], dict[str, Any]], trusted: bool, inside: bool
    ) -> None:
        self.plugin = manifest.id
        self._house, self._manifest, self._config, self._inside = house, manifest, config, trusted or inside
        self._declared = set(FACETS) if trusted else {"log", *manifest.capabilities.facets}

    @property
    def config(self) -> dict[str, Any]:
        """The plugin's configuration. `ConfigError` if it does not fit its schema."""
        return self._config()

    def __getattr__(self, name: str) -> Any:
        if name not in FACETS:
            raise AttributeError(name)
        facet: Any
        if name not in self._declared:
            facet = Missing(name, f"though plugin {self.plugin} does not declare the facet {name!r}",
                            f"add it to facets in gitu-plugin.toml of {self.plugin}")  # fmt: skip
        elif name == "admin" and not self._inside:
            facet = Missing(name, f"though plugin {self.plugin} is not trusted with the facet 'admin'",
                            f"to trust it, set trusted = true in [plugins.{self.plugin}]")  # fmt: skip
        elif name not in _FACETS:
            facet = Missing(name, f"though this host does not offer the facet {name!r}", "use a host that does")
        else:
            facet = _FACETS[name](self._house, self._manifest)
        setattr(self, name, facet)
        return facet


class _Facet:
    def __init__(self, house: Parts, manifest: Manifest) -> None:
        self._house, self._manifest = house, manifest
        self._plugin = manifest.id

    def _count(self, error: Denied) -> None:
        """Whoever asks for what it did not declare is refused, and it counts as a fault."""
        self._house.registry.fault(self._plugin, PluginError(error.message, hint=error.hint), False)


class LogFacet(_Facet):
    """Writes to the host's log under the plugin's name."""

    async def write(self, level: str, text: str) -> None:
        """Writes one line."""
        number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
        log = logging.getLogger(f"gitu.plugins.{self._plugin}")
        log.addFilter(DISCREET)
        log.log(number, "%s", text[:2000])


class KvFacet(_Facet):
    """The plugin's own small store."""

    async def get(self, key: str) -> Entry | None:
        """The entry, or None."""
        return await self._house.store.kv_get(self._plugin, key)

    async def put(self, entry: Entry) -> None:
        """Stores or replaces an entry."""
        await self._house.store.kv_put(self._plugin, entry)

    async def delete(self, key: str) -> bool:
        """Removes an entry."""
        return await self._house.store.kv_delete(self._plugin, key)

    async def list(self, prefix: str = "", person: str = "") -> Sequence[Entry]:
        """The entries whose key begins with *prefix*."""
        return await self._house.store.kv_list(self._plugin, prefix, person)


class BlobsFacet(_Facet):
    """Bytes, written and read in pieces."""

    def __init__(self, house: Parts, manifest: Manifest) -> None:
        super().__init__(house, manifest)
        self._open: dict[str, tuple[bytearray, str, str]] = {}

    async def begin(self, media_type: str = "application/octet-stream", name: str = "") -> str:
        """Opens a new blob."""
        if len(self._open) >= OPEN_BLOBS:
            raise LimitReached(f"{OPEN_BLOBS} blobs are open", hint="commit what is complete", limit="blobs")
        handle = self._house.clock.new_id()
        self._open[handle] = (bytearray(), media_type, name)
        return handle

    async def write(self, handle: str, data: bytes) -> None:
        """Appends a piece of at most a mebibyte."""
        if len(data) > PIECE:
            raise InputError(f"{len(data)} bytes at once, {PIECE} are allowed", hint="write smaller pieces")
        if sum(len(held) for held, *_ in self._open.values()) + len(data) > OPEN_BYTES:
            what = f"more than {OPEN_BYTES >> 20} MiB of blobs are open"
            raise LimitReached(what, hint="commit what is complete", limit="blobs", plugin=self._plugin)
        self._opened(handle)[0].extend(data)

    async def commit(self, handle: str, person: str = "", label: Label = UNLABELLED) -> BlobRef:
        """Closes it and gives its name."""
        held, media_type, name = self._opened(handle)
        del self._open[handle]
        return await self._house.store.put_blob(bytes(held), media_type, name, person, label)

    async def read(self, blob: BlobRef, offset: int = 0, size: int = PIECE) -> bytes:
        """A piece of a blob."""
        return await self._house.store.read_blob(blob, offset, min(size, PIECE))

    def _opened(self, handle: str) -> tuple[bytearray, str, str]:
        if handle not in self._open:
            raise InputError("there is no open blob with this handle", hint="call begin first")
        return self._open[handle]


class SecretsFacet(_Facet):
    """Secrets that the manifest declares as revealed."""

    async def reveal(self, name: str) -> str:
        """The secret. `Denied` if the plugin did not declare it, `AuthFailed` if nobody has set it."""
        plain = name.rpartition(":")[2]
        needs = {need.name for need in self._manifest.capabilities.secrets if need.mode == "revealed"}
        if plain not in needs:
            error = Denied(f"plugin {self._plugin} does not declare the secret {plain!r} as revealed",
                           hint="declare it under [[capabilities.secrets]]")  # fmt: skip
            self._count(error)
            raise error
        call, person = CURRENT_CALL.get(), name.partition(":")[2].rpartition(":")[0]
        by = "" if call is None else call.principal  # the host itself, for a provider for instance
        if by and name.startswith("personal:") and person != person_of(by):
            raise Denied(f"the secret {plain} is not that of whom the call is for", hint="ask for the caller's own")
        guard_logs()  # those that the plugin made meanwhile as well
        return self._house.secrets.reveal(name)


class _Brokered(_Facet):
    """What the host does in a plugin's place."""

    @cached_property
    def _threads(self) -> CapacityLimiter:
        from anyio import CapacityLimiter

        return CapacityLimiter(AT_ONCE)

    async def _do(self, work: Callable[[], Any]) -> Any:
        import anyio.to_thread

        try:
            # Threads of its own: a plugin that waits for many servers keeps nobody else from theirs.
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)
        except Denied as error:
            self._count(error)
            raise


class HttpFacet(_Brokered):
    """Requests to the hosts that the manifest declares."""

    def __init__(self, house: Parts, manifest: Manifest) -> None:
        from gitu_core.broker.network import Network

        super().__init__(house, manifest)
        self._network = Network(manifest, house.secrets.reveal)

    async def request(self, request: HttpRequest) -> HttpResponse:
        """Sends it."""
        return cast(HttpResponse, await self._do(partial(self._network.request, request)))


class FilesFacet(_Brokered):
    """Files under the roots that the manifest declares."""

    def __init__(self, house: Parts, manifest: Manifest) -> None:
        from gitu_core.broker.roots import Roots

        super().__init__(house, manifest)
        self._roots = Roots(manifest)

    async def list(self, path: str) -> Sequence[FileInfo]:
        """What is in a folder, by name."""
        return cast(Sequence[FileInfo], await self._do(partial(self._roots.list, path)))

    async def read(self, path: str, offset: int = 0, size: int = PIECE) -> bytes:
        """A piece of a file."""
        return cast(bytes, await self._do(partial(self._roots.read, path, offset, size)))

    async def write(self, path: str, data: bytes, append: bool = False) -> None:
        """Writes or extends a file."""
        await self._do(partial(self._roots.write, path, data, append))


class ModelFacet(_Facet):
    """Asks a model."""

    async def complete(self, prompt: str, schema: dict[str, Any] | None = None, model: str = "") -> Any:
        """The answer: text, or a value that fits *schema*."""
        return await self._house.complete(plugin_principal(self._plugin), prompt, schema, model)


class NotifyFacet(_Facet):
    """Says something of the plugin's own accord."""

    async def send(self, conversation: Conversation, parts: Sequence[Part], key: str) -> str:
        """Says something under an idempotency key, once however often it is asked to; gives its id."""
        id = f"{self._plugin}.{key}"
        call = acting(plugin_principal(self._plugin))
        session = await self._house.store.session_of(conversation)
        reader = audience(conversation, user(session.person) if session is not None else "")
        # Within a turn the policy decided about the call. What comes of a timer, nobody decided about.
        if not call.turn and not call.label.readable_by(reader):
            raise Denied("what led to this may not be read there", hint="say it where those are who may read it")
        await self._house.notify(Outgoing(id, id, conversation, tuple(parts), label=call.label))
        return id


class AskFacet(_Facet):
    """Asks a person, in the plugin's name."""

    async def ask(self, person: str, question: str, choices: Sequence[str], timeout: float = 300.0) -> str:
        """The choice made on any of the person's channels."""
        if len({each.lower() for each in choices if each}) != len(choices) or len(choices) < 2:
            raise InputError("a question has two different choices at least", hint="name them")
        clock = self._house.clock
        ask, ends = Ask(clock.new_id(), await self._words(person, question), tuple(choices)), clock.now() + timeout
        id = await self._house.question(person, "ask", ask, ends)
        while clock.now() < ends:
            (found,) = await self._house.store.approvals(turn=id)
            if found.state == "answered":
                return found.choice
            await clock.sleep(LOOK_AGAIN)
        raise NotReady(f"{person} did not answer in {timeout:g} s", hint="ask again later")

    async def _words(self, person: str, words: str) -> str:
        """What is asked, in one line that says who asks."""
        who = f"{self._plugin} asks: "
        if sum(each.ask.question.startswith(who) for each in await self._house.store.approvals(person)) >= MOST_ASKED:
            raise LimitReached(f"{MOST_ASKED} questions are open", hint="wait for the answers", limit="questions")
        return who + " ".join(words.split())[:500]

    async def permission(
        self, person: str, tool: str, reason: str, when: dict[str, Sequence[str]] | None = None,
        most: dict[str, float] | None = None, days: float | None = None, uses: int | None = None,
    ) -> str:  # fmt: skip
        """Asks a person to allow calls of a tool beforehand."""
        clock = self._house.clock
        if not tool.strip("*?") or (days is not None and not 0 < days < 36_500) or (uses is not None and uses < 1):
            raise InputError("a permission names a tool, and counts for a day and a use at least", hint="correct it")
        ends = None if days is None else clock.now() + days * DAY
        patterns = {path: tuple(each) for path, each in (when or {}).items()}
        grant = Grant("", person, tool, patterns, dict(most or {}), expires_at=ends, uses=uses)
        text = await self._words(person, f"May I count on this without asking? {reason}")
        ask = Ask(clock.new_id(), text, ("yes", "no"), f"a yes allows: {grant}")
        return await self._house.question(person, "permit", ask, clock.now() + 7 * DAY, grant)


class ScheduleFacet(_Facet):
    """Durable timers."""

    async def at(self, when: float, key: str, data: dict[str, Any]) -> None:
        """Hands *data* back at *when*, on behalf of whom it was set for. `InputError` if it is not plain JSON, or if
        the plugin could not take it; `LimitReached` where timers set each other over and over."""
        if HOOK not in self._manifest.hooks:
            raise InputError(f"plugin {self._plugin} has no hook {HOOK}", hint=f"write async def {HOOK}(key, data)")
        call, due = acting(plugin_principal(self._plugin)), float(when)
        soon = due - self._house.clock.now() < SOON
        chain, person = call.chain + 1 if soon else 0, person_of(call.principal)
        if chain > LONGEST_CHAIN:
            what = f"timers of plugin {self._plugin} set each other {LONGEST_CHAIN} times, one soon after the other"
            hint = f"let {SOON:g} s pass before the next one, or disable it: gitu plugins disable {self._plugin}"
            log.error("%s; %r is not set", what, key)
            day = int(self._house.clock.now() // 86_400)
            await self._house.tell(f"gitu.loop.{self._plugin}.{key}.{day}", f"I stopped a loop: {what}.", person)
            raise LimitReached(what, hint=hint, limit="loop", plugin=self._plugin)
        await self._house.store.put_timer(Timer(self._plugin, key, due, data, person, call.label, chain=chain))

    async def cancel(self, key: str) -> bool:
        """Removes a timer; tells whether there was one."""
        return await self._house.store.delete_timer(self._plugin, key)


_FACETS: dict[str, Callable[[Parts, Manifest], Any]] = {
    "log": LogFacet, "kv": KvFacet, "blobs": BlobsFacet, "secrets": SecretsFacet, "model": ModelFacet,
    "http": HttpFacet, "files": FilesFacet, "notify": NotifyFacet, "ask": AskFacet, "schedule": ScheduleFacet,
    "admin": lambda house, manifest: Overseer(house, manifest.id),
}  # fmt: skip
