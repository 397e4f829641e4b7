"""The providers that can be asked, known from manifests alone; a provider is activated when it is needed.

A provider can be used when all secrets that its manifest requires are set. One whose secrets are all optional
can be used when at least one of them is set: such a secret serves the models whose prefix its name begins
with, so that ``ACME_API_KEY`` serves ``acme/large``. A provider that wants no secret can always be used.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Literal, Protocol, cast

from gitu_core.contracts import ModelProvider
from gitu_core.contracts.ports import Offer, Registry
from gitu_core.manifest import Manifest, SecretNeed
from gitu_core.model import ModelInfo

LAST_RESORT = 1_000
"""Providers of this priority or above are asked only when nobody else can be."""

Owner = Literal["platform", "personal"]
Held = dict[str, tuple[str, Owner]]


class Plugins(Registry, Protocol):
    """The registry, as routing needs it."""

    def manifest(self, id: str) -> Manifest:
        """The manifest of a plugin, empty where there is none."""


def key_of(name: str, person: str, works: Callable[[str], bool]) -> tuple[str, Owner] | None:
    """The reference of the secret *name* and whose it is: the person's own where that works, else the platform's."""
    if person and works(reference := f"personal:{person}:{name}"):
        return reference, "personal"
    return (reference, "platform") if works(reference := f"platform:{name}") else None


class Source:
    """One provider, as its manifest describes it."""

    def __init__(self, name: str, priority: int, secrets: Sequence[SecretNeed]) -> None:
        self.name, self.priority = name, priority
        self.required = tuple(each.name for each in secrets if not each.optional)
        self.optional = tuple(each.name for each in secrets if each.optional)
        self.models: tuple[ModelInfo, ...] | None = None
        self.forbidden: Callable[[], str] = lambda: ""
        self.by_name: dict[str, ModelInfo] = {}
        self.shortlists: dict[Hashable, tuple[ModelInfo, ...]] = {}

    @property
    def last_resort(self) -> bool:
        """True if it is asked only when nobody else can be."""
        return self.priority >= LAST_RESORT

    def held(self, works: Callable[[str], bool], person: str) -> Held:
        """The credentials that are there and work, by the name of their secret."""
        names = self.required or self.optional
        return {name: found for name in names if (found := key_of(name, person, works))}

    def missing(self, held: Held) -> str:
        """The secret that keeps it from being used; empty if nothing does."""
        for name in self.required:
            if name not in held:
                return name
        if not self.required and self.optional and not held:
            return " or ".join(self.optional[:3]) + (" …" if len(self.optional) > 3 else "")
        return ""

    def key(self, model: str, held: Held) -> tuple[str, Owner] | None:
        """The credential for one of its models; empty where none is needed, None where it is not there."""
        if self.required:
            return held.get(self.required[0])
        if self.optional:
            return next((found for name, found in held.items() if _serves(name, model)), None)
        return "", "platform"


@lru_cache(4096)
def _serves(secret: str, model: str) -> bool:
    prefix, slash, _ = model.partition("/")
    return bool(slash) and _letters(secret).startswith(_letters(prefix))


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).upper()


class Sources:
    """All providers of the registry, best priority first."""

    def __init__(self, registry: Plugins, works: Callable[[str], bool], forbidden: Callable[[Manifest], str]) -> None:
        self.registry, self.works, self._forbidden = registry, works, forbidden
        self._offers: list[Offer] = []
        self._all: tuple[Source, ...] = ()

    def all(self) -> tuple[Source, ...]:
        """Every provider that an enabled plugin offers."""
        offers = list(self.registry.offers("provider"))
        if offers != self._offers:
            found: dict[str, Source] = {}
            for source in sorted(map(self._source, offers), key=lambda each: (each.priority, each.name)):
                found.setdefault(source.name, source)
            self._offers, self._all = offers, tuple(found.values())
        return self._all

    def _source(self, offer: Offer) -> Source:
        manifest = self.registry.manifest(offer.plugin)
        source = Source(offer.contribution.name, manifest.priority, manifest.capabilities.secrets)
        source.forbidden = lambda: self._forbidden(manifest)
        return source

    async def provider(self, name: str) -> ModelProvider:
        """The provider itself; activates its plugin. A `PluginError` says why it cannot be had."""
        return cast(ModelProvider, await self.registry.get("provider", name))

    async def models(self, source: Source) -> tuple[ModelInfo, ...]:
        """The provider's catalogue, its default first."""
        if source.models is None:
            source.models = tuple(await (await self.provider(source.name)).catalogue())
        return source.models
