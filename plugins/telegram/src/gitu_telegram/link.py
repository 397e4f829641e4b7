"""The connection to Telegram: one bot, made when it is first needed, closed when nobody uses it any more."""

from __future__ import annotations

import logging
import re
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import anyio

from gitu_core.contracts import Delivery, Health
from gitu_core.errors import AuthFailed, ConfigError, GituError, InputError, NotReady, RateLimited
from gitu_telegram.settings import CLOUD, TOKEN, UPDATES, Settings

if TYPE_CHECKING:
    from telegram import BotCommand
    from telegram.error import TelegramError

    from gitu_core.contracts import Host
    from gitu_telegram.transport import Client, DirectRequest, HostRequest

CACHED = 60.0
"""Seconds for which the server counts as well after it answered."""

LOGGERS = ("httpx", "telegram.Bot")
"""What logs addresses, in which the token stands."""

_SHAPE = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{10,200}")


@dataclass(frozen=True)
class _Hushed:
    """Takes a token out of what is logged. Equal ones are one: a logger keeps each filter once."""

    token: str = field(repr=False)

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets everything pass, without the token."""
        if self.token in (text := record.getMessage()):
            record.msg, record.args = text.replace(self.token, "TOKEN"), ()
        return True


class Link:
    """Gives the bot, and knows how the connection is."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._bot: Client | None = None
        self._users = 0
        self._lock = anyio.Lock()
        self._seen, self._trouble = -CACHED, Health("starting")

    @property
    def settings(self) -> Settings:
        """The configuration. `ConfigError` where it cannot work."""
        settings = Settings.of(self._host.config)
        if not settings.apart and "gitu_core.registry.guest" in sys.modules:
            field = "mode" if settings.mode == "webhook" else "base_url"
            raise ConfigError(f"{field}: a plugin in a process of its own opens no connections itself",
                              hint="set trusted = true under [plugins.telegram]", field=field)  # fmt: skip
        if settings.mode == "webhook" and not settings.webhook_url:
            raise ConfigError("webhook_url is missing", hint="say under which https address Telegram reaches this "
                              "machine, or set mode = \"polling\"", field="webhook_url")  # fmt: skip
        return settings

    @asynccontextmanager
    async def bot(self) -> AsyncIterator[Client]:
        """The bot, open as long as anybody uses it. A typed failure where it cannot be had."""
        async with self._lock:
            if self._bot is None:
                self._bot = await self._open()
            self._users += 1
            bot = self._bot
        try:
            yield bot
        finally:
            self._users -= 1
            if not self._users and self._bot is bot:
                self._bot = None
                with anyio.CancelScope(shield=True):
                    await bot.shutdown()

    async def _open(self) -> Client:
        from telegram.error import TelegramError

        from gitu_telegram.transport import Client

        token = await self._host.secrets.reveal(TOKEN)
        if not _SHAPE.fullmatch(token):
            raise AuthFailed(f"{TOKEN} is no token of a bot", hint="copy it from @BotFather: 123456:ABC...")
        for name in LOGGERS:
            logging.getLogger(name).addFilter(_Hushed(token))
        base = self.settings.base_url or CLOUD
        bot = Client(token, f"{base}/bot", f"{base}/file/bot", self._request(token), self._request(token))
        try:
            await bot.initialize()
        except BaseException as error:  # also when cancelled: nothing stays open
            with anyio.CancelScope(shield=True):
                await bot.shutdown()
            if isinstance(error, TelegramError):
                raise self.failed(error) from None
            raise
        self.well()
        return bot

    def _request(self, token: str) -> DirectRequest | HostRequest:
        from gitu_telegram.transport import SECONDS, DirectRequest, HostRequest

        if self.settings.apart:
            return HostRequest(self._host, token)
        return DirectRequest(
            8, read_timeout=SECONDS, write_timeout=SECONDS, connect_timeout=10.0, pool_timeout=10.0,
            httpx_kwargs={"verify": _trusts(), "trust_env": False},
        )  # fmt: skip

    # ---- how it is -----------------------------------------------------------------------------------------------

    def well(self) -> None:
        """The server answered."""
        self._seen, self._trouble = anyio.current_time(), Health("ok")

    def failed(self, error: TelegramError) -> GituError:
        """What an error of the library means to the host, which is told by `health` too."""
        found = typed(error)
        self._trouble = Health("failed" if isinstance(found, AuthFailed) else "degraded", found.message, found.hint)
        self._seen = -CACHED
        return found

    async def health(self) -> Health:
        """How the connection is; asks the server where it was not heard of for a minute."""
        if anyio.current_time() - self._seen < CACHED or self._trouble.state == "failed":
            return self._trouble
        from telegram.error import TelegramError

        with anyio.move_on_after(0.8):
            try:
                async with self.bot() as bot:
                    await bot.get_me()
                    self.well()
            except TelegramError as error:
                self.failed(error)
            except GituError as error:
                return Health("failed" if isinstance(error, AuthFailed | ConfigError) else "degraded", error.message,
                              error.hint)  # fmt: skip
        return self._trouble


@cache
def _trusts() -> ssl.SSLContext:
    """The authorities of the system, read once."""
    return ssl.create_default_context()


def typed(error: TelegramError) -> GituError:
    """An error of the library as one that the host understands. It never holds the token."""
    from telegram import error as errors

    if isinstance(error, errors.InvalidToken):
        return AuthFailed("Telegram refused the bot's token", hint=f"set {TOKEN} to the one that @BotFather shows")
    if isinstance(error, errors.Conflict):
        return NotReady("another process receives the messages of this bot, or a webhook is set",
                        hint="end the other one: a bot has one receiver")  # fmt: skip
    if isinstance(error, errors.RetryAfter):
        return RateLimited("Telegram limits the rate", hint="wait", retry_after=seconds_of(error))
    if isinstance(error, errors.BadRequest):
        return InputError(f"Telegram refused it: {error.message}", hint="see the log")
    return NotReady(f"Telegram does not answer: {error.message}", hint="see whether the network is there")


def seconds_of(error: TelegramError) -> float:
    """How long to wait, as Telegram says."""
    wait = getattr(error, "retry_after", 1)
    return float(wait.total_seconds() if hasattr(wait, "total_seconds") else wait)


def delivery_of(error: TelegramError) -> Delivery:
    """What became of a message whose sending ended with an error: ``not_sent`` only where nobody saw anything."""
    from telegram import error as errors

    from gitu_telegram.transport import NeverLeft, TooLarge

    if isinstance(error, errors.RetryAfter):
        return Delivery("not_sent", retry_after=seconds_of(error), detail="Telegram limits the rate")
    if isinstance(error, NeverLeft):
        return Delivery("not_sent", detail=error.message)
    if isinstance(error, errors.InvalidToken):
        return Delivery("not_sent", detail="Telegram refused the bot's token")
    if isinstance(error, errors.BadRequest | errors.Forbidden | TooLarge):
        return Delivery("not_sent", final=True, detail=f"Telegram refused it: {error.message}")
    return Delivery("unknown", detail=f"no clear answer from Telegram: {error.message}")


async def announce(bot: Client, commands: dict[str, str]) -> None:
    """Tells Telegram which commands people can be offered."""
    listed: list[BotCommand | tuple[str, str]] = [*commands.items()]
    await bot.set_my_commands(listed)


__all__ = ["UPDATES", "Link", "announce", "delivery_of", "seconds_of", "typed"]
