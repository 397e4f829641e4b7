"""What plugin authors and applications need in their tests. Every name is loaded when it is first used.

    from gitu_core.testing import ScriptedModel, call

    model = ScriptedModel([call("clock", place="Tokyo"), "It is two o'clock."])
    async with Gitu(model=model, tools=[clock]) as app:
        assert (await app.send("What time is it in Tokyo?")).text == "It is two o'clock."

While the pytest plugin is active, real models are out of reach (see `blocked`); a test that wants one says so
with ``@pytest.mark.real_models``, or a whole run with ``--gitu-allow-models``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitu_core.testing.adapter import RecordingAdapter as RecordingAdapter
    from gitu_core.testing.blocking import blocked as blocked
    from gitu_core.testing.clock import FakeClock as FakeClock
    from gitu_core.testing.counting import CountingAdapter as CountingAdapter
    from gitu_core.testing.counting import CountingModel as CountingModel
    from gitu_core.testing.counting import CountingTool as CountingTool
    from gitu_core.testing.crash import crash_test as crash_test
    from gitu_core.testing.faults import armed as armed
    from gitu_core.testing.faults import declare as declare
    from gitu_core.testing.faults import hit as hit
    from gitu_core.testing.model_server import Fail as Fail
    from gitu_core.testing.model_server import ModelServer as ModelServer
    from gitu_core.testing.model_server import Say as Say
    from gitu_core.testing.models import FunctionModel as FunctionModel
    from gitu_core.testing.models import ScriptedModel as ScriptedModel
    from gitu_core.testing.models import call as call
    from gitu_core.testing.replay.collect import export as export
    from gitu_core.testing.replay.run import replay_file as replay_file
    from gitu_core.testing.world import World as World

_HOME = {
    "CountingAdapter": "counting",
    "CountingModel": "counting",
    "CountingTool": "counting",
    "Fail": "model_server",
    "FakeClock": "clock",
    "FunctionModel": "models",
    "ModelServer": "model_server",
    "RecordingAdapter": "adapter",
    "Say": "model_server",
    "ScriptedModel": "models",
    "World": "world",
    "armed": "faults",
    "blocked": "blocking",
    "call": "models",
    "crash_test": "crash",
    "declare": "faults",
    "export": "replay.collect",
    "hit": "faults",
    "replay_file": "replay.run",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
