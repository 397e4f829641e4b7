"""Secrets that this process knows, and how they are kept out of what it tells: logs, errors, pages of the command.

Whoever reads a secret says so (`keep_secret`); whoever tells something passes it through `hidden`.
"""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

from gitu_core.errors import GituError
from gitu_core.model import ErrorInfo

SHORTEST = 6
"""Characters that a secret has at least: what is shorter stands everywhere by chance."""

SUSPECT = re.compile(r"(?i:key|token|secret|credential)(?:s|S)?(?![a-z])|(?i:passw|pwd|passphrase|authorization)")
"""Settings whose names say that they hold secrets; a "keyword" or a "tokenizer" is none."""

_IN_URL = re.compile(r"(?<=://)([^\s/?#:@]*:)[^\s/?#]+(?=@)")

_JSON = (str, int, float, bool, type(None))

_known: dict[str, str] = {}
_forms: list[tuple[str, str]] = []


def keep_secret(name: str, value: str) -> None:
    """From now on *value*, and each long line of it, is told as ``[secret NAME]``."""
    if value in _known:
        return
    _known[value] = name
    lines = [value.strip(), *(line.strip() for line in value.splitlines() if len(line.strip()) >= 20)]
    forms = {form: name for line in lines if len(line) >= SHORTEST for form in spellings(line)} | dict(_forms)
    _forms[:] = sorted(forms.items(), key=lambda each: -len(each[0]))  # one may be a part of another


def spellings(secret: str) -> list[str]:
    """The usual spellings of *secret*, the longest first: one may be a part of another."""
    data = secret.encode("utf-8", "replace")
    quoted = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    coded = {quote(data, ""), quote(data), quote_plus(data), html.escape(secret), "".join(f"%{b:02X}" for b in data)}
    found = {secret, *quoted, *(json.dumps(each)[1:-1] for each in quoted), *coded, *(quote(each) for each in coded)}
    found |= {re.sub("%..", lambda escape: escape[0].lower(), each) for each in coded}
    found |= {"".join(escape % ord(each) for each in secret) for escape in ("\\u%04X", "\\u%04x", "&#%d;", "&#x%X;")}
    if len(secret) >= SHORTEST:
        found |= {data.hex(), data.hex().upper()}
        for before in range(3):  # bytes that stand before it; a character that it shares with others is left out
            text = base64.b64encode(bytes(before) + data)[-(-before * 8 // 6) : (before + len(data)) * 8 // 6].decode()
            found |= {text, text.replace("+", "-").replace("/", "_"), text.replace("/", "\\/"), quote(text, safe="")}
    return sorted(found, key=len, reverse=True)


def known_secrets() -> dict[str, str]:
    """The secrets that this process knows, by name, those of one name with a number behind it."""
    return {f"{name}.{n}" if name in list(_known.values())[:n] else name: value
            for n, (value, name) in enumerate(_known.items())}  # fmt: skip


def hidden(text: str) -> str:
    """*text* without secrets, in any of the forms in which they are usually written."""
    for form, name in tuple(_forms):
        if form in text:
            text = text.replace(form, f"[secret {name}]")
    return text


def without_secrets(value: Any, secret: bool = False) -> Any:
    """A JSON value without secrets: those that this process knows, texts below a name that says that it holds one, all
    texts where the whole is *secret*, and passwords in URLs."""
    if isinstance(value, dict):
        return {key: without_secrets(each, secret or bool(SUSPECT.search(str(key)))) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(each, secret) for each in value]
    if isinstance(value, str) and value:
        return "[secret]" if secret else _IN_URL.sub(r"\1[secret]", hidden(value))
    return value


def error_info(error: BaseException) -> ErrorInfo:
    """An error as a value, without secrets. Of an error that is not ours only its class is told: its text may hold
    anything."""
    if isinstance(error, GituError):
        told = {key: hidden(value) if isinstance(value, str) else value for key, value in error.details.items()}
        details = {hidden(key): value for key, value in told.items() if isinstance(value, _JSON)}
        return ErrorInfo(error.code, hidden(error.message), hidden(error.hint), details)
    return ErrorInfo("error", f"{type(error).__name__} was raised", "see the log")


class Discreet(logging.Filter):
    """Takes secrets out of what is logged, tracebacks included. A record without any is left as it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything pass."""
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - who logs wrongly is told by the handler, and must not fail for it here
            return True
        if (clean := hidden(said)) != said:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] and not record.exc_text:
            raised = logging.Formatter().formatException(record.exc_info)
            if (clean := hidden(raised)) != raised:
                record.exc_text, record.exc_info = clean, None
        return True


DISCREET = Discreet()


def guard_logs() -> None:
    """Lets the loggers of Gitu, those that there are by now, tell no secret."""
    _guard(len(logging.root.manager.loggerDict))  # they only ever get more


@cache
def _guard(loggers: int) -> None:
    for name in ("gitu", *(name for name in logging.root.manager.loggerDict if name.startswith("gitu"))):
        logging.getLogger(name).addFilter(DISCREET)  # once, however often
