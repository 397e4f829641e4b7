"""``gitu init``: from nothing to the first answer. It can be run again, and nothing is written before its end."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from pathlib import Path

from gitu_core.app import Gitu
from gitu_core.cli.common import settings_of
from gitu_core.cli.plugins import registry_of
from gitu_core.cli.prompt import Prompt
from gitu_core.cli.show import answers_only, paint
from gitu_core.config import SecretSource
from gitu_core.errors import GituError, InputError
from gitu_core.manifest import Manifest
from gitu_core.options import built_in
from gitu_core.registry import Registry
from gitu_core.routing.sources import LAST_RESORT
from gitu_core.settings import Change, change, keep_secret_file, secret_change


def arguments(name: str, command: argparse.ArgumentParser) -> None:
    """What the command takes."""
    command.add_argument("--model", help="provider/model or provider to use; it is not asked for then")
    command.add_argument(
        "--enable", action="append", default=[], metavar="ID", help="a channel to enable; may be repeated"
    )
    command.add_argument(
        "--trust", action="store_true", help="the channels may run inside the assistant, where they must"
    )
    command.add_argument("--yes", action="store_true", help="ask nothing: defaults, and secrets from the environment")
    command.add_argument("--no-check", action="store_true", help="do not try whether the model answers")


async def run(options: argparse.Namespace) -> int:
    """Runs the command; 1 if the model did not answer."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a loop would hear of Ctrl-C only after the next answer
    model, options.model = options.model, None  # here it is what to write, and not only what to use
    return await Setup(options, Prompt(options.yes)).run(model)


