"""The first tables.

Revision ID: 0001
Revises:
"""

from alembic import op

from gitu_core.store.columns import index
from gitu_core.store.migrations import create

revision = "0001"
down_revision = None

_TABLES = "keys people accounts sessions conversations inbox messages turns steps outbox usage plugin_state blobs"


def upgrade() -> None:
    """Makes every table."""
    # fmt: off
    create("keys", "tenant* id:bytes* person purpose generation:int master wrapped:bytes created_at:time",
           index("keys_of", "tenant person purpose generation", unique=True))
    create("people", "tenant* id* enabled:small created_at:time body:bytes")
    create("accounts", "tenant* channel* account:bytes* person created_at:time last_used:time body:bytes")
    create("sessions", "tenant* id* person created_at:time active_at:time ended_at:time? messages:int body:bytes",
           index("sessions_of", "tenant person active_at"),
           index("sessions_active", "tenant active_at"),
           index("sessions_open", "tenant active_at", where="ended_at IS NULL"))
    create("conversations", "tenant* conversation:bytes* channel person session bound_at:time body:bytes")
    create("inbox",
           "n:serial* tenant id channel key:bytes person session accepted_at:time done_at:time? outcome body:bytes",
           index("inbox_key", "tenant channel key", unique=True),
           index("inbox_id", "tenant id", unique=True),
           index("inbox_pending", "tenant n", where="done_at IS NULL"))
    create("messages", "n:serial* tenant session person turn tokens:int at:time body:bytes",
           index("messages_of", "tenant session n"))
    create("turns", "tenant* id* session person status started_at:time ended_at:time? body:bytes")
    create("steps", "tenant* turn* n:int* session person at:time body:bytes")
    create("outbox", "n:serial* tenant id person session state next_at:time body:bytes",
           index("outbox_id", "tenant id", unique=True),
           index("outbox_open", "tenant state n", where="state IN ('queued', 'sending')"))
    create("usage", "tenant* id* person session turn plugin model owner"
           " input_tokens:big output_tokens:big cached_tokens:big cost:big at:time",
           index("usage_of", "tenant person at"), index("usage_at", "tenant at"))
    create("plugin_state", "tenant* plugin* key* person updated_at:time body:bytes",
           index("plugin_state_of", "tenant person plugin key"))
    create("blobs", "tenant* name:bytes* person* size:big created_at:time meta:bytes body:bytes?")
    # fmt: on


def downgrade() -> None:
    """Drops every table, with its indexes."""
    for name in reversed(_TABLES.split()):
        op.drop_table(f"@{name}")
