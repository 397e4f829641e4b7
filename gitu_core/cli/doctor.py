"""``gitu doctor``: looks at everything that has to work, and says what to do where it does not."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import AsyncIterator
from typing import Literal

import anyio

from gitu_core import __version__
from gitu_core.app import Gitu
from gitu_core.cli.common import settings_of
from gitu_core.cli.show import as_json, paint, state
from gitu_core.errors import GituError, StoreError
from gitu_core.model import RouteTask, Value


class Finding(Value, frozen=True):
    """One thing that was looked at."""

    what: str
    state: Literal["ok", "warning", "failed"]
    detail: str = ""
    hint: str = ""


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Runs the command; 1 if something failed."""
    return anyio.run(_run, options)


async def _run(options: argparse.Namespace) -> int:
    findings = [finding async for finding in examine(options)]
    if options.json:
        print(as_json(findings))
    else:
        width = max(len(each.what) for each in findings)
        for each in findings:
            print(f"{state(each.state)}{' ' * (8 - len(each.state))}{each.what.ljust(width)}  {each.detail}".rstrip())
            if each.hint and each.state != "ok":
                print(paint(f"        next: {each.hint}", "dim"))
    return 1 if any(each.state == "failed" for each in findings) else 0


async def examine(options: argparse.Namespace) -> AsyncIterator[Finding]:
    """Everything that was found, in the order a person would look."""
    yield Finding("gitu", "ok", f"{__version__} on Python {platform.python_version()}, {sys.platform}")
    try:
        settings = settings_of(options)
    except GituError as error:
        yield _failed("settings", error)
        return
    yield Finding("home", "ok", settings.home)
    try:
        async with Gitu(config=settings) as gitu:
            async for finding in _inside(gitu):
                yield finding
    except GituError as error:
        yield _failed("store" if isinstance(error, StoreError) else "start", error)


async def _inside(gitu: Gitu) -> AsyncIterator[Finding]:
    house = gitu.house
    troubles = await house.store.check()
    for trouble in troubles:
        yield Finding("store", "failed", trouble, "restore a backup with: gitu restore FILE")
    if not troubles:
        yield Finding("store", "ok", house.settings.database.partition(":")[0] or "sqlite")
    await house.registry.check(begin=True)
    for plugin in house.registry.plugins():
        if plugin.state in ("enabled", "disabled"):
            detail = f"{plugin.state} {plugin.version}".strip()
            yield Finding(f"plugin {plugin.id}", "ok", detail)
        else:
            yield Finding(f"plugin {plugin.id}", "failed", f"{plugin.state}: {plugin.reason}", plugin.hint)
    try:
        plan = await house.models.plan(RouteTask(needs=frozenset({"text"})), house.profile("default").models)
    except GituError as error:
        yield _failed("model", error)
    else:
        others = f", then {', '.join(each.model for each in plan[1:4])}" if len(plan) > 1 else ""
        yield Finding("model", "ok", plan[0].model + others)


def _failed(what: str, error: GituError) -> Finding:
    return Finding(what, "failed", error.message, error.hint)
