"""The fakes of `gitu_core.testing`, and the dispatcher of the core, keep the laws of their contracts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from gitu_core.errors import GituError, NotReady
from gitu_core.gateway import LocalDispatcher
from gitu_core.model import Ask, ModelRequest, ToolCall
from gitu_core.testing import CountingAdapter, CountingTool, FunctionModel, RecordingAdapter, World
from gitu_core.testing.conformance import AdapterLaws, DispatcherLaws, ModelProviderLaws, ToolLaws
from gitu_core.testing.conformance.failures import FAILURES
from gitu_core.testing.counting import OutsidePage


class People:
    """The people on a `RecordingAdapter`. Its channel says again what was not accepted."""

    failures = ("refused", "lost")

    def __init__(self, adapter: RecordingAdapter) -> None:
        self.adapter = adapter
        self.texts: dict[str, str] = {}
        self.safe: set[str] = set()

    def shown(self) -> list[str]:
        """What they see, choices included."""
        return [f"{text}\n{self._choices(id)}" for id, text in self.adapter.screen.items()]

    def _choices(self, id: str) -> list[str]:
        number = int(id.rpartition("-")[2]) - 1
        asks = [part for part in self.adapter.sent[number].parts if isinstance(part, Ask)]
        return [choice for ask in asks for choice in ask.choices]

    async def say(self, text: str, name: str) -> None:
        """Somebody speaks."""
        self.texts[name] = text
        while name not in self.safe:
            try:
                await self.adapter.say(text, key=name)
                self.safe.add(name)
            except (GituError, TimeoutError):
                await anyio.sleep(0.001)

    async def again(self, name: str) -> None:
        """The channel hands it over again."""
        self.safe.discard(name)
        await self.say(self.texts[name], name)

    def acknowledged(self, name: str) -> bool:
        """Whether `say` came back."""
        return name in self.safe

    async def choose(self, ask: Ask, choice: str) -> None:
        """Somebody chooses."""
        await self.adapter.answer(choice, ask=ask.id)

    def break_off(self) -> None:
        """The channel breaks."""
        self.adapter.break_off(NotReady("gone"))

    def fail(self, how: str) -> None:
        """The next send fails."""
        self.adapter.fail("not_sent" if how == "refused" else "unknown", seen=how == "lost")

    def remove(self, id: str) -> None:
        """A message is gone."""
        del self.adapter.screen[id]


class TestRecordingAdapter(AdapterLaws):
    """Whatever its channel can do."""

    @pytest.fixture(params=["idempotent", "verifiable", "blind"])
    def adapter(self, request: pytest.FixtureRequest) -> RecordingAdapter:
        return RecordingAdapter(delivery=request.param, edits=request.param != "blind")

    @pytest.fixture
    def remote(self, adapter: RecordingAdapter) -> People:
        return People(adapter)


class Street:
    """The people of a world."""

    def __init__(self, world: World, delivery: Any) -> None:
        self.world, self.delivery = world, delivery

    def shown(self) -> list[str]:
        """What they see."""
        return [f"{each.text}\n{each.choice}" for each in self.world.seen(self.delivery)]

    def say(self, text: str, name: str) -> None:
        """Somebody speaks."""
        self.world.say(text, key=name)

    def acknowledged(self, name: str) -> bool:
        """Whether their channel was told that it is safe."""
        return name in {each.key for each in self.world.events("acked")}

    def choose(self, ask: Ask, choice: str) -> None:
        """Somebody chooses."""
        self.world.note("said", f"answer-{ask.id}", user="ana", ask=ask.id, choice=choice)


class TestCountingAdapter(AdapterLaws):
    """On a world of its own."""

    @pytest.fixture(params=["idempotent", "verifiable", "blind"])
    def delivery(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return World(tmp_path)

    @pytest.fixture
    def adapter(self, world: World, delivery: Any) -> CountingAdapter:
        return CountingAdapter(world, delivery=delivery, answers="")

    @pytest.fixture
    def remote(self, world: World, delivery: Any) -> Street:
        return Street(world, delivery)


class TestCountingTool(ToolLaws):
    """A remote side that never refuses a second time: the host sees to it that T4 holds."""

    crash = {"tools": "tests.testing.test_conformance:paying", "points": ["world.effect.after"]}  # noqa: RUF012 - never changed

    @pytest.fixture
    def tool(self, tmp_path: Path) -> CountingTool:
        return CountingTool(World(tmp_path))


def paying(world: World) -> list[CountingTool]:
    """The tool for processes that die."""
    return [CountingTool(world)]


class TestOutsidePage(ToolLaws):
    @pytest.fixture
    def tool(self) -> OutsidePage:
        return OutsidePage()


class Script:
    """What a `FunctionModel` says, and how it fails."""

    failures = ("auth", "rate", "down", "overflow", "rejected", "broken")

    def __init__(self) -> None:
        self.says: Any = "hello"
        self.fails: Any = None

    def __call__(self, request: ModelRequest) -> Any:
        """The next reply."""
        failed, self.fails = self.fails, None
        return failed or self.says

    def answer(self, text: str, calls: Sequence[tuple[str, str]]) -> None:
        """Says this from now on."""
        self.says = [text, *(ToolCall("", tool, raw=arguments) for tool, arguments in calls)]

    def fail(self, how: str) -> None:
        """Fails next."""
        self.fails = ["some words", FAILURES[how][0]("made to fail")] if how == "broken" else FAILURES[how][0]("no")


class TestFunctionModel(ModelProviderLaws):
    """It says what it is told, letter by letter."""

    @pytest.fixture
    def remote(self) -> Script:
        return Script()

    @pytest.fixture
    def provider(self, remote: Script) -> FunctionModel:
        return FunctionModel(remote)


class TestLocalDispatcher(DispatcherLaws):
    @pytest.fixture
    def dispatcher(self) -> LocalDispatcher:
        return LocalDispatcher(10)
