"""Every secret of an installation, by name: what settings, people and plugins name, and what is set there itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from gitu_core import secrecy
from gitu_core.config import plugin_config
from gitu_core.errors import GituError
from gitu_core.wiring import House


def known_secrets(house: House) -> dict[str, str]:
    """Every secret that settings and manifests name and that is set, by name."""
    settings, found = house.settings, dict[str, str]()
    references = {name: name for name in settings.secrets}
    for person, words in settings.people.items():
        references |= {f"personal:{person}:{name}": name for name in words.get("secrets", {})}
    configs: dict[str, Mapping[str, Any]] = dict(settings.plugins)
    for plugin in house.registry.plugins():
        manifest = house.registry.manifest(plugin.id)
        references |= {need.name: need.name for need in manifest.capabilities.secrets}
        with suppress(GituError):  # what does not fit its schema is looked at as it is
            configs[plugin.id] = {**settings.plugins.get(plugin.id, {}), **plugin_config(manifest, settings)}
    for reference, name in references.items():
        with suppress(GituError):  # what is not set cannot stand anywhere
            found.setdefault(name if name not in found else reference, house.secrets.reveal(reference))
    for name, value in list(found.items()):
        found |= {f"{name}.{n}": line for n, line in enumerate(_lines(value), 1)}
    for plugin_id, values in configs.items():
        found |= _settings(plugin_id, values, False)
    # What this process has read otherwise as well: master keys, from wherever they come.
    return {**secrecy.known_secrets(), **found, **_password("database", settings.database)}


def _settings(path: str, value: Any, secret: bool) -> dict[str, str]:
    """The strings below a setting that is *secret*, and those below the ones in it that are."""
    if isinstance(value, str):
        return {path: value} if secret else _password(path, value)
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    found: dict[str, str] = {}
    for key, item in items:
        found |= _settings(f"{path}.{key}", item, secret or bool(secrecy.SUSPECT.search(str(key))))
    return found


def _lines(secret: str) -> list[str]:
    """The long lines of a secret that has several, such as a key in a file: each may stand alone."""
    lines = [line.strip() for line in secret.splitlines()]
    return [line for line in lines if len(line) >= 20 and not line.startswith("-----")] if len(lines) > 1 else []


def _password(name: str, url: str) -> dict[str, str]:
    """The password in a URL, as it stands there and as it is."""
    try:
        password = urlsplit(url).password or ""
    except ValueError:  # a URL that is wrong holds nothing that anybody could have used
        return {}
    return {name: password, f"{name}.password": unquote(password)} if password else {}
