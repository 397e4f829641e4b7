"""What looks like a secret: keys and tokens of services, and values that a text calls a password or a token.

Nothing here may take long, whatever the text: repeated parts are bounded, or begin where no other match can begin.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gitu_core.testing.replay.forms import SHORTEST

MARK = "[secret "
Mark = Callable[[str], str]
"""Gives what to write instead of a secret of that name."""

_START = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))"
"""Where a word begins, also after a line break in JSON."""

_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("PEM block", re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----(?:[^-]|-(?!----))*+-----END [A-Z0-9 ]{1,40}-----")),
    ("PEM block", re.compile(  # the rest of one that was cut off
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----(?:(?:\\[nr]|\s){1,4}[A-Za-z0-9+/=]{16,}+)*+"
    )),
    ("bearer token", re.compile(r"(?<=\bbearer )(?=[^\s\"']*\d)[\w.~+/=-]{12,}", re.IGNORECASE)),
    ("basic token", re.compile(r"(?<=\bbasic )(?=[^\s\"']*[\d=])[\w+/=-]{12,}", re.IGNORECASE)),
    ("key", re.compile(_START + r"(?:sk|pk|rk)-(?=[A-Za-z_-]{0,64}+\d)[\w-]{12,}")),
    ("key", re.compile(
        _START + r"(?:github_pat_\w{20,}|gh[pousr]_\w{20,}|glpat-[\w.-]{16,}|AIza[\w-]{30,}|SG\.[\w-]{16,}\.[\w-]{16,}"
        r"|xox[abeoprs]-(?=[A-Za-z_-]{0,64}+\d)[\w-]{10,}|xapp-(?=[A-Za-z_-]{0,64}+\d)[\w-]{16,}|A[KS]IA[0-9A-Z]{16}"
        r"|[sr]k_(?:live|test)_\w{16,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36})"
    )),
    ("web token", re.compile(r"(?:(?<![\w-])|(?<=\\[nrt]))eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    ("password in a URL", re.compile(r"(?<=://)([^\s/:@\"'\\]*:)(?!\[secret )[^\s/@\"'\\]+(?=@)")),
    ("key in a URL", re.compile(
        r"([?&;][\w.-]{0,64}?(?:key|token|secret|passw(?:or)?d|signature)=)(?!\[secret )[^\s&;#\"'<>\\]+", re.IGNORECASE
    )),
    ("authorization", re.compile(
        r"(authorization\\{0,8}[\"']?[ \t]{0,4}[:=][ \t]{0,4}\\{0,8}[\"']?"
        r"(?:bearer|basic|token|digest|apikey)[ \t]{1,4})"
        r"(?!\[secret |(?:(?:access_|api_|your_?|my_?)?(?:token|key)s?|header|scheme|with|authentication)\b)"
        r"[\w.~+/=@:!#-]{4,}", re.IGNORECASE,
    )),
)  # fmt: skip
"""What looks like a secret, by what it is called in its place. A group is what stands before it and stays."""

_NAME = r"passwords?|passwd|passphrase|(?<![a-z])pwd|secret|token|(?:api|access|private)[_-]?key"
_NAMES = re.compile(_NAME)
NAMED = re.compile(rf"(?:{_NAME}|authorization)\Z", re.IGNORECASE)
"""Names of values that are secrets, by their end."""

_SAID = re.compile(
    rf"((?P<name>{_NAME})\\{{0,8}}[\"']?(?P<sign>[ \t]{{0,4}}(?:=>|:=|:|={{1,3}})[ \t]{{0,4}}))"
    r"(?:(?P<open>\\{0,8}[\"'])(?P<quoted>[^\r\n]{1,512}?)(?<!\\)(?P=open)|(?P<bare>[^\s\"'`<>,;&\\]+))",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"[A-Za-z_][\w.]*[(\[]|(?:self|os|settings|config|args|options|process|env|environ)\.|\$\{?\w+\}?\Z|[%{]|https?:"
    r"|(?:env|file):|[*.•xX]+\Z|\[|\((?!\S*\))|<[^<>]*>\Z|\s"
)
"""Values that are code, that stand for others, or say where to look."""

_WORD = re.compile(r"[^\W\d_]*(?:[._-]+[^\W\d_]+)*\Z")
_PLAIN = frozenset({
    "required", "optional", "string", "str", "text", "bytes", "int", "integer", "number", "float", "bool", "boolean",
    "object", "array", "list", "dict", "none", "null", "nil", "undefined", "true", "false", "empty", "hidden",
    "changed", "missing", "invalid", "wrong", "unknown", "expired", "incorrect", "default", "unset", "void",
    "accepted", "rejected", "redacted", "value", "your", "mine", "here", "example", "char", "varchar",
})  # fmt: skip
"""Words that stand behind "password:" without being one."""


def without_shapes(text: str, mark: Mark) -> str:
    """*text* without what looks like a secret."""
    for name, pattern in _SHAPES:
        text = pattern.sub(lambda found, name=name: (found[1] if found.re.groups else "") + mark(name), text)  # type: ignore[misc]
    return _SAID.sub(lambda found: _said(found, mark), text)


def is_secret(value: str) -> bool:
    """True if *value*, which stands under the name of a secret, is one, and no word of a description."""
    return len(value) >= SHORTEST and MARK.strip() not in value and not _CODE.match(value) and not _describes(value)


def _said(found: re.Match[str], mark: Mark) -> str:
    """What a text calls a secret: in quotes whatever it is, else only what is no prose and no code."""
    personal = found["name"][0] in "pP" and found["name"][:3].lower() != "pri"
    name, quoted = "password" if personal else "token", found["quoted"]
    if quoted is not None:
        return f"{found[1]}{found['open']}{mark(name)}{found['open']}" if is_secret(quoted) else found[0]
    bare = found["bare"].rstrip(".:!?)]}")
    if not is_secret(bare) or (personal and bare[0] in "/."):
        return found[0]
    end = found.start("bare") + len(bare)
    after = found.string[end : end + 1]
    if _WORD.match(bare) and not (after in ("", "\n", "\r", '"', "\\", "&", ";") and _given(found["sign"], personal)):
        return found[0]
    if not personal and bare.isdecimal() and len(bare) < 6:
        return found[0]
    return found[1] + mark(name) + found["bare"][len(bare) :]


def _given(sign: str, personal: bool) -> bool:
    """True if a word at the end of a line may be a secret: ``password: word``, ``token=word``."""
    return personal if ":" in sign else sign == "="


def _describes(value: str) -> bool:
    word = value.strip("()[]*. ").lower()
    return word in _PLAIN or bool(
        (_WORD.match(word) and _NAMES.search(word)) or (word.isidentifier() and NAMED.search(word))
    )
