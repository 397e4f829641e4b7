"""The commands of the operator: what each is called, what it takes, and who does the work."""

from __future__ import annotations

from gitu_core import Host
from gitu_core.contracts import Command
from gitu_operator import audit, budget, grants, outbox, trace, users
from gitu_operator.shape import JSON, Order, action, flag, pairs, text, words


def make_commands(host: Host) -> list[Command]:
    """All of them."""
    what = "; ".join(f"{each} {said}".strip() for each, said in users.WORDS.items())
    return [
        Order(host, "budget", "Show how full the budgets are.", budget.run,
              user=text("only the envelopes of this user"), json=JSON),
        Order(host, "users", "List, pair, link, unlink, enable and disable users, say how far they are trusted.",
              users.run, ["action", "words"],
              action=action("what to do (default: list)", *users.WORDS), words=words(what),
              user=text("with pair: the user who gets the account (default: a new one)"),
              new=flag("with link: USER is a new user"), last=flag("with unlink: also the last account of a user"),
              json=JSON),
        Order(host, "outbox", "List, send again or drop what was not delivered.", outbox.run, ["action", "id"],
              action=action("what to do with what was not delivered (default: list)", "list", "resend", "drop"),
              id=words("the messages to act on"), all=flag("act on all that are listed as dead or unknown"), json=JSON),
        Order(host, "grants", "List, give and take back what users allowed beforehand.", grants.run,
              ["action", "words"],
              action=action("what to do (default: list)", "list", "add", "revoke"),
              words=words("add: USER TOOL, a pattern like mail.*; revoke: ID"),
              user=text("with list: only those of this user"),
              when=pairs("with add: an argument has to fit; again for another pattern", "ARGUMENT=PATTERN"),
              most=pairs("with add: an amount may be this large, and not larger", "ARGUMENT=NUMBER"),
              days={"type": "number", "description": "with add: how long it counts (default: for ever)"},
              uses={"type": "integer", "description": "with add: how often it counts (default: always)"}, json=JSON),
        Order(host, "audit", "List what was done on whose word, or verify that the record is whole.", audit.run,
              ["action"],
              action=action("print the newest entries, or follow the chain (default: list)", "list", "verify"),
              turn=text("only entries of this turn"), person=text("only entries of this person"),
              limit={"type": "integer", "description": "how many entries (default: 50)", "default": 50},
              noted=text("an end of the chain that an earlier verify printed"), json=JSON),
        Order(host, "trace", "Tell how an effect came about, back to the person.", trace.run, ["id"],
              id=text("a turn, a call, an audit entry, a message that was taken in or sent"),
              why=flag("also what influenced it and who said yes"),
              content=flag("also the exact arguments and the person's words")),
    ]  # fmt: skip
