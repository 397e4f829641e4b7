"""Shapes in a text: sums, numbers, conversions, addresses, dates, quotations."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
URL = re.compile(r"https?://[^\s<>\"']+|\bwww\.[^\s<>\"']+")
QUOTED = re.compile(r"[\"“”«»]([^\"“”«»]+)[\"“”«»]|(?<!\w)['\u2018]([^'\u2019]+)['\u2019](?!\w)")
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?(?![\d])", re.IGNORECASE)
_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?\b")
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\s*(am|pm)?\b|\b(\d{1,2})\s*(am|pm)\b|\b(noon|midnight)\b", re.IGNORECASE)
_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905 - it reads better
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905 - it reads better
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS)
_NAMED = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({_MONTH})"
    rf"|({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?)(?:,?\s+(\d{{4}}))?\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    rf"\b(the day after tomorrow|today|tomorrow|yesterday|tonight"
    rf"|(?:(?:next|this|on)\s+)?(?:{'|'.join(_DAYS)}))\b",
    re.IGNORECASE,
)
_UNIT = r"[^\W\d_][\w²³/]*(?:\s(?!(?:and|to|into|in|as|is|are)\b)[\w²³/]+){0,2}?|°\s?[CFK]|[€$£%°]"
_CONVERSION = re.compile(
    rf"({NUMBER.pattern})\s*(?:of\s+)?((?:{_UNIT}))\s+(?:to|into|in|as)\s+({_UNIT}|°\s?\w)\s*(?:please)?\s*[?.!]*\s*$",
    re.IGNORECASE,
)
_HOW_MANY = re.compile(
    rf"how\s+(?:many|much)\s+({_UNIT})\s+(?:is|are|equals?|make|in|do|does|there)\b.*?"
    rf"({NUMBER.pattern})\s*({_UNIT})\s*[?.!]*\s*$",
    re.IGNORECASE,
)
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_TENS = "thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905 - it reads better
_SPOKEN = {
    **{word: str(number) for number, word in enumerate(_SMALL)},
    **{word: str(10 * number) for number, word in enumerate(_TENS, 3)},
    **{"dozen": "12", "hundred": "100", "thousand": "1000", "million": "1000000", "half": "0.5"},
}
_SPOKEN_RE = re.compile(rf"\b(?:{'|'.join(_SPOKEN)})\b", re.IGNORECASE)
_SUMS = (
    (rf"\bdivide ({NUMBER.pattern}) by\b", r"\1 /"),
    (rf"\bmultiply ({NUMBER.pattern}) (?:by|with)\b", r"\1 *"),
    (rf"\badd ({NUMBER.pattern}) (?:and|to)\b", r"\1 +"),
    (rf"\bsubtract ({NUMBER.pattern}) from ({NUMBER.pattern})", r"\2 - \1"),
    (r"(?<=\d)\s*(?:percent|per cent)\b", "%"),
)
"""Sums that are put as an order, and the word for a sign."""

_OPERATORS = (
    (r"\bmultiplied by\b", "*"),
    (r"\btimes\b", "*"),
    (r"(?<=[\d)])\s*[x\u00d7]\s*(?=[\d(])", "*"),
    (r"\bdivided by\b", "/"),
    (r"\bover\b|÷", "/"),
    (r"\bplus\b", "+"),
    (r"\bminus\b|\u2212", "-"),
    (r"\bto the power of\b", "**"),
    (r"\braised to(?: the power of)?\b|\^", "**"),
    (r"\bsquared\b", "**2"),
    (r"\bcubed\b", "**3"),
    (r"(\d+(?:\.\d+)?)\s*%\s*of\b", r"\1/100*"),
    (r"\b(?:the )?square root of\s*(\d+(?:\.\d+)?)", r"sqrt(\1)"),
    (r"\bmod(?:ulo)?\b", "%"),
)
_FUNCTION = r"\b(?:sqrt|sin|cos|tan|log|ln|exp|abs|round|min|max|pi|factorial)\b"
_SAID = r"\b(?:multiplied by|times|divided by|plus|minus|to the power of|squared|cubed)\b|(?<=%) of\b"
_ROOT = r"\b(?:the )?square root of\b"
_EXPRESSION = re.compile(
    rf"(?:{_FUNCTION}|{_ROOT}|[\d(.+\-])(?:{_FUNCTION}|{_ROOT}|{_SAID}|[\d\s().,+\-*/%!])*", re.IGNORECASE
)
_IS_SUM = re.compile(
    rf"[\d)]\s*(?:\*\*|[-+*/%!]|(?:{_SAID}))\s*[\d(.a-z-]|\d\s*%\s*of\s*[\d(]|(?:squared|cubed)$|[a-z]+\(|\d!|{_ROOT}\s*[\d(]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Conversion:
    """So much of one unit, wanted in another."""

    value: float
    source: str
    target: str


def numbers(text: str) -> list[tuple[int, float]]:
    """The numbers in *text*, in digits and in words, with where they stand."""
    found = [(match.start(), float(match[0].replace(",", ""))) for match in NUMBER.finditer(text)]
    found += [(match.start(), float(_SPOKEN[match[0].lower()])) for match in _SPOKEN_RE.finditer(text)]
    return sorted(found)


def expression(text: str, shown: str = "") -> str:
    """The longest sum in *text*; empty if there is none.

    It is in the usual signs, but for the wordings that a tool's own words show: 15% of 80 stays as it is.
    """
    if _ISO.search(text) or URL.search(text):
        return ""
    text = _SPOKEN_RE.sub(lambda match: _SPOKEN[match[0].lower()], text)
    for pattern, sign in _SUMS:
        text = re.sub(pattern, sign, text, flags=re.IGNORECASE)
    for pattern, sign in _OPERATORS:
        if not re.search(pattern, shown, re.IGNORECASE):
            text = re.sub(pattern, sign, text, flags=re.IGNORECASE)
    best = ""
    for match in _EXPRESSION.finditer(text):
        piece = re.sub(r"(?<=\d),(?=\d{3}\b)", "", match[0]).strip(" .,+*/%=?!")
        piece = re.sub(r"^the ", "", re.sub(r"\s+", " ", piece).strip(), flags=re.IGNORECASE)
        if _IS_SUM.search(piece) and len(piece) > len(best):
            best = piece
    while best.count(")") > best.count("(") and best.endswith(")"):
        best = best[:-1]
    return best


def conversion(text: str) -> Conversion | None:
    """The conversion that *text* asks for, if it asks for one."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = _SPOKEN_RE.sub(lambda match: _SPOKEN[match[0].lower()], text)
    text = re.sub(
        r"(^|\b(?:convert|change|is|turn)\s+)an?\s+(?=\w+\s+(?:to|into|in|as)\b)", r"\g<1>1 ", text, flags=re.IGNORECASE
    )
    if match := _HOW_MANY.search(re.sub(r"(?<=\s)an?\s+(?=\w+\s*[?.!]*$)", "1 ", text)):
        return Conversion(float(match[2]), match[3].strip(), match[1].strip())
    if match := _CONVERSION.search(text):
        return Conversion(float(match[1]), match[2].strip(), match[3].strip())
    return None


