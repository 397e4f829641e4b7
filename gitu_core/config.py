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

[budgets.daily]                          # what may be spent: a dollar a day for every user
per = ["user"]
period = "day"
cost = 1.0

[secrets]                                # a name and where to find it: env:NAME or file:/path
EXAMPLE_KEY = "env:MY_KEY"
[channels.example]                       # who may talk there, and whether it may approve and link
access = "paired"
[people.anna.secrets]                    # the keys that a person brings
EXAMPLE_KEY = "env:ANNAS_KEY"
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Literal

import msgspec

from gitu_core.contracts.adapter import Access
from gitu_core.contracts.authority import Mode
from gitu_core.errors import AuthFailed, ConfigError, nearest
from gitu_core.manifest import Manifest
from gitu_core.model.base import Value
from gitu_core.secrecy import SUSPECT, keep_secret

FILE_NAME = "gitu.toml"


class Limits(Value, frozen=True):
    """What one turn may use: model calls (`steps`), wall time (`seconds`), US dollars (`cost`, None = no limit), tokens
    written by models (`output_tokens`), tokens of history (`context_tokens`), tool calls at once (`calls`), how often
    the same tool call may give the same result (`repeats`), and how often a person may be asked (`questions`)."""

    steps: int = 12
    seconds: float = 300.0
    cost: float | None = None
    output_tokens: int = 16_000
    context_tokens: int = 32_000
    calls: int = 8
    repeats: int = 5
    questions: int = 8


class Profile(Value, frozen=True):
    """An agent by name. `models` in order of preference, `tools` as patterns of names (``clock``, ``note*``,
    ``plugin:*``), `delegates` are profiles that this one may call as tools. With `exact` no model but those named is
    ever asked. `mode` ``confirm`` asks before everything that acts, ``read-only`` denies it. What others wrote is
    `outside`: shown to the model, or kept behind handles that it hands on unseen."""

    name: str = "default"
    description: str = ""
    instructions: str = "You are Gitu, a helpful assistant. Answer briefly and truthfully. Use tools where they help."
    models: tuple[str, ...] = ()
    tools: tuple[str, ...] = ("*",)
    delegates: tuple[str, ...] = ()
    prefer: Literal["quality", "cost", "latency", "balanced"] = "balanced"
    temperature: float | None = None
    exact: bool = False
    mode: Mode = "default"
    outside: Literal["shown", "handles"] = "shown"
    limits: Limits = Limits()


class Envelope(Value, frozen=True):
    """A budget: what the calls that it counts may use in a `period`, in US dollars (`cost`) and `tokens`.

    It counts a call that fits all of `users` to `owners` (patterns; an empty one fits any), apart for each of `per`: a
    user, a session, a plugin, a job, a model, or the owner of a key (``platform`` or ``personal:<user>``). Its user is
    told when a part `warn` of it is used; when it is used up, `on_exhausted` tells what happens.
    """

    per: tuple[Literal["user", "session", "plugin", "job", "model", "owner"], ...] = ()
    users: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    owners: tuple[str, ...] = ("platform",)
    period: Literal["day", "month", "total"] = "month"
    cost: float | None = None
    tokens: int | None = None
    warn: tuple[float, ...] = (0.8,)
    on_exhausted: Literal["stop", "cheaper"] = "stop"


class ChannelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator says about a channel: who may talk there (`access`, see `Channel`), and whether what comes from
    there may approve and link (`trust`: ``full``) or is for talk alone (``talk``). What is not said is as the channel
    says of itself. Without `fallback`, nothing that is for this channel goes to another one, or the other way round."""

    access: Access | None = None
    trust: Literal["full", "talk"] | None = None
    fallback: bool = True


class Settings(Value, frozen=True):
    """Everything that a ``gitu.toml`` may say, and the `file` that said it, or would."""

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
    timezone: str = "UTC"
    fallbacks: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    profiles: dict[str, Profile] = msgspec.field(default_factory=dict)
    budgets: dict[str, Envelope] = msgspec.field(default_factory=dict)
    plugins: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    secrets: dict[str, str] = msgspec.field(default_factory=dict)
    people: dict[str, dict[str, dict[str, str]]] = msgspec.field(default_factory=dict)
    channels: dict[str, ChannelRules] = msgspec.field(default_factory=dict)
    file: str = ""

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
    if path == Path(FILE_NAME) and not named and os.name == "posix" and path.stat().st_uid not in (0, os.getuid()):
        what = f"{path.absolute()} belongs to somebody else, who would decide where your secrets go"
        raise ConfigError(what, hint=f"to use it all the same: gitu --config {path}", field="config")
    raw = _read(path) if path else {}
    for name, variable in (("model", "GITU_MODEL"), ("database", "GITU_DATABASE")):
        if environ.get(variable):
            raw[name] = environ[variable]
    raw.update({key: value for key, value in overrides.items() if value is not None})
    if "home" not in raw or overrides.get("home") or environ.get("GITU_HOME"):
        raw["home"] = str(home)  # the file's own word counts where neither caller nor environment say otherwise
    settings = from_dict(raw)
    return msgspec.structs.replace(settings, file=str(path or settings.folder / FILE_NAME))


def from_dict(raw: dict[str, Any]) -> Settings:
    """Settings from plain data. `ConfigError` names the field that does not fit or is not known."""
    unknown = set(raw) - set(Settings.__struct_fields__) | {"file"} & set(raw)
    if unknown:
        name = min(unknown)
        raise ConfigError(f"there is no setting {name!r}", hint="see docs/configuration.md", field=name)
    try:
        settings = msgspec.convert(raw, Settings)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`") or "gitu.toml"
        raise ConfigError(f"{field}: {message}", hint="correct gitu.toml", field=field) from error
    known = [name for name in Envelope.__struct_fields__ if name != "extra"]
    for budget, name in [(budget, name) for budget, words in raw.get("budgets", {}).items() for name in words]:
        if name not in known:
            raise ConfigError(f"a budget has no setting {name!r}", field=f"budgets.{budget}.{name}",
                              hint=nearest(name, known, "see docs/configuration.md"))  # fmt: skip
    return checked(settings)


def checked(settings: Settings) -> Settings:
    """The same settings. `ConfigError` names what of budgets, plugins and time zone cannot be meant."""
    zone_of(settings.timezone)
    for name, section in settings.plugins.items():
        memory = section.get("memory", 1)
        if isinstance(memory, bool) or not isinstance(memory, int) or not 0 < memory < 1 << 20:
            field = f"plugins.{name}.memory"
            raise ConfigError(f"{field} must be a number of mebibytes", hint="correct gitu.toml", field=field)
    for name, each in settings.budgets.items():
        for field, wrong, what in (
            ("cost", each.cost is None and each.tokens is None, "or tokens must be set, or it limits nothing"),
            ("cost", not 0 <= (each.cost or 0) < math.inf, "must be an amount of US dollars"),
            ("tokens", (each.tokens or 0) < 0, "must be a number of tokens"),
            ("warn", any(not 0 < part < 1 for part in each.warn), "must be parts between 0 and 1"),
            ("per", len(set(each.per)) < len(each.per), "names something twice"),
        ):
            if wrong:
                field = f"budgets.{name}.{field}"
                raise ConfigError(f"{field} {what}", hint="correct gitu.toml", field=field)
    return settings


def zone_of(name: str) -> tzinfo:
    """The time zone of that name. `ConfigError` if nobody knows it."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        hint = "use a name like Europe/Berlin; where the system knows none of them: pip install tzdata"
        raise ConfigError(f"nobody knows the time zone {name!r}", hint=hint, field="timezone") from error


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
            return self._read(name, where) if where else None
        name = rest if kind == "platform" else reference
        return self._read(name, self._settings.secrets.get(name, f"env:{name}"))

    def _read(self, name: str, where: str) -> str | None:
        kind, _, rest = where.partition(":")
        if kind == "env":
            return self._environ.get(rest) or None
        if kind == "file":
            try:
                return Path(rest).expanduser().read_text(encoding="utf-8").strip() or None
            except OSError:
                return None
        raise ConfigError(f"{name} is neither env:NAME nor file:PATH", hint="name where the secret is",
                          field="secrets")  # fmt: skip


