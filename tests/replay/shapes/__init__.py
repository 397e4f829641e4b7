"""Turns of every shape, each recorded by a whole assistant. A shape gives the export of what it did."""

from tests.replay.shapes import ends, inside, later, talk
from tests.replay.shapes.around import ALL, HELPED, SHAPES, helper
from tests.replay.shapes.inside import a_delegate_that_takes_longer_than_a_tool_may

__all__ = [
    "ALL", "HELPED", "SHAPES", "a_delegate_that_takes_longer_than_a_tool_may", "ends", "helper", "inside", "later",
    "talk",
]  # fmt: skip
