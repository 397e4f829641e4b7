"""The gateway as an adapter sees it."""

from __future__ import annotations

from gitu_core.errors import InputError
from gitu_core.gateway.gateway import Gateway
from gitu_core.model import Message, Receipt


class AdapterInbox:
    """What an adapter gets (the contract `Inbox`): the gateway, seen from one channel."""

    def __init__(self, gateway: Gateway, channel: str) -> None:
        self._gateway = gateway
        self._channel = channel

    async def accept(self, message: Message) -> Receipt:
        """Commits *message*. `InputError` if it comes from another channel than it says."""
        if message.conversation.channel != self._channel or message.sender.channel != self._channel:
            raise InputError(f"the message says it came from {message.conversation.channel!r}, not {self._channel!r}",
                             hint="use the adapter's own channel name")  # fmt: skip
        job, fresh = await self._gateway.accept(message)
        return Receipt(job.id, fresh)

    async def finished(self, id: str) -> None:
        """Waits until the work that a message caused has ended."""
        job = self._gateway.job(id)
        if job is not None:
            await job.done.wait()
