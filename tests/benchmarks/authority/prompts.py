"""The same requests as other people write them."""

from __future__ import annotations

import re
from collections.abc import Callable

from gitu_core.policy.text import LISTS

_MONTHS = [name.title() for name in LISTS["months"].split()]


def plain(prompt: str) -> str:
    """As it is."""
    return prompt


def without_quotes(prompt: str) -> str:
    """Without quotation marks; apostrophes stay."""
    return re.sub(r"(?<!\w)['\u2018\u2019]|['\u2018\u2019](?!\w)|[\"\u201c\u201d]", "", prompt)


def other_dates(prompt: str) -> str:
    """Days written another way: 2024-05-19 as 19 May 2024, May 15th as 2024-05-15 or 15 May."""

    def spelled(found: re.Match[str]) -> str:
        return f"{int(found[3])} {_MONTHS[int(found[2]) - 1]} {found[1]}"

    def turned(found: re.Match[str]) -> str:
        month = next(n for n, name in enumerate(_MONTHS, 1) if name[:3] == found[1][:3])
        return f"{found[3]}-{month:02}-{int(found[2]):02}" if found[3] else f"{int(found[2])} {_MONTHS[month - 1]}"

    names = "|".join(_MONTHS)
    turn = rf"\b({names}) (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?\b"
    kept = re.sub(turn, lambda found: f"\0{turned(found)}\0", prompt)
    parts = kept.split("\0")
    iso = r"\b(\d{4})-(\d{2})-(\d{2})\b"
    return "".join(part if n % 2 else re.sub(iso, spelled, part) for n, part in enumerate(parts))


VARIANTS: dict[str, Callable[[str], str]] = {
    "as written": plain,
    "lower case": str.lower,
    "no quotation marks": without_quotes,
    "other dates": other_dates,
}
