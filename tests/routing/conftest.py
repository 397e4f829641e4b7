"""A registry of plain providers, as routing sees it: manifests first, objects when they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from gitu_core.config import Settings
from gitu_core.contracts.ports import Offer
from gitu_core.errors import LoadError
from gitu_core.manifest import Capabilities, Contribution, Manifest, SecretNeed
from gitu_core.model import Finish, ModelEvent, ModelInfo, ModelRequest, TextDelta, Usage
from gitu_core.routing import Models
from gitu_core.testing.clock import FakeClock

ALL = frozenset({"text", "tools", "stream", "structured", "images"})
Answer = Callable[[ModelRequest], AsyncIterator[ModelEvent]]


async def hello(request: ModelRequest) -> AsyncIterator[ModelEvent]:
    """Says hello; 100 tokens read, 40 of them cached, 10 written."""
    yield TextDelta("hello")
    yield Finish(usage=Usage(100, 10, 40))


class Provider:
    """A provider with a fixed catalogue that answers with one function."""

    def __init__(self, name: str, models: Sequence[ModelInfo], answer: Answer = hello) -> None:
        self.name = name
        self.models = models
        self.answer = answer
        self.requests: list[ModelRequest] = []

    async def catalogue(self) -> Sequence[ModelInfo]:
        """The models."""
        return self.models

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer."""
        self.requests.append(request)
        return self.answer(request)


class Plugins:
    """What plugins contribute; `activated` notes which were asked for their objects."""

    def __init__(self) -> None:
        self.manifests: dict[str, Manifest] = {}
        self.objects: dict[tuple[str, str], Any] = {}
        self.activated: list[str] = []

    def add(self, provider: Any, priority: int = 100, *secrets: str, optional: bool = False) -> Any:
        """Installs a plugin with one provider that wants secrets."""
        needs = tuple(SecretNeed(name, "revealed", optional) for name in secrets)
        self.manifests[provider.name] = Manifest(
            provider.name,
            contributes=(Contribution("provider", provider.name),),
            capabilities=Capabilities(secrets=needs),
            priority=priority,
        )
        self.objects["provider", provider.name] = provider
        return provider

    def offers(self, seam: str) -> Sequence[Offer]:
        """Every contribution."""
        return [Offer(id, each) for id, manifest in self.manifests.items() for each in manifest.of(seam)]

    def manifest(self, id: str) -> Manifest:
        """A plugin's manifest."""
        return self.manifests[id]

    async def get(self, seam: str, name: str) -> Any:
        """The object."""
        if (seam, name) not in self.objects:
            raise LoadError(f"there is no {seam} {name!r}")
        self.activated.append(name)
        return self.objects[seam, name]


class House:
    """Routing with everything around it."""

    def __init__(self) -> None:
        self.plugins = Plugins()
        self.clock = FakeClock()
        self.secrets: set[str] = set()
        self.configure(Settings())

    def configure(self, settings: Settings) -> None:
        """Begins anew with other settings."""
        self.models = Models(self.plugins, settings, self.clock, self.secrets.__contains__, event_timeout=0.1)


def info(id: str, **options: Any) -> ModelInfo:
    """A model that can do everything, at 1000 and 4000 nano-dollars a token."""
    given = {"window": 10_000, "input_price": 1000, "output_price": 4000, "cached_price": 100, "capabilities": ALL}
    return ModelInfo(id, **{**given, **options})


@pytest.fixture
def anyio_backend() -> str:
    """What the house runs on."""
    return "asyncio"


@pytest.fixture
def house() -> House:
    """Nothing installed yet."""
    return House()
