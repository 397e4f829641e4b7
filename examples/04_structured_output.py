"""Structured output: hand over a pydantic model, get an instance of it in ``reply.data``."""

import anyio
from pydantic import BaseModel

from gitu_core import Gitu
from gitu_core.testing import ScriptedModel


class Invoice(BaseModel):
    customer: str
    total: float


async def main() -> None:
    model = ScriptedModel(["Here you are: 99", '{"customer": "Anna", "total": 99.5}'])
    async with Gitu(model=model) as gitu:
        reply = await gitu.send("Anna owes us 99.50", user="u1", output=Invoice)
        print(reply.data.customer, reply.data.total)  # the first answer did not fit and was sent back
    model.assert_complete()


anyio.run(main)
