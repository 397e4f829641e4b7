"""The values that travel between channels, models, tools, plugins and the store."""

# ruff: noqa: F403 (every module says itself what of it is for everybody)
from gitu_core.model import base, chat, label, memory, message, spec, tooling, turn
from gitu_core.model.base import *
from gitu_core.model.chat import *
from gitu_core.model.label import *
from gitu_core.model.memory import *
from gitu_core.model.message import *
from gitu_core.model.spec import *
from gitu_core.model.steps import Step as Step
from gitu_core.model.tooling import *
from gitu_core.model.turn import *

_MODULES = (base, chat, label, memory, message, spec, tooling, turn)
__all__ = ["Step", *(name for module in _MODULES for name in module.__all__)]
