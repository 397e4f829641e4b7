"""The tools that a turn may use: what plugins offer, and other profiles called as tools."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from gitu_core.contracts.base import Contribution
from gitu_core.contracts.ports import Offer, Registry
from gitu_core.errors import ManifestError, ToolError
from gitu_core.manifest import Manifest
from gitu_core.model import ToolSpec
from gitu_core.runtime.handles import LOOK_SPEC
from gitu_core.runtime.work import Profiles

if TYPE_CHECKING:
    from gitu_core.config import Profile

DELEGATE = "ask_"
"""What the name of a profile is preceded by when it is called as a tool."""


class Plugins(Registry, Protocol):
    """The registry, as the runtime needs it."""

    def manifest(self, id: str) -> Manifest | None:
        """The manifest of a plugin, where there is one."""


class Toolbox:
    """Knows every offered tool by name, without running any plugin."""

    def __init__(self, registry: Plugins, profile_of: Profiles) -> None:
        self._registry = registry
        self._profile_of = profile_of
        self._specs: dict[object, tuple[Sequence[Offer] | None, tuple[ToolSpec, ...]]] = {}

    def specs(self, profile: Profile, brought: Sequence[ToolSpec] = ()) -> tuple[ToolSpec, ...]:
        """What the profile may use, by name; the same tuple while nothing changed. Behind it what a message *brought*,
        as far as the profile may use that and nothing else is called so."""
        offers, key = self._registry.offers("tool"), (*profile.tools, None, *profile.delegates, profile.outside)
        among, specs = self._specs.get(key, (None, ()))
        if among is not offers:
            found = [self._spec(offer) for offer in offers if _offered(offer, profile.tools)]
            found += [delegate_spec(self._profile_of(name)) for name in profile.delegates]
            found += [LOOK_SPEC] if profile.outside == "handles" else []
            by_name = {spec.name: spec for spec in found}
            specs = tuple(by_name[name] for name in sorted(by_name) if not by_name[name].hidden)
            self._specs[key] = offers, specs
        return (*specs, *self._brought(profile, brought, {spec.name for spec in specs})) if brought else specs

    def carriers(self) -> dict[str, Offer]:
        """The tools that carry out what messages bring, by name."""
        return {each.contribution.name: each for each in self._registry.offers("tool") if self._spec(each).hidden}

    def _brought(self, profile: Profile, brought: Sequence[ToolSpec], taken: set[str]) -> Iterator[ToolSpec]:
        """Those of the tools that a message brought for which there is somebody who carries them out."""
        carriers = self.carriers()
        for spec in brought:
            carrier = carriers.get(spec.by) if spec.name not in taken else None
            if carrier and _offered(Offer(carrier.plugin, Contribution("tool", spec.name)), profile.tools):
                yield spec

    def _spec(self, offer: Offer) -> ToolSpec:
        try:
            spec = msgspec.convert(offer.contribution.spec, ToolSpec)
        except msgspec.ValidationError as error:
            raise ManifestError(f"tool {offer.contribution.name}: {error}", plugin=offer.plugin,
                                hint="rewrite the manifest with: gitu manifest") from error  # fmt: skip
        if spec.by or spec.heeds:  # that is for what messages bring: no plugin says so of its own tools
            spec = msgspec.structs.replace(spec, by="", heeds=())
        manifest = self._registry.manifest(offer.plugin)
        if manifest is None:
            return spec
        needs = manifest.capabilities
        # A tool that reaches the network and does not say who writes its results hands over what others wrote.
        if not spec.writers and needs.network:
            spec = msgspec.structs.replace(spec, writers={"": "outside"})
        # One that reads with somebody's key or files, and does not say for whom, gives what is nobody else's business.
        if spec.private is None and (needs.secrets or needs.files):
            spec = msgspec.structs.replace(spec, private=True)
        return spec

    async def get(self, name: str) -> Any:
        """The tool itself; activates its plugin on first use."""
        return await self._registry.get("tool", name)


def _offered(offer: Offer, patterns: tuple[str, ...]) -> bool:
    """True if one of *patterns* names the tool, or as ``plugin:tool`` the tool of this plugin."""
    name = offer.contribution.name
    full = f"{offer.plugin}:{name}"
    return any(fnmatchcase(full if ":" in pattern else name, pattern) for pattern in patterns)


def missing(name: str, specs: dict[str, ToolSpec]) -> ToolError:
    """The error for a tool that is not offered, with the nearest that is."""
    close = difflib.get_close_matches(name, specs, n=1)
    return ToolError(
        f"there is no tool {name!r}", hint=f"did you mean {close[0]!r}?" if close else "use an offered tool"
    )


def delegate_spec(profile: Profile) -> ToolSpec:
    """Another profile as a tool."""
    return ToolSpec(
        DELEGATE + profile.name,
        profile.description or f"Hands a task to the agent {profile.name} and gives its answer.",
        {
            "type": "object",
            "properties": {"task": {"type": "string", "description": "The task, with everything needed to do it."}},
            "required": ["task"],
            "additionalProperties": False,
        },
        roles={"task": "body"},
        timeout=600.0,
    )
