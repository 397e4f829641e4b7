"""The contracts: one module a seam, and the values they speak in. What an author needs beyond `gitu_core` is here."""

# ruff: noqa: F403 (every module says itself what of it is for authors)
from gitu_core import model
from gitu_core.contracts import adapter, base, dispatcher, host, memory, page, provider, tool
from gitu_core.contracts.adapter import *
from gitu_core.contracts.base import *
from gitu_core.contracts.dispatcher import *
from gitu_core.contracts.host import *
from gitu_core.contracts.memory import *
from gitu_core.contracts.page import *
from gitu_core.contracts.provider import *
from gitu_core.contracts.tool import *
from gitu_core.model.base import *
from gitu_core.model.chat import *
from gitu_core.model.label import *
from gitu_core.model.memory import *
from gitu_core.model.message import *
from gitu_core.model.spec import *
from gitu_core.model.steps import Step as Step
from gitu_core.model.tooling import *
from gitu_core.model.turn import *

_MODULES = (adapter, base, dispatcher, host, memory, page, provider, tool, model)
__all__ = [name for module in _MODULES for name in module.__all__]