class Setup:
    """What is asked, and what comes of it."""

    def __init__(self, options: argparse.Namespace, prompt: Prompt) -> None:
        self._options, self._prompt = options, prompt
        self._settings = settings_of(options)
        self._file = Path(self._settings.file).absolute()
        with answers_only():
            self._registry: Registry = registry_of(options)
            self._plugins = {each.id: self._registry.manifest(each.id) for each in self._registry.plugins()}
        self._typed: dict[str, str] = {}
        self._changes: list[Change] = []

    async def run(self, model: str | None) -> int:
        """Asks, tries, writes, and answers the first message."""
        say = self._prompt.say
        say(f"Settings: {self._file}\nData:     {self._settings.folder}\n")
        while True:
            chosen = self._model() if model is None else self._named(model)
            kept = chosen == "".join(self._settings.wanted[:1])  # and with it those that may stand behind it
            self._changes = [] if kept else [(("model",), chosen or None)]
            if self._options.no_check or await self._answers(chosen):
                break
            if self._prompt.yes("Keep it all the same?", default=False):
                break
            if model is not None or self._options.yes:
                return 1
        self._channels()
        self._write()
        await self._first_message()
        return 0

    # ---- the model ------------------------------------------------------------------------------

    def _providers(self) -> dict[str, Manifest]:
        found = {offer.name: manifest for manifest in self._plugins.values() for offer in manifest.of("provider")
                 if any(manifest.id == each.plugin for each in self._registry.offers("provider"))}  # fmt: skip
        return dict(sorted(found.items(), key=lambda each: (each[1].priority, each[0])))

    def _model(self) -> str:
        """The model that is to answer, and what it needs."""
        providers = self._providers()
        if not providers:
            hint = 'install the bundle: pip install "gitu-core[assistant]"'
            raise InputError("no plugin that knows a model is enabled", hint=hint)
        now = self._settings.wanted[0] if self._settings.wanted else ""
        ready = [name for name, manifest in providers.items() if not self._missing(manifest)]
        default = now.partition("/")[0] if now.partition("/")[0] in providers else (ready or [*providers])[0]
        self._prompt.say("Which provider of models?")
        choices = [(name, self._describe(name, manifest)) for name, manifest in providers.items()]
        name = self._prompt.choose("Provider", choices, default)
        self._secrets(providers[name])
        if providers[name].priority >= LAST_RESORT:
            return name if ready != [name] else ""  # whoever is there later may answer in its place
        which = now.removeprefix(f"{name}/") if now.startswith(f"{name}/") else ""
        which = self._prompt.line(
            "Model, as the provider calls it (Enter: its own choice)" if not which else "Model", which
        )
        return f"{name}/{which}" if which else name

    def _named(self, model: str) -> str:
        name, providers = model.partition("/")[0], self._providers()
        if name not in providers:
            raise InputError(f"there is no provider {name!r}", hint=f"use one of: {', '.join(providers)}")
        self._secrets(providers[name])
        return model

    def _describe(self, name: str, manifest: Manifest) -> str:
        what = next((each.description for each in manifest.of("provider") if each.name == name), "")
        missing = self._missing(manifest)
        return f"{what} {f'Needs {missing}.' if missing else 'Ready.'}".strip()

    def _missing(self, manifest: Manifest) -> str:
        """The secrets that it cannot do without."""
        has, needs = self._has, manifest.capabilities.secrets
        required = [each.name for each in needs if not each.optional]
        if not required and needs and not any(has(each.name) for each in needs):
            return "the key of one of its providers"
        return ", ".join(name for name in required if not has(name))

    def _has(self, name: str) -> bool:
        return name in self._typed or SecretSource(self._settings).has(name)

    async def _answers(self, model: str) -> bool:
        """True if the model says something; tells what is wrong where it does not."""
        from gitu_core.wiring import House

        self._prompt.say(paint("Asking it one word ...", "dim"))
        found = await House.try_model(self._settings, model, self._typed)
        self._prompt.say(f"{'failed' if found['error'] else 'ok'}: {found['detail']}")
        if found["error"]:
            self._prompt.say(f"next: {found['hint']}")
        return not found["error"]

    # ---- secrets --------------------------------------------------------------------------------

    def _secrets(self, manifest: Manifest) -> None:
        """Asks for what a plugin needs: every secret that is required; where all are optional, one of them."""
        needs = manifest.capabilities.secrets
        required = [each.name for each in needs if not each.optional]
        if not required and needs:
            held = [each.name for each in needs if self._has(each.name)]
            choices = [(each.name, "set" if each.name in held else "") for each in needs]
            self._prompt.say("Whose key do you have?")
            required = [self._prompt.choose("Key", choices, (held or [needs[0].name])[0])]
        for name in required:
            known = self._has(name)
            typed = self._prompt.secret(f"{name}{' is set; another one, or Enter to keep it' if known else ''}")
            if typed:
                secret_change(self._settings.folder, name, typed)  # what is none is refused here, not at the end
                self._typed[name] = typed
            elif not known:
                raise InputError(f"{name} is needed", hint=f"set {name} in the environment, or type it")

    # ---- channels -------------------------------------------------------------------------------

    def _channels(self) -> None:
        offered = dict(self._background())
        wanted = self._options.enable
        if offered and not wanted:
            self._prompt.say("Channels that can be enabled:")
            choices = [(id, manifest.title) for id, manifest in offered.items()]
            wanted = self._prompt.several("Enable which? Numbers or names (Enter: none)", choices)
        for id in wanted:
            if id not in offered:
                hint = f"use one of: {', '.join(offered)}" if offered else "install a plugin with a channel"
                raise InputError(f"no plugin {id!r} with a channel can be enabled", hint=hint)
            self._enable(id, offered[id])

    def _background(self) -> Iterator[tuple[str, Manifest]]:
        """The plugins with a channel that runs in the background and is not enabled."""
        on = {each.plugin for each in self._registry.offers("adapter")}
        for id, manifest in self._plugins.items():
            if id not in on and any(not each.spec.get("foreground") for each in manifest.of("adapter")):
                yield id, manifest

    def _enable(self, id: str, manifest: Manifest) -> None:
        inside = manifest.isolation == "host" and id not in built_in()
        if inside and not (self._options.trust or self._prompt.yes(f"{id} runs inside the assistant, with all its "
                                                                   "rights. Trust it?")):  # fmt: skip
            self._prompt.say(f"{id} stays off.")
            return
        self._secrets(manifest)
        self._changes.append((("plugins", id, "enabled"), True))
        if inside:
            self._changes.append((("plugins", id, "trusted"), True))

    # ---- the end --------------------------------------------------------------------------------

    def _write(self) -> None:
        home = self._settings.folder
        kept = [keep_secret_file(home, name, secret) for name, secret in self._typed.items()]
        change(self._file, [*self._changes, *kept])
        self._prompt.say(f"Written to {self._file}")

    async def _first_message(self) -> None:
        say = self._prompt.say
        text = self._prompt.line("\nSay something to it (Enter: not now)")
        if text:
            try:
                with answers_only():
                    async with Gitu(config=settings_of(self._options)) as gitu:
                        reply = await gitu.send(text, user=gitu.house.settings.user)
                say(reply.text)
            except GituError as error:  # everything is written: what is wrong now is for `gitu doctor`
                say(f"no answer: {error.message}\nnext: {error.hint or 'gitu doctor --ask'}")
        channels = any(keys[0] == "plugins" for keys, _ in self._changes)
        say("\nNext: gitu chat" + (", gitu serve" if channels else "") + "; gitu doctor tells what is wrong")
