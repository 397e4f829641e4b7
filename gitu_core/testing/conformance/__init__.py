"""Conformance kits: every law of every contract as a test. Authors subclass one and give one fixture.

    from gitu_core.testing.conformance import MemoryStoreLaws

    class TestMyStore(MemoryStoreLaws):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)

A test is named after the law that it tests. Each runs with the object itself and with what is seen of it through the
process border. What an object can do is read from it, and a law that does not apply is skipped with the reason. Where
a law needs to see or steer the other side, an optional second fixture `remote` gives an object with any of the methods
that the kit names; each may be ``def`` or ``async def``.
"""

import pytest

# Before they are imported: else a failed law does not show the values that broke it.
_REWRITTEN = (
    "adapter", "base", "called", "dispatcher", "embedder", "memory", "provider", "receiving", "router", "showing",
    "tool", "watch",
)  # fmt: skip
pytest.register_assert_rewrite(*(f"{__name__}.{each}" for each in _REWRITTEN))

from gitu_core.testing.conformance.action import RuleActionLaws  # noqa: E402
from gitu_core.testing.conformance.adapter import AdapterLaws  # noqa: E402
from gitu_core.testing.conformance.base import HOSTILE  # noqa: E402
from gitu_core.testing.conformance.cancel import Cut, cancel_at, cuts  # noqa: E402
from gitu_core.testing.conformance.dispatcher import DispatcherLaws  # noqa: E402
from gitu_core.testing.conformance.embedder import EmbedderLaws  # noqa: E402
from gitu_core.testing.conformance.memory import MemoryStoreLaws  # noqa: E402
from gitu_core.testing.conformance.provider import ModelProviderLaws  # noqa: E402
from gitu_core.testing.conformance.router import ModelRouterLaws  # noqa: E402
from gitu_core.testing.conformance.served import ServedModel  # noqa: E402
from gitu_core.testing.conformance.tool import ToolLaws  # noqa: E402

__all__ = [
    "HOSTILE", "AdapterLaws", "Cut", "DispatcherLaws", "EmbedderLaws", "MemoryStoreLaws", "ModelProviderLaws",
    "ModelRouterLaws", "RuleActionLaws", "ServedModel", "ToolLaws", "cancel_at", "cuts",
]  # fmt: skip
