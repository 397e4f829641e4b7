"""A tool is a typed function. Its schema comes from the hints, its description from the docstring."""

from typing import Annotated

import anyio

from gitu_core import Gitu, Role, tool

STOCK = {"lamp": 4, "chair": 0}


@tool
def stock(item: str) -> int:
    """How many pieces of an item are in stock.

    Args:
        item: What to look for, for example lamp.
    """
    return STOCK.get(item.lower(), 0)


@tool(effects=["write"], reversible=True)
def order(item: Annotated[str, Role("title")], pieces: int = 1) -> str:
    """Orders pieces of an item from the supplier."""
    return f"{pieces} x {item} ordered"


async def main() -> None:
    async with Gitu(model="offline/offline", tools=[stock, order]) as gitu:
        print((await gitu.send('How many pieces of the item "lamp" are in stock?', user="u1")).text)


anyio.run(main)
