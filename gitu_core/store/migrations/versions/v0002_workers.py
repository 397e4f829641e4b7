"""Several programs on one database: who works what, approvals that outlive a program, timers.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

from gitu_core.store.columns import index
from gitu_core.store.migrations import create, extend

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the tables, and to the outbox what channels need to know. An outbox row of an earlier program names no
    channel until it is written again: only its sealed body knows."""
    create("workers", "tenant* id* epoch:int beat:big started_at:time about")
    create("lanes", "tenant* lane* worker", index("lanes_of", "tenant worker"))
    # fmt: off
    create("approvals", "tenant* id* person session turn message kind state choice digest:bytes"
           " created_at:time expires_at:time answered_at:time? body:bytes",
           index("approvals_pending", "tenant person created_at", where="state = 'pending'"),
           index("approvals_due", "tenant expires_at", where="state = 'pending'"),
           index("approvals_of", "tenant turn id"))
    create("timers", "tenant* owner* key* person state worker attempt:int due_at:time body:bytes",
           index("timers_due", "tenant owner due_at", where="state = 'armed'"),
           index("timers_running", "tenant worker", where="state = 'running'"))
    op.drop_index("~inbox_pending", "@inbox")
    extend("inbox", "worker=''", index("inbox_pending", "tenant session n", where="done_at IS NULL"))
    op.drop_index("~outbox_open", "@outbox")
    extend("outbox", "channel=''",
           index("outbox_open", "tenant channel n", where="state IN ('queued', 'sending')"),
           index("outbox_lost", "tenant person n", where="state IN ('unknown', 'dead')"))
    # fmt: on


def downgrade() -> None:
    """Takes them away again; open approvals and timers are lost."""
    for name in ("outbox_lost", "outbox_open"):
        op.drop_index(f"~{name}", "@outbox")
    op.drop_column("@outbox", "channel")
    extend("outbox", "", index("outbox_open", "tenant state n", where="state IN ('queued', 'sending')"))
    op.drop_index("~inbox_pending", "@inbox")
    op.drop_column("@inbox", "worker")
    extend("inbox", "", index("inbox_pending", "tenant n", where="done_at IS NULL"))
    for name in ("timers", "approvals", "lanes", "workers"):
        op.drop_table(f"@{name}")
