"""What several commands need: the settings and an open assistant with everything that is enabled."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gitu_core.app import Gitu
from gitu_core.config import Settings, load


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that the command line asks for."""
    return load(options.config, home=options.home, model=getattr(options, "model", None))


@asynccontextmanager
async def assistant(options: argparse.Namespace) -> AsyncIterator[Gitu]:
    """An open assistant as the settings describe it."""
    async with Gitu(config=settings_of(options)) as gitu:
        yield gitu
