"""The stream that keeps wake-ups and the consumer that hands them out. Whoever connects first makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitu_nats.settings import CONSUMER, Settings

if TYPE_CHECKING:
    from nats.aio.client import Client

API_WITHIN = 2.0
"""Seconds within which the servers have to answer a question about the stream."""

MAX_AGE = 86_400.0
"""Seconds after which a wake-up that nobody took is dropped. The sweep of the store has found the work by then."""

ONCE_WITHIN = 120.0
"""Seconds within which the stream knows the id of a message again."""


async def prepare(client: Client, settings: Settings) -> None:
    """Sees to it that stream and consumer are there and are as the settings say. What else somebody has set about
    them, placement or a limit, stays as it is. Nothing is written that is right already: in a cluster that has just
    lost a server, reading works before writing does."""
    from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
    from nats.js.errors import NotFoundError

    manager, name = client.jsm(timeout=API_WITHIN), settings.prefix
    ours: dict[str, Any] = {
        "subjects": [settings.lanes], "retention": RetentionPolicy.WORK_QUEUE, "storage": StorageType(settings.storage),
        "num_replicas": settings.replicas, "max_age": MAX_AGE, "duplicate_window": ONCE_WITHIN,
    }  # fmt: skip
    try:
        stream = (await manager.stream_info(name)).config
        if changes := _changes(stream, ours):
            await manager.update_stream(stream.evolve(**changes))
    except NotFoundError:
        await manager.add_stream(StreamConfig(name, "wake-ups of Gitu", **ours))
    ours = {
        "filter_subject": settings.lanes, "ack_policy": AckPolicy.EXPLICIT, "ack_wait": settings.ack_wait,
        "max_ack_pending": settings.max_ack_pending, "max_deliver": -1,
    }  # fmt: skip
    try:
        consumer = (await manager.consumer_info(name, CONSUMER)).config
        if changes := _changes(consumer, ours):
            await manager.add_consumer(name, consumer.evolve(**changes))
    except NotFoundError:
        await manager.add_consumer(name, ConsumerConfig(CONSUMER, CONSUMER, **ours))


def _changes(there: Any, ours: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in ours.items() if getattr(there, key) != value}
