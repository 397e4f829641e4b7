"""The kit for actions of rules: the laws of tools, read with another spec."""

from __future__ import annotations

from typing import Any

import pytest

from gitu_core.contracts import RuleAction
from gitu_core.testing.conformance.tool import ToolLaws


class RuleActionLaws(ToolLaws):
    """An action of rules keeps the laws T1 to T7. Give the fixture `action`; all else is as in `ToolLaws`."""

    protocol: Any = RuleAction

    @pytest.fixture
    def action(self) -> Any:
        """The action under test; its author gives it."""
        raise NotImplementedError("give a fixture `action`")

    @pytest.fixture
    def own(self, action: Any) -> Any:
        """The object itself."""
        return action
