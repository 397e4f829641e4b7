"""A whole assistant on two channels at once, in a process of its own: ``python -m tests.together.both PORT HOME
TELEGRAM``. Ana speaks on both."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace
from typing import Any, cast

from gitu_core import Gitu
from gitu_core.contracts import Account, Host
from gitu_telegram.adapter import TelegramAdapter
from plugins.telegram.tests.around import HostHere
from plugins.web.tests.assistant import WORDS, On, Slow


class OnTelegram:
    """A plugin that offers Telegram, with the server of Telegram at *url*."""

    def __init__(self, url: str) -> None:
        self._url = url

    def gitu_adapters(self, host: Host) -> list[TelegramAdapter]:
        """The channel, on the store of the assistant."""
        around = HostHere(cast(Any, SimpleNamespace(url=self._url)))
        around.kv, around.blobs = cast(Any, host.kv), cast(Any, host.blobs)
        return [TelegramAdapter(cast(Host, around))]


async def main(port: int, home: str, url: str) -> None:
    """Serves until it is ended."""
    model: Any = Slow(lambda request: f"{request.messages[-1].text}: {WORDS}")
    plugins = [On(port), OnTelegram(url)]
    async with Gitu(model=model, plugins=plugins, use=[], home=home, config=f"{home}/gitu.toml") as gitu:
        people = gitu.house.store
        for channel, id in (("web", "ana"), ("telegram", "1")):
            await people.link(Account(channel, id), "ana", await people.person("ana") is None)
        await gitu.serve("web", "telegram")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
