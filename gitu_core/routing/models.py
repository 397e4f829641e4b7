"""The room's door: the port `Models` of `gitu_core.contracts.ports`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from functools import partial

import msgspec

from gitu_core.config import Settings
from gitu_core.contracts.ports import Clock
from gitu_core.errors import AuthFailed, StoreError
from gitu_core.manifest import Manifest
from gitu_core.model import Candidate, ModelEvent, ModelRequest, RouteTask
from gitu_core.routing.cooldown import TRIP, Cooldown
from gitu_core.routing.guarded import EVENT_TIMEOUT, Watch, guarded, typed
from gitu_core.routing.plan import Draft, breaker, pause_key
from gitu_core.routing.sources import Plugins, Sources


class Models:
    """Chooses models and asks them. *secret_set* tells whether a secret reference resolves; it is asked often.
    *forbidden* gives the reason why the provider of a plugin must not be asked, or nothing."""

    def __init__(
        self,
        registry: Plugins, settings: Settings, clock: Clock, secret_set: Callable[[str], bool], *,
        forbidden: Callable[[Manifest], str] = lambda manifest: "", event_timeout: float = EVENT_TIMEOUT,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._cooldown = Cooldown(clock)
        self._sources = Sources(
            registry, lambda secret: secret_set(secret) and not self._cooldown.left(secret), forbidden
        )
        self._watch, self._event_timeout = Watch(), event_timeout

    async def plan(
        self, task: RouteTask, wanted: Sequence[str], person: str = "", *, exact: bool = False
    ) -> Sequence[Candidate]:
        """The models to try, best first, each with its worst-case cost.

        *wanted* names ``provider/model`` or ``provider`` in order of preference; without any, the settings'
        own apply, and without those whatever is best. With *exact* nothing but what is wanted is tried.
        `ContextOverflow` if the input fits no model, `NoModel` if nothing can serve; both say why.
        """
        draft = Draft(self._sources, self._cooldown, task, person, self._settings.router)
        names = [name for name in wanted if name] or [name for name in self._settings.wanted if name]
        for name in names:
            await draft.add(name)
            for other in () if exact else self._settings.fallbacks.get(name, ()):
                await draft.add(other)
        if not names:
            await draft.add_best()
        draft.check_size()
        if not draft.found:
            draft.add_resting()
        if not exact or not names:
            await draft.add_last_resort()
        if not draft.found:
            raise draft.failure()
        return list(draft.found.values())

    def stream(self, candidate: Candidate, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Asks the candidate. The stream ends with one `Finish` that carries the cost, or raises a typed
        failure."""
        begin = partial(self._begin, candidate, request)
        return guarded(begin, candidate.info, candidate.model, self._watch, request.timeout, self._event_timeout)

    async def _begin(self, candidate: Candidate, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        name, _, model = candidate.model.partition("/")
        provider = await self._sources.provider(name)
        if request.model != model or request.credential != candidate.credential:
            request = msgspec.structs.replace(request, model=model, credential=candidate.credential)
        for key in (pause_key(candidate), candidate.credential, breaker(name)):
            self._cooldown.begin(key)
        try:
            return provider.stream(request)
        except StoreError as error:  # one of its own
            raise typed(error, candidate.model) from error

    async def warm(self, wanted: Sequence[str], exact: bool) -> None:
        """Loads the provider of the model that would be asked first."""
        for candidate in (await self.plan(RouteTask(), wanted, exact=exact))[:1]:
            await self._sources.provider(candidate.model.partition("/")[0])

    def report(self, candidate: Candidate, error: Exception | None) -> None:
        """Tells how it went. A refused credential is left alone, whatever the model; else the model with its
        key, and its provider where all else fails as well."""
        provider = breaker(candidate.model.partition("/")[0])
        if error is None:
            for key in (pause_key(candidate), candidate.credential, provider):
                self._cooldown.success(key)
            return
        self._cooldown.failure(provider, error, TRIP)
        refused = isinstance(error, AuthFailed) and candidate.credential
        self._cooldown.failure(refused or pause_key(candidate), error)

    def breakers(self) -> Sequence[tuple[str, str, str]]:
        """The providers whose breaker is not closed: name, ``open`` or ``half-open``, and what they failed with."""
        names = [(source.name, breaker(source.name)) for source in self._sources.all()]
        found = [(name, self._cooldown.state(key), self._cooldown.reason(key)) for name, key in names]
        return [each for each in found if each[1] != "closed"]

    def providers(self) -> Sequence[tuple[str, str]]:
        """Every provider of an enabled plugin by name, and why it cannot be asked; empty where it can. Asks and
        activates none."""
        draft = Draft(self._sources, self._cooldown, RouteTask(), "", "")
        return [(source.name, draft.why_not(source)) for source in self._sources.all()]
