"""The registry: which plugins are installed, which of them may run, what they contribute, and their hooks.

Constructing it and listing plugins imports no plugin and neither pluggy nor stevedore; they come with the
first activation. The modules, from reading to running:

    scan      finds distributions with an entry point in the group ``gitu.plugins``
    index     keeps what was found, and what the jail said, on disk; notices every install, upgrade and removal
    jail      describes a plugin that has no manifest, in a child process
    consent   what the operator switched on and off
    catalogue who contributes what, and who keeps a name that two want
    census    decides, for every plugin that was found, whether it may run, and why not
    seal      notices that the files of an installed release were changed
    objects   makes a plugin out of whatever an entry point names, and checks objects against their contract
    manager   registers hook implementations with pluggy and checks their names and arguments
    describe  writes a manifest from code and compares it with the one that was shipped
    loading   imports one plugin and takes what it contributes
    activation  brings plugins to life, once each, and ends them; `aside` keeps what they print off standard output
    dispatch  calls hooks; `faults` counts what goes wrong and notices who blocks the event loop
    registry  puts it together
"""

from gitu_core.registry.registry import Registry
from gitu_core.registry.status import PluginStatus

__all__ = ["PluginStatus", "Registry"]
