"""Settings: one ``gitu.toml``, environment over it, secrets by reference, per-plugin configuration by schema.

model = "provider/some-model"              # or a list, best first; empty = the best provider that can be used
database = "postgresql://user@host/db"   # default: a file in the home folder
master_key = "keyring:gitu"              # or env:NAME or file:/path; default: GITU_MASTER_KEY, else a file there

[profiles.default]
instructions = "You are brief."
tools = ["*"]
[profiles.default.limits]
steps = 12

[plugins.example]                        # enabled = true, and what the plugin's schema allows
enabled = true

[secrets]                                # a name and where to find it: env:NAME or file:/path
EXAMPLE_KEY = "env:MY_KEY"
[channels.example]                       # who may talk there, and whether it may approve and link
access = "paired"
[people.anna.secrets]                    # the keys that a person brings
EXAMPLE_KEY = "env:ANNAS_KEY"
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitu_core.contracts.adapter import Access
from gitu_core.errors import AuthFailed, ConfigError
from gitu_core.manifest import Manifest
from gitu_core.model.base import Value
from gitu_core.secrecy import keep_secret

FILE_NAME = "gitu.toml"


class Limits(Value, frozen=True):
    """What one turn may use: model calls (`steps`), wall time (`seconds`), US dollars (`cost`, None = no limit), tokens
    written by models (`output_tokens`), tokens of history (`context_tokens`), tool calls at once (`calls`)."""

    steps: int = 12
    seconds: float = 300.0
    cost: float | None = None
    output_tokens: int = 16_000
    context_tokens: int = 32_000
    calls: int = 8


class Profile(Value, frozen=True):
    """An agent by name. `models` in order of preference, `tools` as patterns of names (``clock``, ``note*``,
    ``plugin:*``), `delegates` are profiles that this
    one may call as tools. With `exact` no model but those named is ever asked."""

    name: str = "default"
    description: str = ""
    instructions: str = "You are Gitu, a helpful assistant. Answer briefly and truthfully. Use tools where they help."
    models: tuple[str, ...] = ()
    tools: tuple[str, ...] = ("*",)
    delegates: tuple[str, ...] = ()
    prefer: Literal["quality", "cost", "latency", "balanced"] = "balanced"
    temperature: float | None = None
    exact: bool = False
    limits: Limits = Limits()


class ChannelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator says about a channel: who may talk there (`access`, see `Channel`), and whether what comes from
    there may approve and link (`trust`: ``full``) or is for talk alone (``talk``). What is not said is as the channel
    says of itself."""

    access: Access | None = None
    trust: Literal["full", "talk"] | None = None


class Settings(Value, frozen=True):
    """Everything that a ``gitu.toml`` may say."""

    home: str = ""
    database: str = ""
    master_key: str = ""
    tenant: str = "main"
    model: str | tuple[str, ...] = ()
    router: str = ""
    dispatcher: str = ""
    user: str = "local"
    idle_days: float = 30.0
    max_turns: int = 512
    lease_seconds: float = 10.0
    fallbacks: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    profiles: dict[str, Profile] = msgspec.field(default_factory=dict)
    plugins: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    secrets: dict[str, str] = msgspec.field(default_factory=dict)
    people: dict[str, dict[str, dict[str, str]]] = msgspec.field(default_factory=dict)
    channels: dict[str, ChannelRules] = msgspec.field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The home folder, as a path."""
        return Path(self.home)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The models to use where a profile names none."""
        return (self.model,) if isinstance(self.model, str) and self.model else tuple(self.model)

    def profile(self, name: str) -> Profile:
        """The profile *name*. `ConfigError` if there is none."""
        if name in self.profiles:
            return msgspec.structs.replace(self.profiles[name], name=name)
        if name == "default":
            return Profile()
        known = ", ".join(sorted({"default", *self.profiles}))
        raise ConfigError(f"there is no profile {name!r}", hint=f"use one of: {known}", field=f"profiles.{name}")


def default_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Where Gitu keeps its data: ``GITU_HOME``, else the platform's folder for application data."""
    if environ.get("GITU_HOME"):
        return Path(environ["GITU_HOME"]).expanduser()
    from platformdirs import user_data_path

    return user_data_path("gitu", appauthor=False)


def load(file: str | Path | None = None, environ: Mapping[str, str] = os.environ, **overrides: Any) -> Settings:
    """Reads *file*, else ``GITU_CONFIG``, else ``gitu.toml`` here or in the home folder, if there is one.

    Then the environment (``GITU_MODEL``, ``GITU_DATABASE``) and *overrides* go over it. `ConfigError` names the field.
    """
    home = Path(overrides.get("home") or default_home(environ))
    named = file or environ.get("GITU_CONFIG")
    candidates = [Path(named)] if named else [Path(FILE_NAME), home / FILE_NAME]
    path = next(filter(Path.is_file, candidates), None)
    if path is None and named:
        raise ConfigError(f"there is no file {named}", hint="correct GITU_CONFIG or --config", field="config")
    raw = _read(path) if path else {}
    for name, variable in (("model", "GITU_MODEL"), ("database", "GITU_DATABASE")):
        if environ.get(variable):
            raw[name] = environ[variable]
    raw.update({key: value for key, value in overrides.items() if value is not None})
    if "home" not in raw or overrides.get("home") or environ.get("GITU_HOME"):
        raw["home"] = str(home)  # the file's own word counts where neither caller nor environment say otherwise
    return from_dict(raw)


