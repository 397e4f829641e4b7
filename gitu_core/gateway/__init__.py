"""Messages in, answers out."""

from gitu_core.gateway.channels import Channels
from gitu_core.gateway.fallback import Fallback
from gitu_core.gateway.gateway import Gateway
from gitu_core.gateway.identity import Identity
from gitu_core.gateway.jobs import APP, Job, Options
from gitu_core.gateway.keeper import Keeper
from gitu_core.gateway.lanes import LocalDispatcher
from gitu_core.gateway.past import Past, turns_of
from gitu_core.gateway.pulse import Board
from gitu_core.gateway.questions import asked_as

__all__ = [
    "APP", "Board", "Channels", "Fallback", "Gateway", "Identity", "Job", "Keeper", "LocalDispatcher", "Options",
    "Past", "asked_as", "turns_of",
]  # fmt: skip
