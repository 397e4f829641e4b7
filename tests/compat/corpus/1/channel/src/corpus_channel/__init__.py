"""A channel: somebody says one thing on it, and what is said back is kept."""

import anyio

from gitu_core import Account, Conversation, Delivery, Message, Text
from gitu_core.contracts import Channel, Health


class Bell:
    """A channel with one person."""

    channel = Channel("bell", "idempotent", max_text=4000, trusted=True, streams=True, access="open")

    def __init__(self):
        self.sent, self.shown, self.receipts = {}, [], []

    async def receive(self, inbox):
        """Hands one message over, twice, and waits."""
        where = Conversation("bell", "ana")
        for _ in range(2):
            receipt = await inbox.accept(Message("ring-1", where, Account("bell", "ana", "Ana"), (Text("ding"),)))
            self.receipts.append(receipt.fresh)
        await inbox.finished(receipt.id)
        await anyio.sleep_forever()

    async def send(self, outgoing):
        """Keeps it by its key."""
        self.sent.setdefault(outgoing.key, outgoing.text)
        return Delivery("sent", (f"bell-{len(self.sent)}",))

    async def verify(self, outgoing):
        """Looks it up."""
        return Delivery("sent" if outgoing.key in self.sent else "not_sent")

    async def show(self, conversation, event):
        """Notes that a turn goes on."""
        self.shown.append(type(event).__name__)

    async def health(self):
        """Well."""
        return Health()


def gitu_adapters(host):
    """Channels that the plugin speaks."""
    return [Bell()]