def from_dict(raw: dict[str, Any]) -> Settings:
    """Settings from plain data. `ConfigError` names the field that does not fit or is not known."""
    unknown = set(raw) - set(Settings.__struct_fields__)
    if unknown:
        name = min(unknown)
        raise ConfigError(f"there is no setting {name!r}", hint="see docs/configuration.md", field=name)
    try:
        return msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") or "gitu.toml"
        raise ConfigError(f"{field}: {message}", hint="correct gitu.toml", field=field) from error


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {error}", hint="correct the file", field=str(path)) from error


class SecretSource:
    """Finds secrets by reference: ``platform:NAME`` or ``personal:<person>:NAME``; a bare name is the platform's."""

    def __init__(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        self._settings, self._environ = settings, environ

    def has(self, reference: str) -> bool:
        """True if the secret is set."""
        return self._find(reference) is not None

    def reveal(self, reference: str) -> str:
        """The secret. `AuthFailed` if it is not set."""
        value = self._find(reference)
        if value is None:
            name = reference.rpartition(":")[2]
            raise AuthFailed(f"the secret {name} is not set", hint=f"set the environment variable {name}", secret=name)
        return value

    def _find(self, reference: str) -> str | None:
        value = self._found(reference)
        if value is not None:
            keep_secret(reference.removeprefix("platform:"), value)
        return value

    def _found(self, reference: str) -> str | None:
        kind, _, rest = reference.partition(":")
        if kind == "personal":
            person, _, name = rest.rpartition(":")
            where = self._settings.people.get(person, {}).get("secrets", {}).get(name)
            return self._read(where) if where else None
        name = rest if kind == "platform" else reference
        return self._read(self._settings.secrets.get(name, f"env:{name}"))

    def _read(self, where: str) -> str | None:
        kind, _, rest = where.partition(":")
        if kind == "env":
            return self._environ.get(rest) or None
        if kind == "file":
            try:
                return Path(rest).expanduser().read_text(encoding="utf-8").strip() or None
            except OSError:
                return None
        raise ConfigError(f"secret reference {where!r} is neither env:NAME nor file:PATH", hint="correct [secrets]",
                          field="secrets")  # fmt: skip


def leaves_machine(manifest: Manifest, config: Mapping[str, Any]) -> bool:
    """True if a plugin may talk to another machine: it declares the network, and its configuration does not send it to
    this one."""
    if not manifest.capabilities.network:
        return False
    from urllib.parse import urlsplit

    urls = [urlsplit(value) for value in config.values() if isinstance(value, str) and "://" in value]
    return not urls or any(url.hostname not in {"localhost", "127.0.0.1", "::1"} for url in urls)


OPERATORS = frozenset({"enabled", "trusted"})
"""What the operator decides about a plugin in its section of ``gitu.toml``; the plugin never sees it."""


def plugin_config(manifest: Manifest, settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """A plugin's configuration: what ``gitu.toml`` says, then the environment named by ``x-env``, then defaults.

    `ConfigError` names the field that does not fit the plugin's JSON Schema.
    """
    values = {key: value for key, value in settings.plugins.get(manifest.id, {}).items() if key not in OPERATORS}
    properties: dict[str, Any] = manifest.config.get("properties", {}) if manifest.config else {}
    for name, schema in properties.items():
        variable = schema.get("x-env")
        if name not in values and variable and environ.get(variable):
            values[name] = _typed(environ[variable], schema.get("type"))
        elif name not in values and "default" in schema:
            values[name] = schema["default"]
    if manifest.config:
        _check(values, manifest)
    elif values:
        section = f"plugins.{manifest.id}"
        raise ConfigError(f"plugin {manifest.id} takes no configuration", hint=f"remove it from [{section}]",
                          field=f"{section}.{min(values)}", plugin=manifest.id)  # fmt: skip
    return values


def _typed(text: str, kind: object) -> Any:
    """An environment variable as the type its schema asks for; what does not parse is left for the schema to refuse."""
    try:
        return msgspec.json.decode(text) if kind in ("integer", "number", "boolean", "array", "object") else text
    except msgspec.DecodeError:
        return text


def _check(values: dict[str, Any], manifest: Manifest) -> None:
    if not values and not manifest.config.get("required"):
        return  # nothing to check, and jsonschema is slow to import
    from jsonschema import Draft202012Validator
    from referencing import Registry

    for error in Draft202012Validator(manifest.config, registry=Registry()).iter_errors(values):
        path = ".".join(str(part) for part in error.absolute_path)
        field = f"plugins.{manifest.id}.{path}".rstrip(".")
        raise ConfigError(f"{field}: {error.message}", hint="correct gitu.toml", field=field, plugin=manifest.id)
