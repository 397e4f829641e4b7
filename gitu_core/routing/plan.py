"""A plan in the making: which models could be asked, which are left out, and why."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from gitu_core.errors import ContextOverflow, NoModel
from gitu_core.model import Candidate, ModelInfo, RouteTask
from gitu_core.model.prices import worst_cost
from gitu_core.routing.cooldown import Cooldown
from gitu_core.routing.ranking import affordable, capable, fits, rank
from gitu_core.routing.sources import Held, Source, Sources

log = logging.getLogger("gitu.routing")

UNKNOWN_WINDOW = 32_768
"""What a model that no catalogue lists is trusted with, in tokens."""

SHORTLIST = 12
"""How many models of one provider are considered for a task."""

MARKS = 256
"""How many shortlists of one provider are kept."""

PER_PROVIDER = 3
"""How many models of one provider are planned for."""


def pause_key(candidate: Candidate) -> str:
    """What is left alone when the candidate fails: the model with its key."""
    return f"{candidate.model} {candidate.credential}"


def breaker(provider: str) -> str:
    """What is left alone when a provider fails as a whole."""
    return f"provider {provider}"


def full_name(source: Source, info: ModelInfo) -> str:
    """``provider/model``."""
    return f"{source.name}/{info.id.removeprefix(source.name + '/') or info.id}"


class Draft:
    """A plan in the making: what was found, what was left out and why."""

    def __init__(self, sources: Sources, cooldown: Cooldown, task: RouteTask, person: str, router: str) -> None:
        self._sources, self._cooldown = sources, cooldown
        self._router, self._task, self._person = router, task, person
        self._waits: list[float] = []
        self._reasons: list[str] = []
        self._resting: list[Candidate] = []
        self._credentials: dict[str, Held] = {}
        self.found: dict[str, Candidate] = {}
        self.overflow: list[str] = []

    async def add(self, name: str) -> None:
        """What somebody asked for by name: a model, or a provider's best."""
        provider, slash, model = name.partition("/")
        source = self._source(provider)
        infos = await self._infos(source) if source else None
        if source is None or infos is None:
            return
        if slash and model:
            if not source.by_name:
                source.by_name.update((full_name(source, info), info) for info in reversed(infos))
            info = source.by_name.get(name) or ModelInfo(model, window=UNKNOWN_WINDOW)
            self._take([self._candidate(source, info)])
        else:
            best = list(self._best(source, infos))
            self._take(best or [self._candidate(source, info) for info in infos[:1]])

    async def add_best(self) -> None:
        """Nobody asked for anything: every provider that can be used, by priority, or by what the task
        prefers."""
        usable = [source for source in self._sources.all() if not source.last_resort and self._usable(source)]
        pool: list[Candidate] = []
        for source in usable:
            best = self._best(source, await self._infos(source) or ())
            if self._router or self._task.prefer != "balanced":
                pool.extend(best)
            else:
                self._take(best)
        if pool:
            chosen = await self._routed(pool) if self._router else rank(self._task, pool)
            self._take(chosen, len(usable) * PER_PROVIDER)

    async def add_last_resort(self) -> None:
        """Providers that are asked only when all others failed; what the task needs is not held against
        them."""
        for source in self._sources.all():
            if source.last_resort and self._usable(source):
                for info in (await self._infos(source) or ())[:1]:
                    self._take([replace(self._candidate(source, info), last_resort=True)])

    def add_resting(self) -> None:
        """Models that failed once or twice, where there is no other: better a second try than no answer."""
        for candidate in self._resting:
            self.found.setdefault(candidate.model, candidate)

    def check_size(self) -> None:
        """`ContextOverflow` if the input fits none of the models that could be asked."""
        if self.overflow and not self.found and not self._waits:
            what = f"{self._task.input_tokens} tokens do not fit {', '.join(self.overflow)}"
            raise ContextOverflow(what, hint="send less, or use a model with a larger window")

    def failure(self) -> NoModel:
        """Why nothing was found."""
        reasons = "; ".join(dict.fromkeys(self._reasons)) or "no provider is enabled"
        wait = min(self._waits, default=None)
        hint = "try again later" if wait is not None else "set the key of a provider, or enable one: gitu plugins"
        return NoModel(f"no model can serve this: {reasons}", hint=hint, retry_after=wait)

    # ---- parts ---------------------------------------------------------------------------------------------

    def _source(self, name: str) -> Source | None:
        for source in self._sources.all():
            if source.name == name:
                return source if self._usable(source) else None
        known = ", ".join(source.name for source in self._sources.all()) or "none"
        self._reasons.append(f"there is no provider {name!r} (there is {known})")
        return None

    def why_not(self, source: Source) -> str:
        """Why a provider cannot be asked, in words that follow its name; empty if it can."""
        if reason := source.forbidden():
            return reason
        if missing := source.missing(self._held(source)):
            refused = [self._cooldown.left(f"platform:{name}") for name in (*source.required, *source.optional)]
            return "refused its key" if any(refused) else f"needs the secret {missing}"
        if wait := self._cooldown.left(breaker(source.name)):
            self._waits.append(wait)
            return f"is left alone for {wait:.0f} s ({self._cooldown.reason(breaker(source.name))})"
        return ""

    def _usable(self, source: Source) -> bool:
        if reason := self.why_not(source):
            self._reasons.append(f"{source.name} {reason}")
        return not reason

    async def _infos(self, source: Source) -> Sequence[ModelInfo] | None:
        try:
            return await self._sources.models(source)
        except Exception as error:  # noqa: BLE001 - one broken provider must not keep the others from serving
            self._reasons.append(f"{source.name}: {error}")
            return None

    def _candidate(self, source: Source, info: ModelInfo) -> Candidate:
        key = source.key(info.id, self._held(source))
        estimate = worst_cost(info, self._task.input_tokens, self._task.output_tokens)
        credential, owner = key or ("", "platform")
        return Candidate(full_name(source, info), info, estimate, credential, owner)

    def _held(self, source: Source) -> Held:
        if source.name not in self._credentials:
            self._credentials[source.name] = source.held(self._sources.works, self._person)
        return self._credentials[source.name]

    def _best(self, source: Source, infos: Sequence[ModelInfo]) -> Iterator[Candidate]:
        """A provider's best models for the task that have a key. Ranked once for tasks of about this size."""
        task = self._task
        size = task.input_tokens.bit_length(), task.output_tokens.bit_length()
        mark = (tuple(self._held(source)), task.needs, task.prefer, task.task, task.max_cost, size)
        short = source.shortlists.get(mark)
        if short is None:
            if len(source.shortlists) >= MARKS:
                source.shortlists.clear()
            ranked = self._ranked(source, infos)[:SHORTLIST]
            short = source.shortlists[mark] = tuple(candidate.info for candidate in ranked)
        return (self._candidate(source, info) for info in short)

    def _ranked(self, source: Source, infos: Iterable[ModelInfo]) -> list[Candidate]:
        """All that are able: the default first where nothing is preferred, the others by score; what does not
        fit or costs too much comes last."""
        held, task = self._held(source), self._task
        able = [info for info in infos if capable(info, task) and source.key(info.id, held) is not None]
        found = [self._candidate(source, info) for info in able]
        first = 1 if task.prefer == "balanced" else 0
        found[first:] = rank(task, found[first:])
        return sorted(found, key=lambda each: not (fits(each.info, task) and affordable(each, task)))

    async def _routed(self, pool: Sequence[Candidate]) -> list[Candidate]:
        """What the configured router makes of the pool. One that fails leaves the built-in ranking."""
        able = [each for each in pool if fits(each.info, self._task) and affordable(each, self._task)]
        try:
            router = await self._sources.registry.get("router", self._router)
            chosen = list(await router.rank(self._task, able))
        except Exception as error:  # noqa: BLE001 - a router is a plugin's code; a turn must not die of it
            log.warning("the router %s failed (%s); the built-in ranking is used", self._router, error)
            return rank(self._task, pool)
        handed = {(candidate.model, candidate.credential): candidate for candidate in able}
        return [handed[key] for each in chosen if (key := (each.model, each.credential)) in handed]

    def _take(self, candidates: Iterable[Candidate], most: int = PER_PROVIDER) -> None:
        """Keeps the candidates that can be tried now, at most *most*; notes why the others cannot."""
        taken = 0
        for candidate in candidates:
            if taken >= most:
                return
            name, key = candidate.model, pause_key(candidate)
            if not fits(candidate.info, self._task):
                self.overflow.append(f"{name} ({candidate.info.window})")
            elif not affordable(candidate, self._task):
                self._reasons.append(f"{name} may cost more than allowed")
            elif wait := self._cooldown.left(key):
                self._waits.append(wait)
                if self._cooldown.mild(key):
                    self._resting.append(candidate)
                self._reasons.append(f"{name} is left alone for {wait:.0f} s ({self._cooldown.reason(key)})")
            else:
                self.found.setdefault(name, candidate)
                taken += 1
