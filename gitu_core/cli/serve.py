"""``gitu serve`` runs channels, ``gitu worker`` works for those that run elsewhere; until told to stop, then what runs
is finished."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable

import anyio

from gitu_core.app import Gitu
from gitu_core.cli.common import settings_of
from gitu_core.config import Settings
from gitu_core.errors import GituError
from gitu_core.secrecy import DISCREET

AGAIN: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""What asks to begin anew with the settings as they are then, where the system has it."""


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    if name == "serve":
        command.add_argument("channel", nargs="*", help="the channels to run (default: every enabled one)")
    command.add_argument("--model", help="provider/model to use")
    command.add_argument("--verbose", action="store_true", help="log what happens")


class Asked:
    """What signals ask for, whenever they come: also while the assistant opens or closes."""

    stop = again = False
    leave: Callable[[], None] = staticmethod(lambda: None)


async def run(options: argparse.Namespace) -> None:
    """Runs the command; where somebody changed the settings and asked for it, once more with those."""
    level = logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(DISCREET)  # what libraries log as well
    asked, failure = Asked(), None
    async with anyio.create_task_group() as group:
        group.start_soon(_listen, asked)
        try:
            await _again_and_again(options, asked)
        except GituError as error:
            failure = error  # raised below, where it does not come out as a group of exceptions
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _again_and_again(options: argparse.Namespace, asked: Asked) -> None:
    settings, good = settings_of(options), Settings()
    while True:
        try:
            if not await _served(options, settings, asked):
                return
        except GituError as error:
            if good in (settings, Settings()):
                raise
            logging.getLogger("gitu").error(
                "nothing runs with the changed settings: %s; those from before count", error
            )
            settings = good
            continue
        asked.again = False  # who asks from now on means settings that may not be read yet
        good, settings = settings, _changed(options, settings)


async def _served(options: argparse.Namespace, settings: Settings, asked: Asked) -> bool:
    """Serves until told to stop; True where it is to begin anew."""
    async with Gitu(config=settings) as gitu:
        house, serves = gitu.house, options.command == "serve"
        with anyio.CancelScope() as scope:
            house.leave = asked.leave = scope.cancel
            if asked.stop or asked.again:
                scope.cancel()
            print(f"gitu {'serves' if serves else 'works'}; stop it with Ctrl-C", file=sys.stderr)
            house.keeper.everything = True
            await (gitu.serve(*options.channel) if serves else gitu.work())
    return (house.again or asked.again) and not asked.stop


def _changed(options: argparse.Namespace, settings: Settings) -> Settings:
    """The settings as they are now; those from before where they are not good."""
    print("gitu begins anew with changed settings", file=sys.stderr)
    try:
        return settings_of(options)
    except GituError as error:
        logging.getLogger("gitu").error("the changed settings are not good, those from before stay: %s", error)
        return settings


async def _listen(asked: Asked) -> None:
    """Ends the channels at the first signal; leaving the assistant then waits for the turns that run, and one more ends
    it at once. SIGHUP has it begin anew, unless it is the word of a terminal that was closed."""
    wanted = [signal.SIGTERM, signal.SIGINT]
    if AGAIN is not None and not sys.stderr.isatty():
        wanted.append(AGAIN)
    with anyio.open_signal_receiver(*wanted) as signals:
        async for each in signals:
            asked.again, asked.stop = asked.again or each == AGAIN, each != AGAIN
            asked.leave()
            if asked.stop:
                print("gitu stops; what runs is finished first", file=sys.stderr)
                return
