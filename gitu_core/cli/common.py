"""What several commands need: the settings and an assistant with everything that is enabled."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec.structs import replace

from gitu_core.app import Gitu
from gitu_core.cli.show import answers_only
from gitu_core.config import Settings, load


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that the command line asks for. A model that it names is the only one that is asked."""
    settings = load(options.config, home=options.home)
    model = getattr(options, "model", None)
    if not model:
        return settings
    names = {"default", *settings.profiles}
    profiles = {name: replace(settings.profile(name), models=(model,), exact=True) for name in names}
    return replace(settings, model=model, profiles=profiles)


def assistant(options: argparse.Namespace) -> Gitu:
    """An assistant as the settings describe it, to be entered."""
    return Gitu(config=settings_of(options))


@asynccontextmanager
async def answering(options: argparse.Namespace) -> AsyncIterator[Gitu]:
    """An assistant for one answer: whatever plugins print meanwhile goes to the error stream."""
    with answers_only():
        async with assistant(options) as gitu:
            yield gitu
