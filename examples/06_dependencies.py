"""Typed dependencies: what the application hands over reaches its tools, and never a model."""

from dataclasses import dataclass

import anyio

from gitu_core import Gitu, ToolContext, tool


@dataclass
class Shop:
    """Whatever your tools need: a database, a client, a setting."""

    prices: dict[str, float]


@tool
async def price(ctx: ToolContext[Shop], item: str) -> str:
    """Tells the price of an item."""
    await ctx.progress("looking it up")
    return f"{item} costs {ctx.deps.prices[item]:.2f}"


async def main() -> None:
    async with Gitu(model="offline/offline", tools=[price], deps=Shop({"lamp": 19.5})) as gitu:
        print((await gitu.send('Tell me the price of the item "lamp"', user="u1")).text)


anyio.run(main)
