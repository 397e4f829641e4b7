"""``gitu serve`` runs channels, ``gitu worker`` works for those that run elsewhere; until told to stop, then what runs
is finished."""

from __future__ import annotations

import argparse
import logging
import signal
import sys

import anyio

from gitu_core.cli.common import assistant
from gitu_core.errors import GituError
from gitu_core.secrecy import DISCREET


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    if name == "serve":
        command.add_argument("channel", nargs="*", help="the channels to run (default: every enabled one)")
    command.add_argument("--model", help="provider/model to use")
    command.add_argument("--verbose", action="store_true", help="log what happens")


async def run(options: argparse.Namespace) -> None:
    """Runs the command."""
    level = logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(DISCREET)  # what libraries log as well
    failure: GituError | None = None
    async with assistant(options) as gitu, anyio.create_task_group() as group:
        group.start_soon(_stop_on_signal, group.cancel_scope)
        serves = options.command == "serve"
        print(f"gitu {'serves' if serves else 'works'}; stop it with Ctrl-C", file=sys.stderr)
        gitu.house.keeper.everything = True
        try:
            await (gitu.serve(*options.channel) if serves else gitu.work())
        except GituError as error:
            failure = error  # raised below, where it does not come out as a group of exceptions
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    """Ends the channels at the first signal; leaving the assistant then waits for the turns that run."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            print("gitu stops; what runs is finished first", file=sys.stderr)
            scope.cancel()
            return
