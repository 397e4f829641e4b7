"""Changes a ``gitu.toml``: what is not changed stays as somebody wrote it, comments and order included.

A change is written only if the whole file is good afterwards; whoever reads it meanwhile sees it before or after.
"""

from __future__ import annotations

import os
import re
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gitu_core.config import Settings, from_dict
from gitu_core.errors import ConfigError, InputError
from gitu_core.locks import lock
from gitu_core.store.files import write_whole

Change = tuple[Sequence[str], Any]
"""The keys that lead to a setting, and its new value; None removes it."""

SECRETS = "secrets"
"""The folder in the home folder that has secrets which were typed in, one a file."""

PATIENCE = 5.0
"""Seconds that one who wants to change a file waits for another one."""

_SECRET = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


def change(
    file: Path, changes: Sequence[Change], check: Callable[[Settings], None] = lambda settings: None
) -> Settings:
    """Makes all *changes* or none; gives the settings as they are in the file then. `ConfigError` names the field that
    would not be good, by `from_dict` or by *check*."""
    file = Path(os.path.realpath(file))  # a link stays a link
    held = _locked(file)
    try:
        text = changed(_text(file), changes)
        settings = from_dict(tomllib.loads(text))
        check(settings)
        write_whole(file, text.encode(), file.stat() if file.exists() else None)
    finally:
        os.close(held)
    return settings


def changed(text: str, changes: Sequence[Change]) -> str:
    """The text of a file after *changes*. `ConfigError` if it is no TOML."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document, wanted = tomlkit.parse(text), tomllib.loads(text)
        for keys, value in changes:
            _set(document, keys, value, tomlkit.table)
            _set(wanted, keys, value)
        found = tomlkit.dumps(document)
        if not found.encode() or tomllib.loads(found) != msgspec.to_builtins(wanted):  # the library moves what is odd
            raise ValueError("as it is written, this cannot be changed without changing something else")
        return found
    except (TOMLKitError, AttributeError, TypeError, ValueError, RecursionError) as error:
        hint = "correct the file by hand; write sections like [plugins.ID], and neither dotted keys nor {…}"
        raise ConfigError(f"gitu.toml: {error}", hint=hint, field="gitu.toml") from error


def _set(document: Any, keys: Sequence[str], value: Any, table: Callable[..., Any] = lambda **_: {}) -> None:
    *path, last = keys
    found = document
    for number, key in enumerate(path):
        if key not in found:
            if value is None:
                return
            found[key] = table(is_super_table=number + 1 < len(path))
        found = found[key]
    if value is not None:
        found[last] = value
    elif last in found:
        del found[last]


def secret_change(home: Path, name: str, secret: str) -> Change:
    """The change that names the file of a secret. `InputError` if it is no name, or no secret."""
    if not _SECRET.fullmatch(name):
        raise InputError(f"{name!r} is not the name of a secret", hint="use letters, digits and _")
    if not secret.strip() or not secret.strip().isprintable():
        raise InputError(f"{name} is empty, or more than one line", hint="paste it once more")
    return ("secrets", name), f"file:{(home / SECRETS / name).absolute()}"


def keep_secret_file(home: Path, name: str, secret: str) -> Change:
    """Keeps a secret in a file of its own that only its owner may read; gives the change that names it. The secret
    itself goes into no settings. `InputError` if it is none."""
    found = secret_change(home, name, secret)
    (home / SECRETS).mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(home / SECRETS / name, secret.strip().encode())
    return found


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode() if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", hint="correct the file", field=str(file)) from error


def _locked(file: Path) -> int:
    ends = time.monotonic() + PATIENCE
    while (held := lock(file.with_name(f".{file.name}.lock"))) is None:
        if time.monotonic() > ends:
            what = f"{file} is being changed by somebody else"
            raise ConfigError(what, hint="try again in a moment", field=str(file))
        time.sleep(0.05)
    return held