def quoted(text: str) -> list[str]:
    """What stands in quotation marks."""
    return [match[1] or match[2] for match in QUOTED.finditer(text)]


def date(text: str, today: datetime.date) -> datetime.date | None:
    """The first date in *text*; a weekday is the next one after *today*."""
    if match := _ISO.search(text):
        return _safe_date(*map(int, match[0][:10].split("-")))
    if match := _NAMED.search(text):
        name, day = (match[2] or match[3]).lower()[:3], int(match[1] or match[4])
        month = next(number for number, each in enumerate(_MONTHS, 1) if each.startswith(name))
        return _safe_date(int(match[5] or today.year), month, day)
    if match := _RELATIVE.search(text):
        return _relative(match[0].lower(), today)
    return None


def date_words(text: str) -> str:
    """A date or a time as it was said."""
    spans = [match.span() for pattern in (_ISO, _NAMED, _RELATIVE, _CLOCK) for match in pattern.finditer(text)]
    if not spans:
        return ""
    start, end = min(spans)
    for low, high in sorted(spans):
        if low <= end + 4:
            end = max(end, high)
    return text[start:end]


def clock(text: str) -> str:
    """A time of day as ``HH:MM``; empty if there is none."""
    match = _CLOCK.search(text)
    if match is None:
        return ""
    if match[6]:
        return "12:00" if match[6].lower() == "noon" else "00:00"
    hour, minute, half = int(match[1] or match[4]), match[2] or "00", (match[3] or match[5] or "").lower()
    hour = hour % 12 + 12 if half == "pm" else hour % 12 if half == "am" else hour
    return f"{hour:02}:{minute}"


def _safe_date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None


def _relative(word: str, today: datetime.date) -> datetime.date:
    steps = {"today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1, "the day after tomorrow": 2}
    if word in steps:
        return today + datetime.timedelta(days=steps[word])
    ahead = (_DAYS.index(word.split()[-1]) - today.weekday()) % 7 or 7
    return today + datetime.timedelta(days=ahead)
