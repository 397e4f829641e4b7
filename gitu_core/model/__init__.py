"""The values that travel between channels, models, tools, plugins and the store."""

# ruff: noqa: F403 (every module says itself what of it is for everybody)
from gitu_core.model import base, chat, label, memory, message, tooling, turn
from gitu_core.model.base import *
from gitu_core.model.chat import *
from gitu_core.model.label import *
from gitu_core.model.memory import *
from gitu_core.model.message import *
from gitu_core.model.steps import Step
from gitu_core.model.tooling import *
from gitu_core.model.turn import *

__all__ = ["Step"]
__all__ += base.__all__
__all__ += chat.__all__
__all__ += label.__all__
__all__ += memory.__all__
__all__ += message.__all__
__all__ += tooling.__all__
__all__ += turn.__all__
