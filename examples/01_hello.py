"""An assistant in five lines. Without a key the offline model answers, and says so."""

import anyio

from gitu_core import Gitu


async def main() -> None:
    async with Gitu(model="offline/offline") as gitu:
        reply = await gitu.send("Hello!", user="u1")
        print(reply.text)


anyio.run(main)
