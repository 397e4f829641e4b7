"""Turns arithmetic as people write it into Python's notation.

Examples are ``15% of 80``, ``2 times 3``, ``5 × 4²``, ``1,000 / 7``, ``5!`` and ``2(3 + 4)``.
"""  # noqa: RUF002 (the sign for times)

from __future__ import annotations

import re

from gitu_core.errors import ToolError

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("×·⋅∙", "*"),  # noqa: RUF001 (what people type)
        **dict.fromkeys("÷∕", "/"),  # noqa: RUF001
        **dict.fromkeys("−–—", "-"),  # noqa: RUF001
        **dict.fromkeys("[{", "("),
        **dict.fromkeys("]}", ")"),
        **dict.fromkeys("’“”\"'", ""),  # noqa: RUF001
        "π": " pi ",
        "√": " sqrt ",
        "^": "**",
        "²": "**2",
        "³": "**3",
        "°": " deg ",
    }
)

_QUESTION = r"^\s*(?:please\s+)?(?:what(?:\s*s|\s+is|\s+are)|how much is|calculate|compute|work out|evaluate|solve)\b"
_WORDS = (
    (_QUESTION, " "),
    (r"(?:=|\?|\.)+\s*$", " "),
    (r"(?<=\d)\s*(?:percent|per cent)\b", "%"),
    (r"\bsquare root of\b", " sqrt "),
    (r"\b(?:cube|cubic) root of\b", " cbrt "),
    (r"\bto the power of\b|\braised to\b", "**"),
    (r"\bthe\b", " "),
    (r"\bsquared\b", "**2"),
    (r"\bcubed\b", "**3"),
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\b(?:times|multiplied by)\b|(?<=[\d)])(?<!\b0)\s*x\s*(?=[\d(])", "*"),
    (r"\b(?:divided by|over)\b", "/"),
    (r"\bmodulo\b", " mod "),
    (r"\bdegrees?\b(?!\s*\()", " deg "),
)
_REPLACEMENTS = tuple((re.compile(pattern, re.IGNORECASE), with_) for pattern, with_ in _WORDS)

_GROUPED = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_ARGUMENTS = re.compile(r"[a-z]\w*\s*\([^)]*,", re.IGNORECASE)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xob][0-9a-f_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)|(?P<name>[a-z_]\w*)"
    r"|(?P<op>\*\*|//|[-+*/%(),!]))",
    re.IGNORECASE,
)
_SHARES = ("of", "off", "mod")


def to_python(text: str) -> str:
    """*text* as a Python expression in ASCII. `ToolError` for a character that has no place in arithmetic."""
    plain = text.translate(_SIGNS)
    for pattern, replacement in _REPLACEMENTS:
        plain = pattern.sub(replacement, plain)
    if not _ARGUMENTS.search(plain):  # the comma in max(1,000) separates arguments
        plain = _GROUPED.sub(lambda found: found[0].replace(",", ""), plain)
    tokens = _tokens(plain.rstrip(), text)
    if not tokens:
        raise ToolError("there is nothing to calculate", hint="pass an expression such as 2 * (3 + 4)")
    return " ".join(_join(_percent(_bracket(_factorials(tokens)))))


def _tokens(text: str, original: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or not match[0].strip().isascii():
            wrong = text[at:].strip()[:1]
            raise ToolError(
                f"{wrong!r} in {original.strip()[:80]!r} is not arithmetic",
                hint="use numbers, + - * / ^ %, brackets and functions",
            )
        found.append(match[0].strip())
        at = match.end()
    return found


def _is_number(token: str) -> bool:
    return token[:1].isdigit() or (token[:1] == "." and len(token) > 1)


def _is_name(token: str) -> bool:
    return token[:1].isalpha() or token[:1] == "_"


def _operand(tokens: list[str]) -> int:
    """How many tokens at the end make the last operand; 0 if there is none."""
    if not tokens or not (_is_number(tokens[-1]) or tokens[-1] == ")"):
        return 0
    depth = 0
    for count, token in enumerate(reversed(tokens), 1):
        depth += (token == ")") - (token == "(")
        if depth == 0:
            called = len(tokens) > count and _is_name(tokens[-count - 1])
            return count + called
    return 0


def _factorials(tokens: list[str]) -> list[str]:
    """``5!`` as ``factorial(5)``, for numbers and brackets."""
    found: list[str] = []
    for token in tokens:
        if token != "!":
            found.append(token)
        elif size := _operand(found):
            found[-size:] = ["factorial", "(", *found[-size:], ")"]
        else:
            raise ToolError("! has no number before it", hint="write 5! or factorial(5)")
    return found


def _bracket(tokens: list[str]) -> list[str]:
    """``sqrt 16`` as ``sqrt(16)``: the next number or constant is the argument."""
    found: list[str] = []
    close = False
    for number, token in enumerate(tokens):
        following = tokens[number + 1] if number + 1 < len(tokens) else ""
        found.append(token)
        if close and not (_is_name(token) and following == "("):
            found.append(")")
            close = False
        if token in ("sqrt", "cbrt") and following not in ("", "("):
            found.append("(")
            close = True
    return found


def _percent(tokens: list[str]) -> list[str]:
    """``15% of 80``, ``80 + 10%`` (of the 80), ``20% off 50``.

    Before an operand ``%`` stays the remainder.
    """
    found: list[str] = []
    for number, token in enumerate(tokens):
        following = tokens[number + 1] if number + 1 < len(tokens) else ""
        operand = following == "(" or _is_number(following) or (_is_name(following) and following not in _SHARES)
        if token == "%" and not operand:
            found = _apply_percent(found, following)
        elif token == "off":
            # What stands before is a share of one: what it leaves over is taken of what follows.
            start = len(found) - max(1, _operand(found))
            found[start:] = ["(", "1", "-", *found[start:], ")", "*"]
        else:
            found.append({"mod": "%", "of": "*"}.get(token, token))
    return found


def _apply_percent(tokens: list[str], following: str) -> list[str]:
    size = _operand(tokens)
    if not size:
        raise ToolError("% has no number before it", hint="write 15% of 80")
    before, share = tokens[:-size], ["(", *tokens[-size:], "/", "100", ")"]
    if before[-1:] in (["+"], ["-"]) and following not in ("of", "off", "*", "/"):
        start = _sum_before(before[:-1])
        base = before[start:-1]
        if base:
            return [*before[:start], "(", *base, ")", "*", "(", "1", before[-1], *share, ")"]
    return [*before, *share]


def _sum_before(tokens: list[str]) -> int:
    """Where the sum that a percentage is added to begins: after the bracket or comma that opens it."""
    depth = 0
    for at in range(len(tokens) - 1, -1, -1):
        depth += (tokens[at] == ")") - (tokens[at] == "(")
        if depth < 0 or (depth == 0 and tokens[at] == ","):
            return at + 1
    return 0


def _join(tokens: list[str]) -> list[str]:
    """Puts in the multiplication that people leave out: ``2pi``, ``3(4 + 1)``, ``(1 + 2)(3 + 4)``."""
    found: list[str] = []
    for token in tokens:
        before = found[-1] if found else ""
        ends = before == ")" or _is_number(before)
        begins = token == "(" or _is_name(token)
        if (ends and begins) or (before == ")" and _is_number(token)):
            found.append("*")
        found.append(token)
    return found
