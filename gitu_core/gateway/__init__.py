"""Messages in, answers out."""

from gitu_core.gateway.channels import Channels
from gitu_core.gateway.gateway import Gateway
from gitu_core.gateway.identity import Identity
from gitu_core.gateway.jobs import APP, Job, Options
from gitu_core.gateway.keeper import Keeper
from gitu_core.gateway.lanes import LocalDispatcher
from gitu_core.gateway.past import Past, turns_of

__all__ = ["APP", "Channels", "Gateway", "Identity", "Job", "Keeper", "LocalDispatcher", "Options", "Past", "turns_of"]
