"""``gitu doctor``: looks at everything that has to work, and says what to do where it does not."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import AsyncIterator
from typing import Literal

from gitu_core import __version__
from gitu_core.app import Gitu
from gitu_core.cli.common import settings_of
from gitu_core.cli.show import answers_only, as_json, paint, state
from gitu_core.errors import GituError, StoreError
from gitu_core.gateway.pulse import clock_time
from gitu_core.model import Value
from gitu_core.secrecy import hidden


class Finding(Value, frozen=True):
    """One thing that was looked at. ``unused`` is what works but is not set up, as nobody has to."""

    what: str
    state: Literal["ok", "unused", "warning", "failed"]
    detail: str = ""
    hint: str = ""


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("--ask", action="store_true", help="ask the first model one word; it may cost a little")
    command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> int:
    """Runs the command; 1 if something failed."""
    with answers_only():
        findings = [finding async for finding in examine(options)]
    if options.json:
        print(as_json(findings))
    else:
        width = max(len(each.what) for each in findings)
        for each in findings:
            detail = hidden(each.detail)
            print(f"{state(each.state)}{' ' * (8 - len(each.state))}{each.what.ljust(width)}  {detail}".rstrip())
            if each.hint and each.state in ("warning", "failed"):
                print(paint(f"        next: {hidden(each.hint)}", "dim"))
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
            async for finding in _models(gitu, ask=options.ask):
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
    keys = await house.store.key_status()
    rotates = keys.renewing or set(keys.wraps) > {keys.current} or keys.current not in keys.known[:1]
    yield Finding("master key", "warning" if rotates else "ok", f"{keys.current} from {keys.place}",
                  "a rotation is not finished; go on with: gitu keys rotate" + " --people" * keys.renewing)  # fmt: skip
    if house.settings.dispatcher:
        carrier = await house.gateway.dispatcher.health()
        yield Finding(f"dispatcher {house.gateway.dispatcher.name}", "ok" if carrier.state == "ok" else "warning",
                      carrier.detail, carrier.hint)  # fmt: skip
    for name in (*house.channel_names(foreground=True), *house.channel_names(foreground=False)):
        access, full = house.gateway.identity.access(name), house.gateway.identity.vouches(name)
        exposed = access == "open" and name not in house.channel_names(foreground=True)
        detail = f"{access}{'' if full else ', its senders can be forged'}{', whoever reaches it' if exposed else ''}"
        yield Finding(f"channel {name}", "warning" if exposed else "ok", detail,
                      f'to let only users in, set access = "paired" in [channels.{name}]')  # fmt: skip
        if (seen := await house.channels.board.seen(name)) is not None:
            since = f"{seen.state} since {clock_time(seen.since)} {seen.detail}".rstrip()
            detail = since if seen.runs else f"it does not run; when it did last: {since}"
            yield Finding(f"channel {name} runs" if seen.runs else f"channel {name} ran",
                          "warning" if seen.state in ("degraded", "failed") else "ok" if seen.runs else "unused",
                          detail, seen.hint)  # fmt: skip
    await house.registry.check(begin=True)
    for plugin in house.registry.plugins():
        if plugin.state in ("enabled", "disabled"):
            words, open_ = [f"{plugin.state} {plugin.version}".strip(), *plugin.notes], bool(plugin.notes)
            if plugin.isolation == "process" and plugin.active:
                words.append(f"in a process of its own: {', '.join(plugin.walls) or 'no wall around it'}")
                open_ = open_ or not any("seccomp" in wall for wall in plugin.walls)
            yield Finding(f"plugin {plugin.id}", "warning" if open_ else "ok", "; ".join(words),
                          "this system has no fence for plugins: enable only what you trust, or use Linux")  # fmt: skip
        else:
            yield Finding(f"plugin {plugin.id}", "failed", f"{plugin.state}: {plugin.reason}", plugin.hint)


async def _models(gitu: Gitu, *, ask: bool) -> AsyncIterator[Finding]:
    """Every provider, then the models that would be asked, and with *ask* what the first of them really says."""
    house = gitu.house
    for name, missing in house.models.providers():
        hint = "set it in the environment, or name its place under [secrets] in gitu.toml" if missing else ""
        yield Finding(f"provider {name}", "unused" if missing else "ok", missing or "usable", hint)
    for name, breaker, why in house.models.breakers():
        yield Finding(f"breaker {name}", "warning", f"{breaker}: {why}", "wait: it is tried again by itself")
    try:
        plan = await house.plan()
    except GituError as error:
        yield _failed("model", error)
        return
    others = f", then {', '.join(each.model for each in plan[1:4])}" if len(plan) > 1 else ""
    yield Finding("model", "ok", plan[0].model + others)
    if ask:
        told = await house.ask_one(plan[0])
        yield Finding("answer", "failed" if told["error"] else "ok", told["detail"], told["hint"])
    for line in await house.budgets():
        if line.state != "ok":
            yield Finding(f"budget {line.title}", "warning", house.envelopes.line(line), "see: gitu budget")


def _failed(what: str, error: GituError) -> Finding:
    return Finding(what, "failed", error.message, error.hint)
