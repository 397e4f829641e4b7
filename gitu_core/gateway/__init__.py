"""Messages in, answers out."""

from gitu_core.gateway.channels import Channels
from gitu_core.gateway.gateway import Gateway
from gitu_core.gateway.jobs import Job, Options
from gitu_core.gateway.lanes import LocalDispatcher

__all__ = ["Channels", "Gateway", "Job", "LocalDispatcher", "Options"]
