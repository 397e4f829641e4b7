"""Whatever was recorded goes the same way again, from its file."""

from __future__ import annotations

import msgspec
import pytest

from gitu_core.runtime import toolbox
from gitu_core.testing.replay.file import Export, read, written
from gitu_core.testing.replay.run import replay
from tests.replay.shapes import SHAPES, a_delegate_that_takes_longer_than_a_tool_may

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", SHAPES)
async def test_a_turn_of_every_shape_goes_the_same_way_again(name: str) -> None:
    await goes_the_same_way(await SHAPES[name]())


async def test_a_delegate_that_takes_too_long_goes_the_same_way_again(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = toolbox.delegate_spec
    monkeypatch.setattr(toolbox, "delegate_spec", lambda profile: msgspec.structs.replace(spec(profile), timeout=0.3))
    found = await a_delegate_that_takes_longer_than_a_tool_may()
    assert "took longer than 0.3 s" in written(found).decode()
    await goes_the_same_way(found)


async def goes_the_same_way(export: Export) -> None:
    for each in await replay(read(written(export))):
        assert each.difference is None, str(each)
        assert not each.unfinished
        assert each.steps >= 1
