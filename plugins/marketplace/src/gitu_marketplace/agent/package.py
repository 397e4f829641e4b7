"""One installed package as a plugin: its skills, the tools of its servers, and the command that asks the servers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitu_marketplace.agent import agreed as words

if TYPE_CHECKING:
    from gitu_core import Host
    from gitu_core.contracts import Command, Tool
    from gitu_marketplace.agent.link import Link


class Package:
    """The package of a release whose module is *file*."""

    def __init__(self, file: str) -> None:
        self._folder = Path(file).parent
        self._links: dict[str, Link] = {}

    @cached_property
    def agreed(self) -> words.Agreed:
        """What the operator agreed to."""
        return words.read(self._folder)

    def tools(self, host: Host) -> list[Tool]:
        """What is offered to models; no server is started for it."""
        from gitu_marketplace.agent.skills import SkillTool
        from gitu_marketplace.agent.tools import ServerTool

        spec = words.skills_spec(self.agreed)
        skills = [SkillTool(spec, self._folder / words.FOLDER / "skills")] if spec else []
        return [*skills, *(ServerTool(each, self._link(each.server, host)) for each in self.agreed.tools)]

    def commands(self, host: Host) -> list[Command]:
        """Asks the servers which tools they have."""
        from gitu_marketplace.agent.tools import AskServers

        return [AskServers(self.agreed, [self._link(name, host) for name in self.agreed.servers])]

    async def stop(self) -> None:
        """Ends the servers."""
        for link in self._links.values():
            await link.close()

    def _link(self, name: str, host: Any) -> Link:
        from gitu_marketplace.agent.link import Link

        if name not in self._links:
            self._links[name] = Link(name, self.agreed, self._folder / words.FOLDER, host)
        return self._links[name]