def leaves_machine(manifest: Manifest, config: Mapping[str, Any]) -> bool:
    """True if a plugin may talk to another machine: it declares the network, and its configuration does not send it to
    this one."""
    if not manifest.capabilities.network:
        return False
    from urllib.parse import urlsplit

    urls = [urlsplit(value) for value in config.values() if isinstance(value, str) and "://" in value]
    return not urls or any(url.hostname not in {"localhost", "127.0.0.1", "::1"} for url in urls)


OPERATORS = frozenset({"enabled", "trusted", "debug", "memory"})
"""What the operator decides about a plugin in its section of ``gitu.toml``; the plugin never sees it."""


def plugin_config(manifest: Manifest, settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """A plugin's configuration: what ``gitu.toml`` says, then the environment named by ``x-env``, then defaults. Only
    variables that begin with the plugin's id are its own: others hold what it may not know, secrets for instance.

    `ConfigError` names the field that does not fit the plugin's JSON Schema.
    """
    values = {name: value for name, (value, _) in plugin_values(manifest, settings, environ).items()}
    if manifest.config:
        _check(values, manifest)
    elif values:
        section = f"plugins.{manifest.id}"
        raise ConfigError(f"plugin {manifest.id} takes no configuration", hint=f"remove it from [{section}]",
                          field=f"{section}.{min(values)}", plugin=manifest.id)  # fmt: skip
    return values


def plugin_values(
    manifest: Manifest, settings: Settings, environ: Mapping[str, str] = os.environ
) -> dict[str, tuple[Any, str]]:
    """The values of a plugin's configuration, as nobody has checked them yet, each with where it comes from:
    ``settings``, the name of a variable of the environment, or ``default``."""
    said = settings.plugins.get(manifest.id, {})
    found = {name: (value, "settings") for name, value in said.items() if name not in OPERATORS}
    own = f"{manifest.id}_".replace("-", "_").upper()
    for name, schema in (manifest.config or {}).get("properties", {}).items():
        variable = str(schema.get("x-env", ""))
        if name not in found and variable.startswith(own) and environ.get(variable):
            found[name] = _typed(environ[variable], schema.get("type")), variable
        elif name not in found and "default" in schema:
            found[name] = schema["default"], "default"
    return found


def _typed(text: str, kind: object) -> Any:
    """An environment variable as the type its schema asks for; what does not parse is left for the schema to refuse."""
    try:
        return msgspec.json.decode(text) if kind in ("integer", "number", "boolean", "array", "object") else text
    except msgspec.DecodeError:
        return text


def _check(values: dict[str, Any], manifest: Manifest) -> None:
    if not values and not manifest.config.get("required"):
        return  # nothing to check, and jsonschema is slow to import
    from gitu_core.schemas import Schema

    for error in Schema(manifest.config, f"plugins.{manifest.id}", configuration=True).problems(values):
        path = ".".join(str(part) for part in error.absolute_path)
        field, what = f"plugins.{manifest.id}.{path}".rstrip("."), error.message
        top = manifest.config.get("properties", {}).get(path.partition(".")[0], {})
        if SUSPECT.search(path) or write_only(top) or isinstance(error.instance, dict | list):
            what = what.replace(repr(error.instance), "what stands there")
        raise ConfigError(f"{field}: {what}", hint="correct gitu.toml", field=field, plugin=manifest.id)


def write_only(schema: Any) -> bool:
    """True if what a property holds, or something in it, is not for eyes."""
    return b'"writeOnly":true' in msgspec.json.encode(schema)
