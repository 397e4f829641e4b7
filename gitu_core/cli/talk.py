"""``gitu chat``, ``gitu ask``, ``gitu sessions``."""

from __future__ import annotations

import argparse
import sys

import msgspec

from gitu_core.cli.common import answering, assistant
from gitu_core.cli.show import as_json, complain, table
from gitu_core.errors import ConfigError, GituError, InputError
from gitu_core.model import Reply
from gitu_core.runtime import error_info


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    if name in ("ask", "chat"):
        command.add_argument("--model", help="provider/model to use")
    if name == "chat":
        command.add_argument("--channel", default="", help="the channel that talks here (default: the only one)")
    if name == "ask":
        command.add_argument("text", nargs="*", help="the question; without one it is read from standard input")
        command.add_argument("--session", default="", help="the line of talk to continue")
        command.add_argument("--profile", default="", help="the profile to use")
        command.add_argument("--json", action="store_true", help="print the whole reply as JSON")
    if name == "sessions":
        command.add_argument("--json", action="store_true", help="print JSON")


async def run(options: argparse.Namespace) -> int:
    """Runs the command."""
    return await {"chat": _chat, "sessions": _sessions, "ask": _ask}[options.command](options)


async def _chat(options: argparse.Namespace) -> int:
    async with assistant(options) as gitu:
        names = [options.channel] if options.channel else gitu.house.channel_names(foreground=True)
        if not names:
            raise ConfigError("no plugin that talks in a terminal is enabled", field="plugins",
                              hint='install the bundle: pip install "gitu-core[assistant]"')  # fmt: skip
        await gitu.run_channel(names[0])
    return 0


async def _ask(options: argparse.Namespace) -> int:
    text = " ".join(options.text) or sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        if not text.strip():
            raise InputError("there is no question", hint='try: gitu ask "What time is it in Tokyo?"')
        async with answering(options) as gitu:
            user = gitu.house.settings.user
            reply = await gitu.send(text, user=user, session=options.session, profile=options.profile)
    except GituError as error:
        if not options.json:
            raise
        print(_whole(Reply("", "", "failed", error=error_info(error))))
        return 1
    for failure in reply.failures:  # another model answered in its place
        hint = failure.hint or "look at it with: gitu doctor --ask"
        complain(f"{failure.details.get('model', 'a model')} could not answer: {failure.message}; next: {hint}")
    print(_whole(reply) if options.json else reply.text)
    if reply.status != "ok":
        complain(f"the turn ended as {reply.status}", "try again")
    return 0 if reply.status == "ok" else 1


def _whole(reply: Reply) -> str:
    """A reply as JSON. Its status and its words always stand there, also where they are what they mostly are."""
    return as_json({"status": reply.status, "text": reply.text, **msgspec.to_builtins(reply)})


async def _sessions(options: argparse.Namespace) -> int:
    async with answering(options) as gitu:
        found = await gitu.sessions()
    if options.json:
        print(as_json(found))
    else:
        rows = [(each.id, each.person, each.profile, each.messages, "ended" if each.ended_at else "open")
                for each in found]  # fmt: skip
        print(table(("session", "user", "profile", "messages", "state"), rows))
    return 0
