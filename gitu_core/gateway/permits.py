"""What a person allowed beforehand, told and taken back by themselves."""

from __future__ import annotations

from collections.abc import Sequence

from gitu_core.contracts.authority import Grant, Grants
from gitu_core.contracts.ports import Clock

NOTHING = "I ask you about everything that needs a yes."


async def permits(grants: Grants, clock: Clock, person: str, revoke: str) -> str:
    """Tells what a person allowed, or takes back what they name by its number, or ``all``."""
    now = clock.now()
    found = [each for each in await grants.grants(person) if each.expires_at is None or now < each.expires_at]
    if not revoke:
        return "\n".join(f"{n}. {each}" for n, each in enumerate(found, 1)) or NOTHING
    chosen = _chosen(found, revoke)
    if not chosen:
        return "There is no such number. /grants lists them; /revoke all takes all of them back."
    gone = [each for each in chosen if await grants.revoke_grant(each.id, person, person)]
    return "\n".join(f"I ask you again: {each}" for each in gone) or "That was taken back already."


def _chosen(found: Sequence[Grant], words: str) -> Sequence[Grant]:
    if words == "all":
        return found
    number = int(words) if words.isascii() and words.isdigit() and len(words) < 6 else 0
    return found[number - 1 : number] if number > 0 else ()
